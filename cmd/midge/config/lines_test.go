package config

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestFindLines(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       map[string]int
	}{
		{"tables", "# c\n\n[a]\nb = 1\n  [c.d] # e\n\tf = 2", map[string]int{"a": 3, "a.b": 4, "c": 5, "c.d": 5, "c.d.f": 6}},
		{"lists of tables", "[[a]]\nb = 1\n[[a]]\nb = 2\n[[a.c]]\nd = 1\n[[a.c]]\nd = 2\n[a.e]\nf = 1", map[string]int{
			"a": 1, "a[0]": 1, "a[0].b": 2, "a[1]": 3, "a[1].b": 4, "a[1].c": 5, "a[1].c[0]": 5, "a[1].c[0].d": 6,
			"a[1].c[1]": 7, "a[1].c[1].d": 8, "a[1].e": 9, "a[1].e.f": 10}},
		{"dotted and quoted keys", "a . b = 1\n\"c d\".'e.f' = 2\n\"g\\u0041\" = 3", map[string]int{
			"a": 1, "a.b": 1, `"c d"`: 2, `"c d"."e.f"`: 2, "gA": 3}},
		{"inline", "a = {b = 1, c = [2, {d = 3}]}\ne = 4", map[string]int{
			"a": 1, "a.b": 1, "a.c": 1, "a.c[0]": 1, "a.c[1]": 1, "a.c[1].d": 1, "e": 2}},
		{"list over lines", "a = [ # x = 1\n  1,\n  # b = 2\n  [\"]\", '['],\n]\nc = 1", map[string]int{
			"a": 1, "a[0]": 2, "a[1]": 4, "a[1][0]": 4, "a[1][1]": 4, "c": 6}},
		{"strings that look like keys", "a = \"\"\"\nb = 1\n\\\"\"\"\n\"\"\"\"\"\nc = '''\n[d]\n'''\ne = \"\\\"# \"\nf = '\\'\ng = 1", map[string]int{
			"a": 1, "c": 5, "e": 8, "f": 9, "g": 10}},
		{"line ends of other systems", "\ufeffa = 1\r\n[b]\r\nc = true\r\n", map[string]int{"a": 1, "b": 2, "b.c": 3}},
		{"empty", "", map[string]int{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var tree any
			if _, err := toml.Decode(row.text, &tree); err != nil {
				t.Fatalf("the text of the row is TOML, but: %v", err)
			}
			if got := findLines(row.text); !maps.Equal(got, row.want) {
				t.Errorf("the keys stand on the lines\n%v\nbut were found on\n%v", row.want, got)
			}
		})
	}
}

func TestLineOfWhatIsNotWritten(t *testing.T) {
	s := source{at: findLines("\n[[link]]\nname = \"a\"\n[[link]]\n")}
	for path, want := range map[string]int{"link[0].name": 3, "link[1].name": 4, "link[1].groups[3]": 4, "link[7]": 2, "http.address": 0, "": 0} {
		if got := s.line(path); got != want {
			t.Errorf("a problem with %q is shown at line %d, the nearest that is written; got %d", path, want, got)
		}
	}
}

// FuzzParse: no text brings the parser down, every problem is one line, and the line finder sees every key that the
// library sees.
func FuzzParse(f *testing.F) {
	f.Add("[[link]]\nname = \"a\"\ntype = \"serial\"\ndevice = \"/dev/ttyUSB0\"\nbauds = 9600\n")
	f.Add("link = [{name = 'a', groups = [\"225.1.1.1\"]}]\ngateway.id = 3\n[store]\ncommit_interval = \"1s\"")
	f.Add("[[bridge]]\nname = \"c\"\naddress = \"mqtt://u\"\n[[bridge.topic]]\nfilter = \"#\"\nqos = 2\n[[bridge.topic]]\nfilter = '#'")
	f.Add("a = \"\"\"\n\\\"\"\"\"\"\"\nb = [1, [2], {c = 1979-05-27}]\n\"d e\".f = inf")
	f.Add("[gateway]\npredefined = []\nadvertise_interval = \"1e9h\"\nid = -1\n[[]]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", []byte(text))
		if (c == nil) == (err == nil) {
			t.Fatalf("a text is a Config or an error, got %v and %v", c, err)
		}
		if err != nil {
			onlyLines(t, err)
		}
		if c != nil && c.Validate() != nil {
			t.Errorf("what Parse accepts, Validate accepts, but: %v", c.Validate())
		}
		if c != nil {
			if err := c.Describe(&strings.Builder{}); err != nil {
				t.Error(err)
			}
		}
		seesEveryKey(t, text)
	})
}

func onlyLines(t *testing.T, err error) {
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		if p, ok := e.(Problem); !ok || strings.Contains(p.Text, "\n") || p.Text == "" {
			t.Errorf("a problem is one sentence on one line, got %q", e)
		}
	}
}

func seesEveryKey(t *testing.T, text string) {
	var tree map[string]any
	meta, err := toml.Decode(text, &tree)
	if err != nil || strings.Contains(text, `\`) { // TOML has escapes that the finder leaves as they are
		return
	}
	found := slices.Collect(maps.Keys(findLines(text)))
	for _, key := range meta.Keys() {
		path := ""
		for _, k := range key {
			path = join(path, k)
		}
		if strings.Contains(path, "[") { // an index and a quoted bracket look alike here
			continue
		}
		if !slices.ContainsFunc(found, func(p string) bool { return !strings.Contains(p, "\"[") && stripped(p) == path }) {
			t.Errorf("the finder knows the line of %s, but found only %q", path, found)
		}
	}
}

// stripped takes the indexes out of any path.
func stripped(path string) string {
	out, depth := []byte{}, 0
	for _, c := range []byte(path) {
		switch {
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case depth == 0:
			out = append(out, c)
		}
	}
	return string(out)
}
