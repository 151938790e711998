package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The part of HOCON that configurations are written in: objects with or without braces at the root, lists, dotted keys, "=", ":" or nothing before an
// object, texts in quotes, in three quotes or bare, comments with # and //, commas or line ends between elements. Substitutions and includes are
// read as text: what they stand for is not in the file.

// A hoconValue is a text, a list or an object.
type hoconValue struct {
	line   int
	text   string
	list   []hoconValue
	fields []hoconField
}

type hoconField struct {
	key   string
	value hoconValue
}

// hoconDepth bounds how deep objects and lists stand in each other.
const hoconDepth = 64

var errDeep = errors.New("objects and lists stand too deep in each other")

// parseHOCON reads a whole file.
func parseHOCON(data []byte) (hoconValue, error) {
	p := &hoconParser{rest: strings.TrimPrefix(string(data), "\ufeff"), line: 1}
	p.space()
	braces := p.take("{")
	v, err := p.object(braces, 0)
	if err != nil {
		return v, fmt.Errorf("line %d: %w", p.line, err)
	}
	if p.space(); p.rest != "" {
		return v, fmt.Errorf("line %d: something follows the last brace", p.line)
	}
	return v, nil
}

// at yields everything that stands at a path, in order: later ones override earlier ones, or add to them.
func (v hoconValue) at(path ...string) []hoconValue {
	if len(path) == 0 {
		return []hoconValue{v}
	}
	var found []hoconValue
	for _, f := range v.fields {
		if f.key == path[0] {
			found = append(found, f.value.at(path[1:]...)...)
		}
	}
	return found
}

type hoconParser struct {
	rest string
	line int
}

func (p *hoconParser) skip(n int) string {
	s := p.rest[:n]
	p.line += strings.Count(s, "\n")
	p.rest = p.rest[n:]
	return s
}

func (p *hoconParser) take(s string) bool {
	if !strings.HasPrefix(p.rest, s) {
		return false
	}
	p.skip(len(s))
	return true
}

// space drops blanks, line ends, commas and comments; it reports whether one of them ends an element.
func (p *hoconParser) space() {
	for {
		p.skip(len(p.rest) - len(strings.TrimLeft(p.rest, " \t\r\n,")))
		if !strings.HasPrefix(p.rest, "#") && !strings.HasPrefix(p.rest, "//") {
			return
		}
		p.skip(lineEnd(p.rest))
	}
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// object reads fields up to the closing brace, or up to the end of the file.
func (p *hoconParser) object(braces bool, depth int) (hoconValue, error) {
	v := hoconValue{line: p.line}
	if depth > hoconDepth {
		return v, errDeep
	}
	for {
		p.space()
		switch {
		case p.rest == "" && braces:
			return v, errors.New("a brace is not closed")
		case p.rest == "":
			return v, nil
		case braces && p.take("}"):
			return v, nil
		}
		f, err := p.field(depth)
		if err != nil {
			return v, err
		}
		v.fields = append(v.fields, f)
	}
}

// field reads key = value, key : value, key += value or key { … }. A dotted key is objects in each other.
func (p *hoconParser) field(depth int) (hoconField, error) {
	line := p.line
	keys, err := p.key()
	if err != nil {
		return hoconField{}, err
	}
	p.blanks()
	_ = p.take("+=") || p.take("=") || p.take(":")
	for p.blanks(); strings.HasPrefix(p.rest, "\n") || strings.HasPrefix(p.rest, "\r"); p.blanks() {
		p.skip(1)
	}
	v, err := p.value(depth + 1)
	if err != nil {
		return hoconField{}, err
	}
	last := len(keys) - 1
	for i := last; i > 0; i-- {
		v = hoconValue{line: line, fields: []hoconField{{keys[i], v}}}
	}
	return hoconField{keys[0], v}, nil
}

func (p *hoconParser) blanks() { p.skip(len(p.rest) - len(strings.TrimLeft(p.rest, " \t"))) }

// key reads a.b."c d".
func (p *hoconParser) key() (path []string, err error) {
	for {
		p.blanks()
		switch {
		case strings.HasPrefix(p.rest, `"`):
			s, err := p.quoted()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
		default:
			n := strings.IndexAny(p.rest, ".=:{}[],+#\"\\ \t\r\n")
			if n < 0 {
				n = len(p.rest)
			}
			if n == 0 {
				return nil, errors.New("a key is missing")
			}
			path = append(path, p.skip(n))
		}
		if len(path) > hoconDepth {
			return nil, errDeep
		}
		if !p.take(".") {
			return path, nil
		}
	}
}

func (p *hoconParser) value(depth int) (hoconValue, error) {
	v := hoconValue{line: p.line}
	switch {
	case depth > hoconDepth:
		return v, errDeep
	case p.take("{"):
		return p.object(true, depth)
	case p.take("["):
		for {
			p.space()
			if p.take("]") {
				return v, nil
			}
			if p.rest == "" {
				return v, errors.New("a list is not closed")
			}
			e, err := p.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.list = append(v.list, e)
		}
	}
	var err error
	v.text, err = p.text()
	return v, err
}

// text reads quoted and bare pieces up to the end of the element.
func (p *hoconParser) text() (string, error) {
	var b strings.Builder
	read := len(p.rest)
	for {
		n := strings.IndexAny(p.rest, "\",{}[]\r\n#/")
		if n < 0 {
			n = len(p.rest)
		}
		if strings.HasPrefix(p.rest[n:], "/") && !strings.HasPrefix(p.rest[n:], "//") {
			n++ // a slash is a letter
			b.WriteString(p.skip(n))
			continue
		}
		b.WriteString(p.skip(n))
		if !strings.HasPrefix(p.rest, `"`) {
			break
		}
		s, err := p.quoted()
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	if len(p.rest) == read {
		return "", errors.New("a value is missing")
	}
	return strings.TrimSpace(b.String()), nil
}

// quoted reads "…" with JSON's escapes, or """…""" as it stands.
func (p *hoconParser) quoted() (string, error) {
	if p.take(`"""`) {
		end := strings.Index(p.rest, `"""`)
		if end < 0 {
			return "", errors.New("three quotation marks are not closed")
		}
		s := p.skip(end)
		p.skip(3)
		return s, nil
	}
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '"':
			var text string
			if json.Unmarshal([]byte(p.rest[:i+1]), &text) != nil {
				return "", errors.New("a text in quotation marks is not written as in JSON")
			}
			p.skip(i + 1)
			return text, nil
		case '\n':
			return "", errors.New("a quotation mark is not closed")
		case '\\':
			i++
		}
	}
	return "", errors.New("a quotation mark is not closed")
}
