package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// sizeMax bounds a configuration file in octets: far above any real one, so that a wrong path is not read to its end.
const sizeMax = 1 << 20

// Load reads, decodes and validates a file. Errors are those of Parse, or say that the file cannot be read.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse decodes and validates the text of a file; name stands in front of every problem. The error joins all problems
// found, one Problem and one line each, sorted by line. Text that is not TOML is one problem, the first one met.
func Parse(name string, data []byte) (*Config, error) {
	ps := &problems{src: source{file: name}}
	if len(data) > sizeMax {
		ps.addf("", "is longer than %d octets, which no configuration is", sizeMax)
		return nil, ps.err()
	}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		ps.list = append(ps.list, grammarProblem(name, err))
		return nil, ps.err()
	}
	c := Default()
	c.src = source{file: name, at: findLines(string(data))}
	ps.src = c.src
	decoder{ps}.table("", "", tree, reflect.ValueOf(c).Elem())
	ps.addUnblamed(c.check())
	if err := ps.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// grammarProblem makes the library's error one of ours.
func grammarProblem(name string, err error) Problem {
	var pe toml.ParseError
	if errors.As(err, &pe) {
		return Problem{File: name, Line: pe.Position.Line, Text: "this is not TOML: " + oneLine(pe.Message)}
	}
	return Problem{File: name, Text: "this is not TOML: " + oneLine(err.Error())}
}

// oneLine writes control characters, which the library quotes from the text as they are, as escapes.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7F {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// A decoder puts the library's generic tree into the structs. What does not fit is a problem and leaves the default.
type decoder struct{ *problems }

// table decodes one table. The path names it in the file, the name is how a user writes it: "gateway.predefined".
func (d decoder) table(path, name string, tree map[string]any, into reflect.Value) {
	for key, value := range tree {
		if field, ok := fieldOf(into, key); ok {
			d.value(join(path, key), join(name, key), value, field)
		} else {
			d.unknown(join(path, key), name, key, value, into.Type())
		}
	}
}

// value decodes whatever stands at path into a field.
func (d decoder) value(path, name string, value any, into reflect.Value) {
	if text, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(path, name, value, text)
		return
	}
	switch into.Kind() {
	case reflect.Pointer: // nil tells a key that is left out from one that says its zero
		into.Set(reflect.New(into.Type().Elem()))
		d.value(path, name, value, into.Elem())
	case reflect.Struct:
		d.singleTable(path, name, value, into)
	case reflect.Slice:
		d.list(path, name, value, into)
	case reflect.String:
		if s, ok := value.(string); ok {
			into.SetString(s)
		} else {
			d.wrongType(path, name, "text in quotes", value)
		}
	case reflect.Bool:
		if b, ok := value.(bool); ok {
			into.SetBool(b)
		} else {
			d.wrongType(path, name, "true or false", value)
		}
	case reflect.Float64:
		d.number(path, name, value, into)
	default:
		d.integer(path, name, value, into)
	}
}

func (d decoder) number(path, name string, value any, into reflect.Value) {
	switch n := value.(type) {
	case int64:
		into.SetFloat(float64(n))
	case float64:
		into.SetFloat(n)
	default:
		d.wrongType(path, name, "a number", value)
	}
}

func (d decoder) integer(path, name string, value any, into reflect.Value) {
	n, ok := value.(int64)
	switch {
	case !ok:
		d.wrongType(path, name, "a whole number", value)
	case into.CanInt():
		if into.OverflowInt(n) {
			d.addf(path, "%s = %d is out of range", shown(name), n)
			return
		}
		into.SetInt(n)
	case n < 0 || into.OverflowUint(uint64(n)):
		d.addf(path, "%s = %d is out of range; the largest value is %d", shown(name), n, uint64(1)<<into.Type().Bits()-1)
	default:
		into.SetUint(uint64(n))
	}
}

func (d decoder) text(path, name string, value any, into encoding.TextUnmarshaler) {
	s, ok := value.(string)
	want := `a duration in quotes, such as "15m"`
	if _, size := into.(*Size); size {
		want = `a size, such as "64MiB" or 65536`
		if n, number := value.(int64); number && n >= 0 {
			s, ok = strconv.FormatInt(n, 10), true
		}
	}
	if !ok {
		d.wrongType(path, name, want, value)
	} else if err := into.UnmarshalText([]byte(s)); err != nil {
		d.addf(path, "%s: %v", shown(name), err)
	}
}

func (d decoder) singleTable(path, name string, value any, into reflect.Value) {
	switch tree := value.(type) {
	case map[string]any:
		d.table(path, name, tree, into)
	case []map[string]any:
		d.addf(path, "[[%s]] must be written [%s]: there is only one", name, name)
	default:
		d.addf(path, "%s must be a table [%s], not %s", name, name, typeName(value))
	}
}

// list decodes a list of texts or a list of tables; what it says replaces the default list.
func (d decoder) list(path, name string, value any, into reflect.Value) {
	items := reflect.ValueOf(value)
	tables := into.Type().Elem().Kind() == reflect.Struct
	switch {
	case items.Kind() == reflect.Map && tables:
		d.addf(path, "[%s] must be written [[%s]]: there may be several", name, name)
		return
	case items.Kind() != reflect.Slice && tables:
		d.addf(path, "%s must be written as tables [[%s]], not as %s", name, name, typeName(value))
		return
	case items.Kind() != reflect.Slice:
		d.wrongType(path, name, `a list such as ["a", "b"]`, value)
		return
	}
	if items.Len() == 0 {
		into.SetZero() // a written empty list is the same as none
		return
	}
	list := reflect.MakeSlice(into.Type(), items.Len(), items.Len())
	for i := range items.Len() {
		d.item(element(path, i), name, items.Index(i).Interface(), list.Index(i))
	}
	into.Set(list)
}

func (d decoder) item(path, name string, value any, into reflect.Value) {
	if def, ok := into.Addr().Interface().(interface{ setDefaults() }); ok {
		def.setDefaults()
	}
	d.value(path, name, value, into)
}

func (d decoder) wrongType(path, name, want string, got any) {
	d.addf(path, "%s must be %s, not %s", shown(name), want, typeName(got))
}

// typeName is what a user calls a TOML value.
func typeName(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("the text %q", v)
	case bool:
		return fmt.Sprint(v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case map[string]any:
		return "a table"
	case []map[string]any, []any:
		return "a list"
	}
	return "a date or time"
}
