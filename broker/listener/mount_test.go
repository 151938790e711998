package listener

import (
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// TestMountPoint: names, aliases, filters and wills of a client have the mount in front, each client its own, and what comes to it has not.
func TestMountPoint(t *testing.T) {
	in(t, Policy{MountPoint: "m/%c/"}, broker.Limits{}, func(h *house) {
		world, _, err := h.broker.Open(time.Now(), broker.Options{ClientID: "world", CleanStart: true})
		if err != nil {
			t.Fatal(err)
		}
		world.Subscribe(time.Now(), []broker.Subscription{{Filter: "#"}})
		heard := func(sentence, want string) {
			t.Helper()
			var out [4]broker.Outbound
			n, _ := world.Next(time.Now(), out[:])
			got := ""
			for _, o := range out[:n] {
				got += o.Message.Topic + " "
			}
			if got != want {
				t.Errorf("%s: the world hears of %q, not %q", sentence, got, want)
			}
		}
		c := h.dial(mqtt.V5).connect(mqtt.Connect{ClientID: "c", CleanStart: true, Will: &mqtt.Will{Topic: "w", Payload: []byte("x")}})
		other := h.dial(mqtt.V311).connect(mqtt.Connect{ClientID: "o", CleanStart: true})
		other.subscribe("#", 0)
		c.subscribe("a/+", 0)
		alias := func(topic string) {
			p := mqtt.Publish{Topic: []byte(topic), Props: &mqtt.Properties{TopicAlias: 1}}
			p.Props.Mark(mqtt.PropTopicAlias)
			c.send(p.Append(nil, mqtt.V5))
		}
		alias("a/b")
		alias("")
		c.publish("a/b", "", 0, 0)
		for range 3 {
			c.want("what comes has the name that it was published under", 0x30, 6, 0, 3, 'a', '/', 'b', 0)
		}
		heard("named, by alias, and the same again", "m/c/a/b m/c/a/b m/c/a/b ")
		unsub := mqtt.Unsubscribe{ID: 2, Filters: []string{"a/+"}}
		c.send(unsub.Append(nil, mqtt.V5))
		c.want("UNSUBSCRIBE finds the subscription", 0xB0, 4, 0, 2, 0, 0)
		c.publish("a/b", "", 0, 0)
		c.want("and ends it")
		heard("it was published", "m/c/a/b ")
		c.nc.Close()
		other.want("nobody else hears of any of it")
		heard("the will", "m/c/w ")
	})
}
