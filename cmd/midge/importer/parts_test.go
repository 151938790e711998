package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestIncludeOrder has the example of mosquitto.conf's manual page, and what it does not say.
func TestIncludeOrder(t *testing.T) {
	names := []string{"b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf", "ab.conf", "Ac.conf"}
	want := []string{"00.conf", "01.conf", "A.conf", "Ac.conf", "a.conf", "ab.conf", "B.conf", "b.conf"}
	slices.SortFunc(names, compareNames)
	if !slices.Equal(names, want) {
		t.Errorf("files are included octet by octet without regard to case, capitals first: got %v, want %v", names, want)
	}
}

// TestIncludedFilesBeginAfresh: what an included file says of a listener is about its own, and the main file goes on with its own.
func TestIncludedFilesBeginAfresh(t *testing.T) {
	files := map[string]string{
		"main.conf":   "listener 1884 127.0.0.1\nallow_anonymous true\ninclude_dir more\nsocket_domain ipv4\nmax_connections 7\n",
		"more/a.conf": "listener 1885 127.0.0.1\ninclude_dir more\n",
		"more/b.conf": "tls_version tlsv1.3\nbridge_cafile x\n",
	}
	d := disk{
		read: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
		list: func(string) ([]string, error) { return []string{"b.conf", "a.conf"}, nil },
	}
	r, err := fileOn(d, "main.conf", "box")
	if err != nil {
		t.Fatal(err)
	}
	var report []string
	for _, l := range r.Left {
		report = append(report, fmt.Sprintf("%s:%d", l.File, l.Line))
	}
	for _, line := range []string{"more/a.conf:2", "more/b.conf:2"} {
		if !slices.Contains(report, line) {
			t.Errorf("only the main file includes others, and a bridge's option needs a connection in its own file: %s is reported, got %v", line, report)
		}
	}
	if n := strings.Count(r.TOML, "[[listener]]"); n != 2 {
		t.Errorf("an option without a listener makes none: there are 2, not %d, in\n%s", n, r.TOML)
	}
}

func TestNumbersAsInC(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "-1": -1, "+7": 7, "0x75b": 1883, "0X75B": 1883, "010": 8, "65535": 65535} {
		if got, err := parseNumber(text); got != want || err != nil {
			t.Errorf("%s is %d, not %d (%v)", text, want, got, err)
		}
	}
	for _, text := range []string{"", "1_000", "0b1", "0o7", "-0b1", "1.5", "ten", "0x", "9223372036854775808", " 1"} {
		if got, err := parseNumber(text); err == nil {
			t.Errorf("%q is no number, not %d", text, got)
		}
	}
}

func TestSpans(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"1s": time.Second, "2h": 2 * time.Hour, "14d": 14 * day, "3w": 21 * day, "2m": 60 * day, "1y": 365 * day} {
		if got, ok := parseSpan(text); got != want || !ok {
			t.Errorf("%s is %v, not %v (%v)", text, want, got, ok)
		}
	}
	for _, text := range []string{"", "d", "14", "0d", "-1d", "1x", "1.5d", "999999999y", "1 d"} {
		if got, ok := parseSpan(text); ok {
			t.Errorf("%q is no span, not %v", text, got)
		}
	}
}

// TestBridgeLines has the rows of mosquitto.conf's manual page, and what its words do not tell.
func TestBridgeLines(t *testing.T) {
	for _, row := range []struct{ line, local, remote, ways string }{
		{"pattern", "pattern", "pattern", "out 0"},
		{"pattern OUT 2", "pattern", "pattern", "out 2"},
		{"pattern in 1 L/ R/", "L/pattern", "R/pattern", "in 1"},
		{`pattern both 1 L/ ""`, "L/pattern", "pattern", "out in 1"},
		{`pattern out 0 "" R/`, "pattern", "R/pattern", "out 0"},
		{`pattern out 0 "" ""`, "pattern", "pattern", "out 0"},
		{`"" out 0 local remote`, "local", "remote", "out 0"},
		{`pattern in 0 L/`, "L/pattern", "pattern", "in 0"},
		{"pattern out 1 L/ R/ # why", "L/pattern", "R/pattern", "out 1"},
		{"# out 0", "#", "#", "out 0"},
		{"pattern\tout 1", "pattern", "pattern", "out 1"},
		{`"two words" out 1 l/ r/`, "l/two words", "r/two words", "out 1"},
		{`"" out 0 local ""`, "", "", "an empty topic needs a prefix here and one there"},
		{`"" out 0 "" remote`, "", "", "an empty topic needs a prefix here and one there"},
		{`"" out 0 "" ""`, "", "", "an empty topic needs a prefix here and one there"},
		{"pattern across", "", "", `"across" is not one of out, in, both`},
		{"pattern out high", "", "", `"high" is no QoS from 0 to 2`},
		{"pattern out 0 L/# R/", "", "", "a prefix holds a wildcard, which belongs into the topic"},
	} {
		l, err := parseBridgeLine(directive{rest: row.line})
		if err != nil {
			if err.Error() != row.ways {
				t.Errorf("topic %s: %v; want %s", row.line, err, row.ways)
			}
			continue
		}
		var ways []string
		if l.out {
			ways = append(ways, "out")
		}
		if l.in {
			ways = append(ways, "in")
		}
		got := []string{l.local + l.pattern, l.remote + l.pattern, fmt.Sprint(strings.Join(ways, " "), " ", l.qos)}
		if want := []string{row.local, row.remote, row.ways}; !slices.Equal(got, want) {
			t.Errorf("topic %s joins %v, not %v", row.line, want, got)
		}
	}
}

