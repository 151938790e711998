package gateway

import (
	"testing"

	"midge/mqttsn"
)

// TestForgottenClientHasNoState: what is retained of a client ends with it.
func TestForgottenClientHasNoState(t *testing.T) {
	r := newRig(t, Config{StateTopic: func(id string) string { return "dev/" + id }}, LinkConfig{})
	retained := func(sentence string, want int) {
		t.Helper()
		if got := r.b.Counters().Retained; got != want {
			t.Errorf("%s: %d states are retained, got %d", sentence, want, got)
		}
	}
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, CleanSession: true})
	r.from("dev", mqttsn.Disconnect{})
	retained("a client that has gone is disconnected", 1)
	r.g.Kick("valve7", true)
	retained("one that is forgotten is nothing", 0)
}
