package main

import (
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// scene is a history made by hand. Times are in seconds.
type scene struct {
	*history
	src  *source
	sink *sink
}

func newScene(published, subscribed mqtt.QoS) *scene {
	s := &scene{history: newHistory()}
	s.history.start = time.Now().Add(-time.Hour)
	s.src = s.newSource("p", published)
	s.sink = s.newSink("s", subscribed, "load/")
	s.sink.since = second(1)
	return s
}

func second(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// sent adds a message that was sent and acknowledged at these times; acked 0 = not.
func (s *scene) sent(at, acked float64, transmissions int) {
	s.src.sent = append(s.src.sent, &message{topic: "load/a", at: second(at), acked: second(acked), times: transmissions})
}

// comes adds a copy of a message.
func (s *scene) comes(number int, at float64) {
	m := s.src.sent[number]
	s.sink.arrive(m.topic, s.src.payload(number), min(s.src.qos, s.sink.qos), false)
	rows := s.sink.got[s.src][number]
	rows[len(rows)-1].at = second(at)
}

// TestCrashChecker: each kind of fault is found, and what the protocol allows is none.
func TestCrashChecker(t *testing.T) {
	const one, two = mqtt.AtLeastOnce, mqtt.ExactlyOnce
	for name, row := range map[string]struct {
		published, subscribed mqtt.QoS
		play                  func(s *scene)
		want                  string // part of the only fault; "" = none
	}{
		"each message once":                        {one, two, func(s *scene) { s.sent(2, 3, 1); s.sent(4, 5, 1); s.comes(0, 2); s.comes(1, 4) }, ""},
		"an acknowledged message never comes":      {one, one, func(s *scene) { s.sent(2, 3, 1) }, "LOST: s never got p #0"},
		"a message without an answer may not come": {one, one, func(s *scene) { s.sent(2, 0, 1) }, ""},
		"it was sent before the subscription":      {one, one, func(s *scene) { s.sent(0.5, 3, 1) }, ""},
		"the subscription was given up before":     {one, one, func(s *scene) { s.sent(2, 3, 1); s.sink.until = second(2.5) }, ""},
		"QoS 2 comes twice":                        {two, two, func(s *scene) { s.sent(2, 3, 3); s.comes(0, 2); s.kills = []time.Duration{second(2.1)}; s.comes(0, 3) }, "AGAIN: s got p #0 2 times"},
		"QoS 1 comes twice around a kill": {one, one, func(s *scene) {
			s.sent(2, 2.1, 1)
			s.comes(0, 2)
			s.kills = []time.Duration{second(2.5)}
			s.comes(0, 3)
		}, ""},
		"QoS 1 comes twice, no kill was near": {one, one, func(s *scene) {
			s.sent(2, 2.1, 1)
			s.comes(0, 2)
			s.kills = []time.Duration{second(20)}
			s.comes(0, 30)
		}, "AGAIN"},
		"its publisher sent it again":         {one, two, func(s *scene) { s.sent(2, 9, 2); s.comes(0, 2); s.comes(0, 9) }, ""},
		"more copies than its publisher sent": {one, two, func(s *scene) { s.sent(2, 9, 2); s.comes(0, 2); s.comes(0, 9); s.comes(0, 10) }, "1 of them without a reason"},
		"QoS 2 through a QoS 1 subscription":  {two, one, func(s *scene) { s.sent(2, 9, 2); s.comes(0, 2); s.comes(0, 9) }, "AGAIN"},
		"a device's message spans a kill": {one, one, func(s *scene) {
			s.src.counting = byKill
			s.sent(2, 30, 1)
			s.kills = []time.Duration{second(20)}
			s.comes(0, 2)
			s.comes(0, 30)
		}, ""},
		"a later message comes first": {one, two, func(s *scene) { s.sent(2, 3, 1); s.sent(2.1, 3, 1); s.comes(1, 4); s.comes(0, 5) }, "ORDER: s got p #0 after p #1"},
		"an old message comes again": {one, one, func(s *scene) {
			s.sent(2, 3, 2)
			s.sent(2.1, 3, 1)
			s.comes(0, 2)
			s.comes(1, 2.2)
			s.comes(0, 2.5)
		}, ""},
		"a payload that nobody sent": {one, one, func(s *scene) { s.sink.arrive("load/a", []byte("p 7 1 "), one, false) }, "message 7 of p was never sent"},
		"a payload with another end": {one, one, func(s *scene) {
			s.sent(2, 3, 1)
			s.comes(0, 2)
			s.sink.arrive("load/a", append(s.src.payload(0), 'x'), one, false)
		}, "came with another payload"},
		"another topic": {one, one, func(s *scene) {
			s.sent(2, 0, 1)
			s.sink.arrive("load/b", s.src.payload(0), one, false)
		}, "it was sent on load/a"},
		"another QoS": {two, one, func(s *scene) {
			s.sent(2, 3, 1)
			s.sink.arrive("load/a", s.src.payload(0), two, false)
		}, "got p #0 at QoS 2, it was due at 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(row.published, row.subscribed)
			row.play(s)
			got := s.check(true).faults
			if row.want == "" && len(got) > 0 {
				t.Errorf("this is no fault: %s", got)
			}
			if row.want != "" && (len(got) != 1 || !strings.Contains(got[0], row.want)) {
				t.Errorf("one fault says %q: got %q", row.want, got)
			}
		})
	}
}

// TestCrashRetained: a retained value is the last acknowledged one or a later one, and a value that was taken away is gone.
func TestCrashRetained(t *testing.T) {
	s := newScene(mqtt.AtLeastOnce, mqtt.AtLeastOnce)
	for i := range 4 {
		s.src.sent = append(s.src.sent, &message{topic: "kept/a", retain: true, clear: i == 3, at: second(float64(i + 1)), acked: second(float64(i+1) + 0.5)})
	}
	acknowledged := func(number int) map[string]key { return map[string]key{"kept/a": {s.src, number}} }
	value := func(number int) map[string][]byte { return map[string][]byte{"kept/a": s.src.payload(number)} }
	none := map[string][]byte{}
	for name, row := range map[string]struct {
		acknowledged map[string]key
		seen         map[string][]byte
		want         string
	}{
		"the last one":                     {acknowledged(1), value(1), ""},
		"a later one":                      {acknowledged(1), value(2), ""},
		"nothing was acknowledged":         {map[string]key{}, value(0), ""},
		"an earlier one":                   {acknowledged(1), value(0), "RETAINED: kept/a is p #0, but p #1 was acknowledged"},
		"taken away, perhaps not yet safe": {acknowledged(1), none, ""},
		"taken away":                       {acknowledged(3), none, ""},
		"back after it was taken away":     {acknowledged(3), value(2), "RETAINED: kept/a is p #2, but p #3 was acknowledged"},
		"gone":                             {map[string]key{"kept/b": {s.src, 1}}, none, "RETAINED: kept/b has no value"},
	} {
		t.Run(name, func(t *testing.T) {
			s.faults = nil
			s.compareRetained(row.acknowledged, row.seen)
			if got := strings.Join(s.faults, "; "); (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
				t.Errorf("the fault is %q: got %q", row.want, got)
			}
		})
	}
}
