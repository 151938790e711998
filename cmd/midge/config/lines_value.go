package config

import (
	"strconv"
	"strings"
)

// value passes over one value and marks the keys and elements inside it.
func (f *finder) value(path string) {
	f.skipBlanks()
	switch {
	case f.take("["):
		f.list(path)
	case f.take("{"):
		f.inlineTable(path)
	case strings.HasPrefix(f.rest, `"""`), strings.HasPrefix(f.rest, "'''"):
		f.multiline()
	case strings.HasPrefix(f.rest, `"`), strings.HasPrefix(f.rest, "'"):
		f.quoted()
	default: // number, boolean, date
		f.skip(endOf(f.rest, ",]}#\n"))
	}
}

// list passes over [a, b] after its bracket.
func (f *finder) list(path string) {
	for i := 0; ; i++ {
		f.skipSpace()
		if f.rest == "" || f.take("]") {
			return
		}
		before := len(f.rest)
		f.mark(element(path, i), f.line)
		f.value(element(path, i))
		f.nextItem(before)
	}
}

// inlineTable passes over {a = 1, b = 2} after its brace.
func (f *finder) inlineTable(path string) {
	for {
		f.skipSpace()
		if f.rest == "" || f.take("}") {
			return
		}
		before := len(f.rest)
		f.keyValue(path)
		f.nextItem(before)
	}
}

// nextItem passes over a comma. What is neither item nor comma is not TOML; one octet of it is dropped, to come to an end.
func (f *finder) nextItem(before int) {
	f.skipSpace()
	if !f.take(",") && len(f.rest) == before {
		f.skip(1)
	}
}

// quoted passes over a string on one line and returns its content. An escape that only TOML knows is left as written.
func (f *finder) quoted() string {
	quote := f.rest[0]
	end := 1
	for end < len(f.rest) && f.rest[end] != quote && f.rest[end] != '\n' {
		if quote == '"' && f.rest[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(f.rest))
	whole, content := f.rest[:min(end+1, len(f.rest))], f.rest[1:end]
	f.skip(len(whole))
	if quote == '"' {
		if s, err := strconv.Unquote(whole); err == nil {
			return s
		}
	}
	return content
}

// multiline passes over a string in three quotes. Up to two more quotes before the closing three belong to the content.
func (f *finder) multiline() {
	quotes := f.rest[:3]
	f.skip(3)
	for f.rest != "" && !strings.HasPrefix(f.rest, quotes) {
		if quotes[0] == '"' && f.rest[0] == '\\' && len(f.rest) > 1 {
			f.skip(1)
		}
		f.skip(1)
	}
	f.take(quotes)
	for f.take(quotes[:1]) {
	}
}
