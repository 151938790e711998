package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shipped is the config.toml of the repository.
func shipped(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../../config.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestShippedFileIsTheDefault(t *testing.T) {
	c, err := Parse("config.toml", []byte(shipped(t)))
	if err != nil {
		t.Fatalf("the shipped file is accepted, but:\n%v", err)
	}
	c.src = source{}
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("the shipped file says the defaults, but it gives\n%+v\nand Default gives\n%+v", c, want)
	}
}

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("the built-in defaults pass validation, but:\n%v", err)
	}
	c, err := Parse("empty.toml", nil)
	if err != nil {
		t.Fatalf("an empty file is accepted, but: %v", err)
	}
	c.src = source{}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("an empty file gives the defaults, got\n%+v", c)
	}
}

var example = regexp.MustCompile(`(?m)^# (\[\[?[a-z._]+\]\]?$|[a-z_]+ = )`)

func TestShippedFileNamesEveryKey(t *testing.T) {
	all := example.ReplaceAllString(shipped(t), "$1")
	c, err := Parse("config.toml", []byte(all))
	if err != nil {
		t.Fatalf("the shipped file with its examples switched on is accepted, but:\n%v", err)
	}
	inFile := map[string]bool{}
	for path := range c.src.at {
		inFile[withoutIndexes(path)] = true
	}
	inStructs := map[string]bool{}
	for name, table := range tables() {
		if name != "" {
			inStructs[name] = true
		}
		for _, key := range keysOf(table) {
			inStructs[join(name, key)] = true
		}
	}
	for path := range inStructs {
		if !inFile[path] {
			t.Errorf("the shipped file names every key, but not %s", path)
		}
	}
	for path := range inFile {
		if !inStructs[path] {
			t.Errorf("the shipped file names nothing that does not exist, but %s", path)
		}
	}
}

// The examples of lists must say the defaults too, except where a default would be no example.
func TestShippedExamplesSayDefaults(t *testing.T) {
	all := example.ReplaceAllString(shipped(t), "$1")
	c, err := Parse("config.toml", []byte(all))
	if err != nil {
		t.Fatal(err)
	}
	examples := []Listener{
		{Type: "tls", Address: "127.0.0.1:8883", CertFile: "server.pem", KeyFile: "server.key"},
		{Type: "ws", Address: "127.0.0.1:9001"},
		{Type: "unix", Address: "/run/midge/mqtt.sock"},
	}
	for i, want := range examples {
		got, kind := c.Listeners[i+1], want.Type
		want.setDefaults()
		want.Type = kind
		if len(got.Origins) == 0 {
			got.Origins = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the example listener of type %s has default values but for what it must say, got %+v", kind, got)
		}
	}
	link := Link{Name: "field", Type: "serial", Device: "/dev/ttyUSB0"}
	link.setDefaults()
	if got := c.Links[1]; !reflect.DeepEqual(got, link) {
		t.Errorf("the example link has default values but for what it must say, got %+v", got)
	}
	mesh := Link{Name: "mesh", Type: "xbee", Device: "/dev/ttyUSB1"}
	mesh.setDefaults()
	if got := c.Links[2]; !reflect.DeepEqual(got, mesh) {
		t.Errorf("so has the example of XBee, got %+v", got)
	}
	wan := Link{Name: "wan", Type: "dtls", Address: "127.0.0.1:8883", PSKFile: "psk.txt"}
	wan.setDefaults()
	if got := c.Links[3]; !reflect.DeepEqual(got, wan) {
		t.Errorf("so has the example of DTLS, got %+v", got)
	}
	topic := BridgeTopic{Filter: "sensors/#", RemotePrefix: "site1/"}
	topic.setDefaults()
	bridge := Bridge{Name: "cloud", Address: "mqtts://broker.example.com:8883", Topics: []BridgeTopic{topic}}
	bridge.setDefaults()
	if got := c.Bridges[0]; !reflect.DeepEqual(got, bridge) {
		t.Errorf("the example bridge has default values but for what it must say, got %+v", got)
	}
}

func TestShippedFileExplainsEveryKey(t *testing.T) {
	text := shipped(t)
	table := ""
	explained := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "# ")
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(line, "[]")
		}
		if key, rest, ok := strings.Cut(line, " = "); ok && !strings.Contains(key, " ") && strings.Contains(rest, "#") {
			explained[table+"."+key] = true
		}
	}
	plain := []string{"bridge.username", "bridge.password", "bridge.key_file", "bridge.topic.local_prefix"}
	for name, t2 := range tables() {
		for key, elem := range tableFields(t2) {
			path := join(name, key)
			if !isTable(elem) && !explained[path] && !slices.Contains(plain, path) {
				t.Errorf("the shipped file has a line of explanation beside every key, but not beside %s", path)
			}
		}
	}
}
