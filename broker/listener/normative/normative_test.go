// Package normative holds the listener and the broker against the normative statements of MQTT 3.1.1 and MQTT 5.
//
// # Traces
//
// A test is a trace in testdata/*.trace: what clients send and what they must be sent, in the words of the specification. It names the statements
// that it proves, by the tags that the specification gives them, for each version of the protocol in which it is played:
//
//	= A retained message is given to a new subscriber
//	tags 3.1.1  3.3.1-5 3.3.1-6 3.3.1-8
//	tags 5      3.3.1-5 3.3.1-9
//	a joins clean
//	a> PUBLISH t 'x' retain
//	b joins clean
//	b> SUBSCRIBE id=1 t
//	b< SUBACK id=1 00
//	b< PUBLISH t 'x' retain
//
// The title is the sentence that a failure is reported with. «also 3.1» has the trace played in MQTT 3.1 too, which has no tags. packet_test.go has the
// packets' notation, step_test.go that of the other steps. A word or a step behind «5:» or «3:» belongs to that version alone, «3:» being 3.1 and 3.1.1.
//
// Each trace is played against a server of its own, in virtual time over pipes; when it has one client alone and does not look at the clock, a second time
// over TCP. At its end nothing may have come to any client that the trace does not expect.
//
// # Tags
//
// testdata/tags-*.txt list every normative statement, by tag and with a title in our words. Behind «[client]» is what binds clients only, behind
// «[none: reason]» what cannot be shown over the wire. Every other statement has a trace that names it, or a Go test anywhere in the module with a
// comment line «// Tests MQTT 5: 6.0.0-1 6.0.0-2». TestTags holds the lists against the tests and prints what has none.
package normative

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"midge/broker/mqtt"
)

func TestTraces(t *testing.T) {
	for _, tr := range readTraces(t) {
		for _, v := range tr.versions() {
			t.Run(fmt.Sprintf("%s/%v/%s", tr.file, v, tr.title), func(t *testing.T) { playVirtually(t, tr, v) })
			if tr.plain() {
				t.Run(fmt.Sprintf("%s/%v over TCP/%s", tr.file, v, tr.title), func(t *testing.T) { playOverTCP(t, tr, v) })
			}
		}
	}
}

// A trace is one test: steps, played in every version that it names.
type trace struct {
	file, title string
	line        int // of the title
	tags        map[mqtt.Version][]string
	steps       []step
}

// step is one line of a trace.
type step struct {
	line int
	text string
}

func (tr *trace) versions() (all []mqtt.Version) {
	for v := mqtt.V31; v <= mqtt.V5; v++ {
		if _, played := tr.tags[v]; played {
			all = append(all, v)
		}
	}
	return all
}

// plain reports whether nothing in the trace depends on what happens at another connection, or on what does not happen.
func (tr *trace) plain() bool {
	first := ""
	for _, s := range tr.steps {
		_, text, guarded := strings.Cut(s.text, ": ")
		if !guarded {
			text = s.text
		}
		who, what, _ := strings.Cut(text, " ")
		who = strings.TrimRight(who, "<>")
		switch {
		case who == "server":
			continue
		case first == "":
			first = who
		}
		if who != first || who == "after" || what == "drops" || what == "nothing" {
			return false
		}
	}
	return true
}

var versionNames = map[string]mqtt.Version{"3.1": mqtt.V31, "3.1.1": mqtt.V311, "5": mqtt.V5}

func readTraces(t *testing.T) (all []*trace) {
	files, err := filepath.Glob("testdata/*.trace")
	if err != nil || len(files) == 0 {
		t.Fatalf("the traces are in testdata: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		traces, err := parseTraces(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, traces...)
	}
	return all
}

// parseTraces reads the traces of one file. Lines that begin with # are remarks.
func parseTraces(file, text string) (all []*trace, err error) {
	var tr *trace
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "", word == "#":
			continue
		case word == "=":
			tr = &trace{file: strings.TrimSuffix(file, ".trace"), title: rest, line: i + 1, tags: map[mqtt.Version][]string{}}
			all = append(all, tr)
			continue
		case tr == nil:
			return nil, fmt.Errorf("%s:%d: a trace begins with = and its title", file, i+1)
		case word == "tags", word == "also":
			name, tags, _ := strings.Cut(rest, " ")
			v, known := versionNames[name]
			if !known {
				return nil, fmt.Errorf("%s:%d: %q is no version", file, i+1, name)
			}
			tr.tags[v] = append(tr.tags[v], strings.Fields(tags)...)
			continue
		}
		tr.steps = append(tr.steps, step{i + 1, line})
	}
	return all, nil
}
