package normative

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"midge/broker/mqtt"
)

// tag is one normative statement.
type tag struct {
	name  string
	title string
	class string // "" has a test; "client" or "none: why"
}

// parseTags reads a list of statements: tag, class in brackets if it has one, title.
func parseTags(text string) (all []tag, err error) {
	row := regexp.MustCompile(`^([0-9.]+-[0-9]+)\s+(?:\[([^\]]*)\]\s+)?(\S.*)$`)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil || m[2] != "" && m[2] != "client" && !strings.HasPrefix(m[2], "none: ") {
			return nil, fmt.Errorf("%q is not a tag, a class and a title", line)
		}
		all = append(all, tag{m[1], m[3], m[2]})
	}
	return all, nil
}

// TestTags holds the lists of normative statements against the tests.
func TestTags(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		text, err := os.ReadFile(fmt.Sprintf("testdata/tags-%v.txt", v))
		if err != nil {
			t.Fatal(err)
		}
		tags, err := parseTags(string(text))
		if err != nil {
			t.Fatal(err)
		}
		tests := taggedTraces(t, v)
		for name, test := range taggedGoTests(t, v) {
			tests[name] = append(tests[name], test...)
		}
		check(t, v, tags, tests)
	}
}

func check(t *testing.T, v mqtt.Version, tags []tag, tests map[string][]string) {
	count := map[string]int{}
	var without []string
	for _, tag := range tags {
		by := tests[tag.name]
		delete(tests, tag.name)
		class, _, _ := strings.Cut(tag.class, ":")
		count[class]++
		switch {
		case class == "" && by == nil:
			t.Errorf("MQTT %v: no test carries [MQTT-%s]: %s", v, tag.name, tag.title)
		case class != "" && by != nil:
			t.Errorf("MQTT %v: [MQTT-%s] is listed as %q and has a test: %s", v, tag.name, tag.class, by[0])
		case class == "none":
			without = append(without, fmt.Sprintf("  [MQTT-%s] %s: %s", tag.name, tag.title, tag.class[len("none: "):]))
		}
	}
	for name, by := range tests {
		t.Errorf("MQTT %v: %s carries [MQTT-%s], which is not in the list", v, by[0], name)
	}
	t.Logf("MQTT %v: %d statements: %d have tests, %d bind clients only, %d cannot be tested over the wire:\n%s",
		v, len(tags), count[""], count["client"], count["none"], strings.Join(without, "\n"))
}

// taggedTraces are the traces by tag.
func taggedTraces(t *testing.T, v mqtt.Version) map[string][]string {
	found := map[string][]string{}
	for _, tr := range readTraces(t) {
		for _, name := range tr.tags[v] {
			found[name] = append(found[name], fmt.Sprintf("%s.trace:%d", tr.file, tr.line))
		}
	}
	return found
}

// goTags is the line by which a Go test names what it proves.
var goTags = regexp.MustCompile(`(?m)^\s*// Tests MQTT ([0-9.]+): ([0-9. -]+)$`)

// taggedGoTests are the Go test files of the module by tag.
func taggedGoTests(t *testing.T, v mqtt.Version) map[string][]string {
	found := map[string][]string{}
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range goTags.FindAllStringSubmatch(string(text), -1) {
			if versionNames[m[1]] != v {
				continue
			}
			for _, name := range strings.Fields(m[2]) {
				found[name] = append(found[name], path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestEveryTagHasOneRow looks for statements that are listed twice.
func TestEveryTagHasOneRow(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		text, _ := os.ReadFile(fmt.Sprintf("testdata/tags-%v.txt", v))
		tags, _ := parseTags(string(text))
		seen := map[string]int{}
		for _, tag := range tags {
			seen[tag.name]++
		}
		for _, name := range slices.Sorted(maps.Keys(seen)) {
			if seen[name] > 1 {
				t.Errorf("MQTT %v: [MQTT-%s] has one row, not %d", v, name, seen[name])
			}
		}
	}
}
