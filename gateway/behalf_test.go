package gateway

import (
	"errors"
	"testing"
	"testing/synctest"

	"midge/broker/mqtt"
	"midge/mqttsn"
)

// TestSubscribeOnBehalf: a device that never says SUBSCRIBE gets what the operator wants it to have, its retained messages too, also when it sleeps.
func TestSubscribeOnBehalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveWith(t, Config{QoSMinusOne: true, Predefined: []Predefined{{Client: "*", ID: 7, Topic: "cmd/7"}}}, LinkConfig{MaxQoS: 1})
		valve, pump := s.station(), s.station()
		valve.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
		valve.want("it is in", "CONNACK accepted")
		pump.say(mqttsn.Publish{QoS: mqttsn.QoSMinusOne, Retain: true, TopicIDType: mqttsn.Predefined, TopicID: 7, Data: []byte("1")})
		pump.want("nobody answers QoS -1")
		if q, err := s.g.Subscribe("valve7", "cmd/#", mqtt.ExactlyOnce); err != nil || q != mqtt.AtLeastOnce {
			t.Errorf("the link's bound holds: QoS %d, %v", q, err)
		}
		valve.want("what is retained comes", `PUBLISH qos=0 retain topic=0x0007(predefined) msgid=0 data="1"`)
		valve.say(mqttsn.Disconnect{HasDuration: true, Duration: 600})
		valve.want("it sleeps", "DISCONNECT")
		if was, err := s.g.Unsubscribe("valve7", "cmd/#"); err != nil || !was {
			t.Errorf("a sleeper's subscription can be taken away: %t, %v", was, err)
		}
		if was, err := s.g.Unsubscribe("valve7", "cmd/#"); err != nil || was {
			t.Errorf("once: %t, %v", was, err)
		}
		if _, err := s.g.Subscribe("valve7", "cmd/7", 0); err != nil {
			t.Errorf("and it can be given another: %v", err)
		}
		valve.want("which is not told while it sleeps")
		valve.say(mqttsn.Pingreq{ClientID: "valve7"})
		valve.want("but when it wakes", `PUBLISH qos=0 retain topic=0x0007(predefined) msgid=0 data="1"`, "PINGRESP")
		valve.say(mqttsn.Disconnect{})
		valve.want("it has gone", "DISCONNECT")
		for _, id := range []string{"valve7", "nobody"} {
			if _, err := s.g.Subscribe(id, "a", 0); !errors.Is(err, ErrNotConnected) {
				t.Errorf("who is not there cannot be subscribed: %v", err)
			}
		}
		if _, err := s.g.Subscribe("valve7", "a/#/b", 0); err == nil || errors.Is(err, ErrNotConnected) {
			t.Errorf("a filter that is none is refused: %v", err)
		}
		s.stop()
		valve.end.Close()
		pump.end.Close()
	})
}
