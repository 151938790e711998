package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// The boundaries that the suite of S3ler's gateway asks for; TestKeepAliveTolerance has those of time, the traces s3ler-* the rest.

func TestS3lerClientIDs(t *testing.T) {
	for octets, want := range map[int]string{0: "not-supported", 1: "accepted", 23: "accepted", 24: "accepted", 64: "accepted", 65: "not-supported"} {
		r := newRig(t, Config{}, LinkConfig{})
		r.want(fmt.Sprintf("a client id of %d octets is %s", octets, want),
			r.from("dev", mqttsn.Connect{ProtocolID: 1, ClientID: strings.Repeat("x", octets)}), "dev< CONNACK "+want)
	}
}

func TestS3lerWillLengths(t *testing.T) {
	const least, most = 1, 65535 - 8 // a topic that the codec, though no radio, can carry
	for _, octets := range []int{least, 255, 256, most} {
		for _, message := range []int{0, 1, 255, most} {
			r := newRig(t, Config{}, LinkConfig{})
			r.from("dev", mqttsn.Connect{ProtocolID: 1, ClientID: "valve7", Will: true, CleanSession: true})
			what := fmt.Sprintf("a will topic of %d octets with a message of %d is taken", octets, message)
			r.want(what, r.from("dev", mqttsn.WillTopic{Topic: strings.Repeat("w", octets)}), "dev< WILLMSGREQ")
			r.want(what, r.from("dev", mqttsn.WillMsg{Data: make([]byte, message)}), "dev< CONNACK accepted")
		}
	}
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ProtocolID: 1, ClientID: "valve7", Will: true, CleanSession: true})
	r.want("flags without a topic are no will", r.from("dev", mqttsn.WillTopic{}), "dev< CONNACK not-supported")
	r.from("dev", mqttsn.Connect{ProtocolID: 1, ClientID: "valve7", Will: true, CleanSession: true})
	r.want("an empty WILLTOPIC is none at all", r.from("dev", mqttsn.WillTopic{Empty: true}), "dev< CONNACK accepted")
	if p := (mqttsn.WillTopic{Topic: strings.Repeat("w", mqttsn.MaxSize)}); p.Append(nil) != nil {
		t.Error("a topic that is longer than a message cannot be sent")
	}
}

func TestS3lerTopicNames(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", connectAs("valve7"))
	for octets, want := range map[int]string{0: "not-supported", 1: "accepted", 2: "accepted", 255: "accepted", 65535 - 10: "accepted"} {
		got := r.from("dev", mqttsn.Register{MsgID: 1, TopicName: strings.Repeat("t", octets)})
		if len(got) != 1 || !strings.HasSuffix(got[0], want) {
			t.Errorf("a topic name of %d octets is %s: got %q", octets, want, got)
		}
	}
}

// TestS3lerPingreq is the matrix of PINGREQ: without a client id, with one's own, another's, and of every length, from whoever is unknown, connected, asleep.
func TestS3lerPingreq(t *testing.T) {
	const own = "valve7"
	answers := map[string]map[string]string{
		"unknown":   {"": "DISCONNECT", own: "DISCONNECT", "nobody": "DISCONNECT"},
		"connected": {"": "PINGRESP", own: "PINGRESP", "nobody": "DISCONNECT"},
		"asleep":    {"": "PINGRESP", own: "PINGRESP", "nobody": "DISCONNECT"},
		"lost":      {"": "DISCONNECT", own: "DISCONNECT", "nobody": "DISCONNECT"},
	}
	for _, n := range []int{1, 23, 24, 64, 65, 200} {
		id := strings.Repeat("x", n)
		for state := range answers {
			answers[state][id] = "DISCONNECT"
		}
	}
	for state, byID := range answers {
		for id, want := range byID {
			r := newRig(t, Config{}, LinkConfig{})
			if state != "unknown" {
				r.from("dev", mqttsn.Connect{ProtocolID: 1, ClientID: own, Duration: 60})
			}
			switch state {
			case "asleep":
				r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: 60})
			case "lost":
				r.now = r.now.Add(2 * time.Minute)
				r.l.Advance(r.now)
			}
			r.want(fmt.Sprintf("%s, PINGREQ with id %.10q of %d octets", state, id, len(id)), r.from("dev", mqttsn.Pingreq{ClientID: id}), "dev< "+want)
			if state == "asleep" && id == "nobody" && r.g.Devices()[0].State != Asleep {
				t.Error("a PINGREQ with another's id wakes nobody")
			}
		}
	}
}

// TestS3lerSubscribeFlags sends SUBSCRIBE with every combination of flags that it does not have: liberal, they are ignored; strict, each ends the client.
func TestS3lerSubscribeFlags(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for bits := range 8 {
			flags := byte(bits&1)<<2 | byte(bits&2)<<2 | byte(bits&4)<<2 // CleanSession, Will, Retain
			r := newRig(t, Config{}, LinkConfig{Strict: strict})
			r.from("dev", connectAs("valve7"))
			want := "dev< SUBACK qos=1 topic=0x0401 msgid=7 accepted"
			if strict && flags != 0 {
				want = "dev< DISCONNECT"
			}
			r.l.Receive(r.now, &transports.Frame{Addr: transports.MakeAddr([]byte("dev")), Data: []byte{6, 0x12, 0x20 | flags, 0, 7, 'a'}})
			r.l.Pull(r.now)
			var got []string
			for _, f := range r.l.frames() {
				got = append(got, describe("lan", f))
			}
			r.want(fmt.Sprintf("flags %#02x, strict %t", flags, strict), got, want)
		}
	}
}
