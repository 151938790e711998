package importer

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// A directive is one line of mosquitto.conf.
type directive struct {
	file string
	line int
	key  string // the option
	rest string // its value: the rest of the line without blanks around it
	at   int    // how many were read before it, in all files
}

// words are the parts of the value.
func (d directive) words() []string { return strings.Fields(d.rest) }

// first is the first word of the value: numbers, booleans and names end there, whatever follows.
func (d directive) first() string {
	if w := d.words(); len(w) > 0 {
		return w[0]
	}
	return ""
}

// directives reads the lines of a text. Lines that begin with # are comments; Mosquitto knows no comment after a value.
func directives(file string, data []byte) []directive {
	var list []directive
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		n++
		line = strings.TrimSpace(line)
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		if line != "" && line[0] != '#' {
			list = append(list, directive{file: file, line: n, key: line[:end], rest: strings.TrimSpace(line[end:])})
		}
	}
	return list
}

// includesMax bounds the files that one include_dir gives.
const includesMax = 1000

// included lists the files that include_dir names, in Mosquitto's order.
func (c *conf) included(d directive) []string {
	names, err := c.list(d.rest)
	if err != nil {
		c.lose(d, "the directory cannot be read: "+err.Error())
		return nil
	}
	names = slices.DeleteFunc(names, func(n string) bool { return len(n) <= len(".conf") || !strings.HasSuffix(n, ".conf") })
	slices.SortFunc(names, compareNames)
	if len(names) > includesMax {
		c.lose(d, "more files than anybody has; those after the first thousand are not read")
		names = names[:includesMax]
	}
	for i, n := range names {
		names[i] = filepath.Join(d.rest, n)
	}
	return names
}

// compareNames compares octet by octet: first without regard to case, then capitals first.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(upper(a[i]), upper(b[i])); c != 0 {
			return c
		}
		if c := cmp.Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
