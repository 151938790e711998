package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A document is a config.toml in the making.
type document struct {
	root   []entry // keys above the first table
	tables []*table
}

// A table is one [table] or [[table]] with its keys in order.
type table struct {
	header  string // as written, brackets included
	about   string // a comment above the header; "" = none
	entries []entry
	subs    []*table // tables of its own, which follow it
}

type entry struct {
	key   string
	value any    // string, bool, int, []string
	note  string // a comment beside it; "" = none
}

// set writes a key, in the place where it stands already or at the end.
func (t *table) set(key string, value any, note ...string) {
	e := entry{key, value, strings.Join(note, " ")}
	for i := range t.entries {
		if t.entries[i].key == key {
			t.entries[i] = e
			return
		}
	}
	t.entries = append(t.entries, e)
}

// drop takes keys away again.
func (t *table) drop(keys ...string) {
	t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return slices.Contains(keys, e.key) })
}

// has reports whether a key is set.
func (t *table) has(key string) bool {
	for _, e := range t.entries {
		if e.key == key {
			return true
		}
	}
	return false
}

func (d *document) add(t *table) { d.tables = append(d.tables, t) }

// text is the whole file: where it comes from, what is missing, and the body.
func (d *document) text(format, path string, left []Left) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Imported from %s (%s). \"midge check -c FILE\" says what it would run.\n", printable(path), format)
	if len(left) > 0 {
		b.WriteString("#\n# Not carried over:\n")
	}
	for _, l := range left {
		fmt.Fprintf(&b, "#   %s\n", printable(l.String()))
	}
	b.WriteString("\n")
	b.WriteString(d.body())
	return b.String()
}

// body is the TOML. Tables without keys are left out unless they are an element of a list.
func (d *document) body() string {
	var b strings.Builder
	writeEntries(&b, d.root)
	for _, t := range d.tables {
		t.write(&b)
	}
	return b.String()
}

func (t *table) write(b *strings.Builder) {
	if len(t.entries) == 0 && len(t.subs) == 0 && !strings.HasPrefix(t.header, "[[") {
		return
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	if t.about != "" {
		fmt.Fprintf(b, "# %s\n", printable(t.about))
	}
	b.WriteString(t.header + "\n")
	writeEntries(b, t.entries)
	for _, s := range t.subs {
		s.write(b)
	}
}

func writeEntries(b *strings.Builder, entries []entry) {
	for _, e := range entries {
		line := e.key + " = " + tomlValue(e.value)
		if e.note != "" {
			line = fmt.Sprintf("%-31s # %s", line, printable(e.note))
		}
		b.WriteString(line + "\n")
	}
}

func tomlValue(v any) string {
	switch v := v.(type) {
	case string:
		return tomlString(v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = tomlString(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}

// tomlString writes a basic string. Go's own quoting has escapes that TOML has not.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F || r == utf8.RuneError:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
