package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// wantProblems parses the text and compares the whole error text, line by line.
func wantProblems(t *testing.T, text string, want ...string) {
	t.Helper()
	_, err := Parse("config.toml", []byte(text))
	got := ""
	if err != nil {
		got = err.Error()
	}
	if all := strings.Join(want, "\n"); got != all {
		t.Errorf("the user is told\n\t%s\nbut was told\n\t%s\nabout\n%s", strings.ReplaceAll(all, "\n", "\n\t"), strings.ReplaceAll(got, "\n", "\n\t"), text)
	}
}

func TestProblems(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"mistyped key", "[[link]]\nname = \"a\"\ntype = \"serial\"\ndevice = \"/dev/ttyUSB0\"\nbauds = 9600", []string{
			`config.toml:5: [link] has no key "bauds"; did you mean "baud"?`}},
		{"a wrong case is a wrong key", "[node]\nID = \"a\"", []string{
			`config.toml:2: [node] has no key "ID"; did you mean "id"?`}},
		{"mistyped table", "[nod]\nid = \"a\"", []string{
			`config.toml:1: there is no table [nod]; did you mean [node]?`}},
		{"mistyped list of tables", "[log]\n\n[[lnik]]\nname = \"a\"", []string{
			`config.toml:3: there is no table [lnik]; did you mean [link]?`}},
		{"sub-table at the top", "[[predefined]]\nid = 2", []string{
			`config.toml:1: there is no table [predefined]; did you mean [gateway.predefined]?`}},
		{"foreign table", "[mqtt]", []string{
			`config.toml:1: there is no table [mqtt]; the tables are [node], [log], [listener], [auth], [link], [gateway], [bridge], [limits], [store], [http]`}},
		{"key of another table", "[[listener]]\naddress = \"127.0.0.1:1\"\nbaud = 9600", []string{
			`config.toml:3: [listener] has no key "baud"; it belongs to [link]`}},
		{"key without a table", "data_dir = \"x\"\n", []string{
			`config.toml:1: the part above the first table has no key "data_dir"; it belongs to [node]`}},
		{"unknown key without a neighbour", "[log]\ncolours = true", []string{
			`config.toml:2: [log] has no key "colours"; its keys are level, format, topic`}},
		{"number for text", "[node]\nid = 7", []string{
			`config.toml:2: [node] id must be text in quotes, not the number 7`}},
		{"text for number", "[gateway]\nid = \"1\"", []string{
			`config.toml:2: [gateway] id must be a whole number, not the text "1"`}},
		{"fraction for number", "[gateway]\nid = 1.5", []string{
			`config.toml:2: [gateway] id must be a whole number, not the number 1.5`}},
		{"text for boolean", "[http]\npublic = \"yes\"", []string{
			`config.toml:2: [http] public must be true or false, not the text "yes"`}},
		{"number for duration", "[gateway]\nadvertise_interval = 900", []string{
			`config.toml:2: [gateway] advertise_interval must be a duration in quotes, such as "15m", not the number 900`}},
		{"bad duration", "[store]\ncommit_interval = \"5 min\"", []string{
			`config.toml:2: [store] commit_interval: "5 min" is not a duration; write for example "30s", "15m" or "1h30m"`}},
		{"negative duration", "[store]\ncommit_interval = \"-1s\"", []string{
			`config.toml:2: [store] commit_interval: "-1s" is not a duration; write for example "30s", "15m" or "1h30m"`}},
		{"number too large", "[gateway]\nid = 256", []string{
			`config.toml:2: [gateway] id = 256 is out of range; the largest value is 255`}},
		{"text for list", "[[link]]\nname = \"a\"\ntype = \"udp\"\naddress = \"127.0.0.1:1\"\ngroups = \"225.1.1.1\"", []string{
			`config.toml:5: [link] groups must be a list such as ["a", "b"], not the text "225.1.1.1"`}},
		{"number in list", "[[link]]\nname = \"a\"\ntype = \"udp\"\naddress = \"127.0.0.1:1\"\ngroups = [\n  \"225.1.1.1\",\n  7]", []string{
			`config.toml:7: [link] groups must be text in quotes, not the number 7`}},
		{"one bracket for a list", "[link]\nname = \"a\"", []string{
			`config.toml:1: [link] must be written [[link]]: there may be several`}},
		{"two brackets for one", "[[node]]\nid = \"a\"", []string{
			`config.toml:1: [[node]] must be written [node]: there is only one`}},
		{"text for a table", "node = \"a\"\nlink = 5", []string{
			`config.toml:1: node must be a table [node], not the text "a"`,
			`config.toml:2: link must be written as tables [[link]], not as the number 5`}},
		{"not TOML", "[node]\nid = \n", []string{
			`config.toml:2: this is not TOML: expected value but found '\n' instead`}},
		{"key twice", "[node]\nid = \"a\"\nid = \"b\"", []string{
			`config.toml:3: this is not TOML: Key 'node.id' has already been defined.`}},
		{"everything at once, by line", "[nod]\n[http]\npublic = 1\n[log]\nlevel = \"inof\"\nformat = \"xml\"", []string{
			`config.toml:1: there is no table [nod]; did you mean [node]?`,
			`config.toml:3: [http] public must be true or false, not the number 1`,
			`config.toml:5: [log] level = "inof" is unknown; did you mean "info"?`,
			`config.toml:6: [log] format = "xml" is unknown; it is one of text, json`}},
		{"one cause, one sentence", "[[listener]]\nadress = \"127.0.0.1:1\"", []string{
			`config.toml:2: [listener] has no key "adress"; did you mean "address"?`}},
	} {
		t.Run(row.name, func(t *testing.T) { wantProblems(t, row.text, row.want...) })
	}
}

