package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// source tells where in the text of a file a key stands. The zero source knows no place.
//
// A path names a key from the root: dots between tables, an index from 0 for every element of a list, quotes around a
// key that is not a plain word: "link[1].baud", `bridge[0].topic[2].filter`.
type source struct {
	file string
	at   map[string]int // line of every path that is written, from 1
}

// line is where the path stands, or else the nearest table around it; 0 = nowhere.
func (s source) line(path string) int {
	for ; path != ""; path = parentOf(path) {
		if n := s.at[path]; n > 0 {
			return n
		}
	}
	return 0
}

// written reports whether the text holds the path.
func (s source) written(path string) bool { return s.at[path] > 0 }

// join is the path of a key within a table; "" is the root.
func join(table, key string) string {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return !isBare(r) }) {
		key = strconv.Quote(key)
	}
	if table == "" {
		return key
	}
	return table + "." + key
}

// element is the path of the i-th element of a list.
func element(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// parentOf cuts the last step off a path.
func parentOf(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// isBare reports whether TOML takes r in a key without quotes.
func isBare(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}

// findLines tells the line of every key in a TOML text that the library has accepted. On any other text it may miss keys,
// but it ends: every step consumes something.
func findLines(text string) map[string]int {
	f := finder{rest: strings.TrimPrefix(text, "\ufeff"), line: 1, at: map[string]int{}, count: map[string]int{}}
	table := ""
	for f.skipSpace(); f.rest != ""; f.skipSpace() {
		switch {
		case f.take("[["):
			table = f.header(true)
			f.take("]]")
		case f.take("["):
			table = f.header(false)
			f.take("]")
		default:
			f.keyValue(table)
		}
	}
	return f.at
}

type finder struct {
	rest  string
	line  int
	at    map[string]int
	count map[string]int // elements so far of each [[list]]
}

// skip drops n octets and counts the lines in them.
func (f *finder) skip(n int) {
	f.line += strings.Count(f.rest[:n], "\n")
	f.rest = f.rest[n:]
}

func (f *finder) take(prefix string) bool {
	if !strings.HasPrefix(f.rest, prefix) {
		return false
	}
	f.skip(len(prefix))
	return true
}

// skipSpace drops blanks, line ends and comments.
func (f *finder) skipSpace() {
	for {
		f.skip(len(f.rest) - len(strings.TrimLeft(f.rest, " \t\r\n")))
		if !strings.HasPrefix(f.rest, "#") {
			return
		}
		f.skip(endOf(f.rest, "\n"))
	}
}

// endOf is the index of the first of the given octets in s, or the length of s.
func endOf(s, any string) int {
	if i := strings.IndexAny(s, any); i >= 0 {
		return i
	}
	return len(s)
}

// mark notes the line of a path unless it was seen before: a table may be named by its first sub-table.
func (f *finder) mark(path string, line int) {
	if f.at[path] == 0 {
		f.at[path] = line
	}
}

// header reads the keys of [a.b] or [[a.b]] and returns the table's path. A step through a list means its last element.
func (f *finder) header(list bool) (path string) {
	line, keys := f.line, f.dottedKey()
	for i, key := range keys {
		path = join(path, key)
		f.mark(path, line)
		if list && i == len(keys)-1 {
			f.count[path]++
		}
		if n := f.count[path]; n > 0 {
			path = element(path, n-1)
			f.mark(path, line)
		}
	}
	return path
}

// keyValue reads one "key = value" in a table.
func (f *finder) keyValue(table string) {
	line, path := f.line, table
	keys := f.dottedKey()
	for _, key := range keys {
		path = join(path, key)
		f.mark(path, line)
	}
	f.skipBlanks()
	if f.take("=") {
		f.value(path)
	} else if len(keys) == 0 && f.rest != "" {
		f.skip(1) // not TOML; go on
	}
}

func (f *finder) skipBlanks() { f.skip(len(f.rest) - len(strings.TrimLeft(f.rest, " \t"))) }

// dottedKey reads a.b."c d" up to what follows it.
func (f *finder) dottedKey() (keys []string) {
	for {
		f.skipBlanks()
		switch {
		case strings.HasPrefix(f.rest, `"`), strings.HasPrefix(f.rest, "'"):
			keys = append(keys, f.quoted())
		default:
			n := 0
			for n < len(f.rest) && f.rest[n] < utf8.RuneSelf && isBare(rune(f.rest[n])) {
				n++
			}
			if n == 0 {
				return keys
			}
			keys = append(keys, f.rest[:n])
			f.skip(n)
		}
		f.skipBlanks()
		if !f.take(".") {
			return keys
		}
	}
}
