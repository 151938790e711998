package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"midge/mqttsn"
)

// TestKick ends clients that are active, asleep and gone, with and without what is kept of them.
func TestKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		valve := s.station()
		connect := mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60}
		begin := func() {
			t.Helper()
			valve.say(connect)
			valve.say(mqttsn.Subscribe{MsgID: 1, QoS: 1, TopicName: "cmd"})
			valve.want("it is in and subscribed", "CONNACK accepted", "SUBACK qos=1 topic=0x0401 msgid=1 accepted")
		}
		kick := func(sentence string, forget, was bool, keeps int) {
			t.Helper()
			if got := s.g.Kick("valve7", forget); got != was {
				t.Errorf("%s: it was connected: %t, got %t", sentence, was, got)
			}
			synctest.Wait()
			topics := 0
			for _, d := range s.g.Details([]string{"valve7"}) {
				topics += len(d.Topics)
			}
			if subs := len(s.b.Subscriptions("valve7")); subs != keeps || topics != keeps {
				t.Errorf("%s: of subscriptions and topic ids it keeps %d each: got %d and %d", sentence, keeps, subs, topics)
			}
		}
		kick("who is not known", false, false, 0)
		begin()
		kick("who is kicked may come back to what it had", false, true, 1)
		valve.want("it is told", "DISCONNECT")
		kick("who has gone is not connected", false, false, 1)
		begin()
		valve.say(mqttsn.Disconnect{HasDuration: true, Duration: 600})
		valve.want("it sleeps", "DISCONNECT")
		kick("who sleeps is kicked too", true, true, 0)
		valve.want("and is not sent anything before it wakes")
		time.Sleep(time.Minute)
		valve.say(mqttsn.Pingreq{ClientID: "valve7"})
		valve.want("then it is told", "DISCONNECT")
		begin()
		valve.say(mqttsn.Disconnect{})
		valve.want("it has gone", "DISCONNECT")
		if s.g.Kick("valve7", true) || len(s.g.Details([]string{"*"})) != 0 || len(s.b.Subscriptions("valve7")) != 1 {
			t.Error("of who has gone all is forgotten here; its session is the core's")
		}
		s.stop()
		valve.end.Close()
	})
}
