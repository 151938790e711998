package gateway

import (
	"strings"
	"testing"

	"midge/broker"
	"midge/mqttsn"
)

// below allows topics with the client's id in front.
type below string

func (b below) MayRead(topic string) bool       { return strings.HasPrefix(topic, string(b)+"/") }
func (b below) MayWrite(topic string) bool      { return b.MayRead(topic) }
func (b below) MaySubscribe(filter string) bool { return filter != "closed" }

// TestAccess has devices that may do what is under their own name.
func TestAccess(t *testing.T) {
	r := newRig(t, Config{QoSMinusOne: true, Access: func(_, id string) broker.Access { return below(id) },
		Predefined: []Predefined{{Client: "*", ID: 1, Topic: "valve7/a"}, {Client: "*", ID: 2, Topic: "$sn/lan/a"}}}, LinkConfig{})
	watcher, _, _ := r.b.Open(r.now, broker.Options{ClientID: "watcher"})
	watcher.Subscribe(r.now, []broker.Subscription{{Filter: "#"}, {Filter: "$sn/#"}})
	var out [8]broker.Outbound
	arrived := func(sentence string, want int) {
		t.Helper()
		if n, _ := watcher.Next(r.now, out[:]); n != want {
			t.Errorf("%s: %d messages arrive, not %d", sentence, n, want)
		}
	}
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, CleanSession: true})
	r.from("dev", mqttsn.Register{MsgID: 1, TopicName: "valve8/b"})
	r.want("a device publishes what it may write", r.from("dev", mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 1, MsgID: 2}),
		"dev< PUBACK topic=0x0001 msgid=2 accepted")
	arrived("and it is delivered", 1)
	r.want("it is refused what it may not, in the only word there is", r.from("dev", mqttsn.Publish{QoS: 1, TopicID: firstTopicID, MsgID: 3}),
		"dev< PUBACK topic=0x0401 msgid=3 not-supported")
	arrived("and nothing is delivered", 0)
	r.want("a subscription that the rules refuse is refused", r.from("dev", mqttsn.Subscribe{MsgID: 4, TopicName: "closed"}),
		"dev< SUBACK qos=0 topic=0x0000 msgid=4 not-supported")
	r.from("stranger", mqttsn.Publish{QoS: mqttsn.QoSMinusOne, TopicIDType: mqttsn.Predefined, TopicID: 1})
	arrived("a stranger may not write in a device's name at QoS −1", 0)
	r.from("stranger", mqttsn.Publish{QoS: mqttsn.QoSMinusOne, TopicIDType: mqttsn.Predefined, TopicID: 2})
	arrived("but as its link", 1)
}