func TestParseValues(t *testing.T) {
	c, err := Parse("config.toml", []byte(`listener = []
[gateway]
id = 255
advertise_interval = "1h30m"
predefined = [{id = 7, topic = "a/b"}, {client = "valve7", id = 7, topic = "c"}]
[[link]]
name = "a"
type = "udp"
address = "[::1]:1884"
mtu = 255
[[link]]
name = "b"
type = "serial"
device = "/dev/ttyS0"
framing = "hdlc"
retry_interval = "2500ms"
[[bridge]]
name = "cloud"
address = "mqtt://upstream"
[[bridge.topic]]
filter = "a/#"
qos = 2
[[bridge.topic]]
filter = "b/+"
direction = "both"
`))
	if err != nil {
		t.Fatal(err)
	}
	check := func(ok bool, sentence string) {
		t.Helper()
		if !ok {
			t.Errorf("%s; got %+v", sentence, c)
		}
	}
	check(len(c.Listeners) == 0, "an empty list of listeners means none")
	check(c.Gateway.ID == 255, "the gateway id is what the file says")
	check(c.Gateway.AdvertiseInterval.Duration == 90*time.Minute, "1h30m is ninety minutes")
	check(c.Gateway.QoSMinusOne, "a key that is not written keeps its default")
	check(len(c.Gateway.Predefined) == 2, "a list that the file writes replaces the default list")
	check(c.Gateway.Predefined[0].Client == "*", "a predefined topic is for every client unless it says otherwise")
	check(len(c.Links) == 2 && c.Links[0].MTU == 255, "each [[link]] is one link")
	check(c.Links[1].Framing == "hdlc" && c.Links[1].Speed() == 115200, "the second link has its own keys and defaults")
	check(c.Links[1].RetryInterval.Duration == 2500*time.Millisecond, "2500ms is two and a half seconds")
	check(c.Bridges[0].MaxInflight == 20, "a bridge starts with its defaults")
	check(len(c.Bridges[0].Topics) == 2, "each [[bridge.topic]] belongs to the bridge above it")
	check(c.Bridges[0].Topics[0].QoS == 2 && !c.Bridges[0].Topics[0].In(), "a topic goes out unless it says otherwise")
	check(c.Bridges[0].Topics[1].In() && c.Bridges[0].Topics[1].Out(), "both is in and out")
}

func TestLoadNamesAMissingFile(t *testing.T) {
	path := t.TempDir() + "/none.toml"
	_, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is not there is an fs.ErrNotExist that names it, got %v", err)
	}
}

func TestTooLongAFile(t *testing.T) {
	wantProblems(t, strings.Repeat("\n", sizeMax+1), "config.toml: is longer than 1048576 octets, which no configuration is")
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", time.Minute: "1m", 90 * time.Minute: "1h30m", 2 * time.Hour: "2h", 1500 * time.Millisecond: "1.5s", 10 * time.Minute: "10m", 61 * time.Second: "1m1s"} {
		if got := (Duration{d}).String(); got != want {
			t.Errorf("%v is written %q, got %q", d, want, got)
		}
		var back Duration
		if err := back.UnmarshalText([]byte(want)); err != nil || back.Duration != d {
			t.Errorf("%q is read as %v, got %v, %v", want, d, back, err)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"baud", "name", "type", "address", "retry_interval"}
	for word, want := range map[string]string{"bauds": "baud", "nmae": "name", "adress": "address", "retry_intervall": "retry_interval",
		"retryinterval": "retry_interval", "tpye": "type", "xyz": "", "": "", strings.Repeat("a", 5000): ""} {
		if got := nearest(word, keys); got != want {
			t.Errorf("whoever writes %.20q means %q, got %q", word, want, got)
		}
	}
}