func TestHOCON(t *testing.T) {
	for text, want := range map[string]string{
		"a.b.c = 1":                        "1",
		"a { b { c : x } }":                "x",
		"{a: {b: {\"c\": \"x\\\"y\"}}}":    `x"y`,
		"a.b { c = one two # no\n }":       "one two",
		"a.b.c = /x//no":                   "/x",
		"a.b.c = \"\"\"q\"q\"\"\"":         `q"q`,
		"a.b.c =\n  later":                 "later",
		"a.b.c = 1\na { b.c = 2 }":         "1 2",
		"a.b { c = [1, 2\n 3] }":           "[1 2 3]",
		"# a.b.c = 1\n// x\na.b.c = /x y/": "/x y/",
		"a.b = [{c = 1}]":                  "",
	} {
		root, err := parseHOCON([]byte(text))
		if err != nil {
			t.Errorf("%q is HOCON: %v", text, err)
			continue
		}
		var got []string
		for _, v := range root.at("a", "b", "c") {
			got = append(got, v.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q has %q at a.b.c, not %q", text, want, got)
		}
	}
	for _, text := range []string{"a", "a = ", "a = {", "a = [1", "a = \"x", "a = \"\"\"x\"\"", "{a = 1} b", "= 1", strings.Repeat("a{", 100), strings.Repeat("a.", 100) + "b = 1", strings.Repeat("[", 5)} {
		if _, err := parseHOCON([]byte(text)); err == nil {
			t.Errorf("%.40q is refused", text)
		}
	}
}

// String is the value as this test writes it.
func (v hoconValue) String() string {
	if v.list != nil {
		return fmt.Sprint(v.list)
	}
	return v.text
}

// TestRecognition: what a file is, its content tells.
func TestRecognition(t *testing.T) {
	for text, want := range map[string]string{
		"listener 1883":           "mosquitto.conf",
		"# nothing\n":             "mosquitto.conf",
		"foo\nlistener 1\nbar\n":  "mosquitto.conf",
		"*,a/b, 1":                "Paho",
		"\"*\":\n  1: a\n":        "bisquitt",
		"gateway.mqttsn { x = 1}": "EMQX",
		"mqtt.sn.port = 1":        "EMQX",
		`{"name":"mqttsn","x":1}`: "EMQX",
		"one two\nthree four\n":   "",
		"{\"json\": true}":        "",
		"\x00listener 1883":       "",
		"listener: 1883":          "",
	} {
		f, err := recognise("x.conf", []byte(text))
		if want == "" {
			if !errors.Is(err, errUnknownFormat) {
				t.Errorf("%q is nothing that can be imported, not %s", text, f.name)
			}
		} else if !strings.HasPrefix(f.name, want) {
			t.Errorf("%q is recognised as %s, not as %q (%v)", text, want, f.name, err)
		}
	}
}

// TestLongReportsEnd: a file that is no configuration must not fill a disk.
func TestLongReportsEnd(t *testing.T) {
	data := []byte(strings.Repeat("listener x\n", 10*leftMax))
	r, err := fileOn(memory(data), "main.conf", "box")
	if err != nil || len(r.Left) != leftMax+1 {
		t.Errorf("a report has at most %d lines and one that says so, not %d (%v)", leftMax, len(r.Left), err)
	}
}
