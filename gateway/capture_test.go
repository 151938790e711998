package gateway

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// words are what a trace was given.
type words struct {
	sync.Mutex
	list []string
}

// intoWords collects what a trace is given, in words.
func intoWords(got *words) Recorder {
	return func(_ time.Time, f *transports.Frame, received bool) {
		arrow := "<"
		if received {
			arrow = ">"
		}
		raw := f.Data
		if _, inner, err := mqttsn.ParseEncapsulated(raw); err == nil {
			raw = inner
		}
		if f.Broadcast {
			arrow += arrow
		}
		kind, _ := mqttsn.PeekType(raw)
		got.Lock()
		defer got.Unlock()
		got.list = append(got.list, arrow+kind.String())
	}
}

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveWith(t, Config{AdvertiseInterval: time.Minute}, LinkConfig{AllowClients: []string{"valve*", "pump"}})
		synctest.Wait()
		var all, valves words
		endAll, err := s.g.Trace("lan", nil, intoWords(&all))
		if err != nil {
			t.Fatal(err)
		}
		endValves, err := s.g.Trace("lan", []string{"valve?", "door"}, intoWords(&valves))
		if err != nil {
			t.Fatal(err)
		}
		want := func(sentence string, got *words, want ...string) {
			t.Helper()
			synctest.Wait()
			got.Lock()
			defer got.Unlock()
			if fmt.Sprint(got.list) != fmt.Sprint(want) {
				t.Errorf("%s: got %q, want %q", sentence, got.list, want)
			}
			got.list = nil
		}
		valve, pump, door := s.station(), s.station(), s.station()
		pump.say(mqttsn.Connect{ClientID: "pump", ProtocolID: 1})
		want("frames of one that is not asked for are left out", &valves)
		valve.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1})
		valve.say(mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"})
		want("both directions of one that is", &valves, ">CONNECT", "<CONNACK", ">SUBSCRIBE", "<SUBACK")
		door.say(mqttsn.Connect{ClientID: "door", ProtocolID: 1})
		want("one that is turned away is seen too", &valves, ">CONNECT", "<CONNACK")
		door.say(mqttsn.Connect{ClientID: "pump", ProtocolID: 1})
		want("an address is somebody else's when it gives another client id", &valves)
		wrapped := mqttsn.Encapsulated{NodeID: []byte{9}}
		valve.end.WriteFrames([]transports.Frame{{Data: wrapped.Append(nil, mqttsn.Pingreq{ClientID: "door"}.Append(nil))}})
		want("behind a forwarder it is the node that counts", &valves, ">PINGREQ", "<DISCONNECT")
		want("a trace without client ids has everything", &all, ">CONNECT", "<CONNACK", ">CONNECT", "<CONNACK", ">SUBSCRIBE", "<SUBACK",
			">CONNECT", "<CONNACK", ">CONNECT", "<CONNACK", ">PINGREQ", "<DISCONNECT")
		time.Sleep(time.Minute)
		want("and what goes to everyone", &all, "<<ADVERTISE")
		want("which is no client's", &valves)
		s.publish("cmd", "open")
		want("deliveries are seen", &valves, "<PUBLISH")
		endValves()
		endValves()
		valve.say(mqttsn.Pingreq{})
		want("a trace that has ended is given nothing more", &valves)
		want("the other goes on", &all, "<PUBLISH", ">PINGREQ", "<PINGRESP")
		endAll()
		if _, err := s.g.Trace("field", nil, intoWords(&all)); err == nil || err.Error() != "link field is not being served" {
			t.Errorf("a link that is not there cannot be traced: %v", err)
		}
		for range tracesMax {
			if _, err := s.g.Trace("lan", nil, intoWords(&all)); err != nil {
				t.Errorf("several traces may run: %v", err)
			}
		}
		if _, err := s.g.Trace("lan", nil, intoWords(&all)); err == nil {
			t.Errorf("but not any number")
		}
		for _, d := range []*station{valve, pump, door} {
			d.end.Close()
		}
		s.stop()
	})
}

// TestTraceClaimsAreBounded: who sends CONNECT from ever new addresses does not fill memory.
func TestTraceClaimsAreBounded(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	x := &tap{clients: []string{"*"}, record: func(time.Time, *transports.Frame, bool) {}, claims: map[peer]bool{}}
	r.l.taps = []*tap{x}
	for i := range claimsMax + 100 {
		r.l.received(r.now, &transports.Frame{Addr: transports.MakeAddr(fmt.Append(nil, i)), Data: mqttsn.Connect{ClientID: "x", ProtocolID: 1}.Append(nil)})
	}
	if len(x.claims) != claimsMax {
		t.Errorf("a trace remembers %d addresses, not %d", claimsMax, len(x.claims))
	}
}
