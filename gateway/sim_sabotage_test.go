package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
)

// sabotage is something that is done wrong on purpose, to see that the day finds it.
type sabotage uint8

const (
	nothing      sabotage = iota
	lyingDisk             // what was synced lately is not there after a power cut
	lateCopies            // the network repeats frames when their exchange is long over
	swallowed             // a report in fifty is acknowledged and not taken
	overtaken             // a report in fifty is taken a minute late, and acknowledged at once
	sleepless             // a device that says it sleeps is taken for one that has just woken
	deafToPings           // a sleeper's PINGREQ in five never comes to the machine
	deafToAsking          // a SUBSCRIBE in five never comes to the machine
	unretained            // what is retained is deleted when somebody subscribes
	stale                 // it becomes what it was first
	answered              // what comes at QoS −1 comes at QoS 0 instead
	greedy                // a link does not keep to its share of the hour
	wasteful              // links send as much as they have to send
	impatient             // devices are taken for lost too soon
)

// TestDayFinds: each of these breaks a promise, and the day notices which.
func TestDayFinds(t *testing.T) {
	for _, row := range []struct {
		name  string
		what  sabotage
		fault string // a part of one that must be among those found
	}{
		{"a disk that lies", lyingDisk, "never came"},
		{"copies that come too late", lateCopies, "of QoS 2 2 times"},
		{"reports acknowledged and not taken", swallowed, "was acknowledged and never came to"},
		{"reports that are overtaken", overtaken, "gets reports in order"},
		{"sleepers taken for awake", sleepless, "it sleeps and is sent PINGRESP"},
		{"unanswered pings", deafToPings, "PINGRESP does not come although nothing is pending"},
		{"requests that are not answered", deafToAsking, "it is owed SUBACK"},
		{"settings that are not retained", unretained, "is retained, never came"},
		{"settings that are old", stale, "is retained for it, although"},
		{"beacons that are answered", answered, "it has no session, and is sent"},
		{"beacons that are not taken", answered, "of its messages at QoS -1 have come, and 0 were published"},
		{"a link beyond its share", greedy, "is on the air for"},
		{"a link that sends as it likes", wasteful, "is sent more than it carries"},
		{"wills too soon", impatient, "its will is published after"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := dayPlan()
			p.devices, p.day, p.sabotage = 60, 3*time.Hour, row.what
			switch row.what {
			case lyingDisk:
				p.crashes /= 4
			case greedy:
				p.share /= 10 // less than its devices need
			}
			w := newWorld(1, p)
			w.live()
			if found := strings.Join(w.faults, "\n"); !strings.Contains(found, row.fault) {
				t.Errorf("%s are found out by %q; the faults are:\n%s", row.name, row.fault, found)
			}
		})
	}
}

// sabotaged does to a frame for the gateway's machine what the plan wants. It reports whether the machine is not to have it.
func (w *world) sabotaged(p *place, d *dev, f *transports.Frame, raw []byte) bool {
	if w.plan.sabotage == nothing {
		return false
	}
	t, _ := mqttsn.PeekType(raw)
	w.saboteur++
	switch {
	case t == mqttsn.TypePublish && (w.plan.sabotage == swallowed || w.plan.sabotage == overtaken):
		m, err := mqttsn.DecodePublish(raw)
		if err != nil || m.QoS != mqttsn.AtLeastOnce || m.TopicIDType != mqttsn.Normal || w.saboteur%50 > 2 {
			return false
		}
		ack := mqttsn.Puback{TopicID: m.TopicID, MsgID: m.MsgID}.Append(nil)
		w.after(100*time.Millisecond, func() { d.receive(ack) })
		if w.plan.sabotage == overtaken {
			again := transports.Frame{Addr: f.Addr, Data: append([]byte(nil), f.Data...)}
			w.after(25*time.Minute, func() {
				if p.l != nil {
					p.l.Receive(w.now, &again)
					p.fed = true
					w.box.settle()
				}
			})
		}
		return true
	case t == mqttsn.TypeSubscribe && (w.plan.sabotage == unretained || w.plan.sabotage == stale):
		m := &broker.Message{Topic: settingTopic(d.i % settingTopics), Retain: true}
		if w.plan.sabotage == stale {
			if past := w.settings[d.i%settingTopics].deletes; len(past) == 0 || past[0] {
				return false
			}
			m.Payload = fmt.Appendf(nil, "s%d.0", d.i%settingTopics)
		}
		_, err := w.box.auditor.Publish(w.now, []broker.Inbound{{Message: m}})
		w.box.must(err)
	case t == mqttsn.TypePublish && w.plan.sabotage == answered:
		m, err := mqttsn.DecodePublish(raw)
		if err != nil || m.QoS != mqttsn.QoSMinusOne {
			return false
		}
		m.QoS = mqttsn.AtMostOnce
		again := m.Append(nil)
		if e, _, err := mqttsn.ParseEncapsulated(f.Data); err == nil {
			again = e.Append(nil, again)
		}
		p.l.Receive(w.now, &transports.Frame{Addr: f.Addr, Data: again})
		p.fed = true
		w.box.settle()
		return true
	case t == mqttsn.TypeDisconnect && w.plan.sabotage == sleepless:
		p.l.Receive(w.now, f)
		w.after(time.Second, func() {
			if p.l != nil {
				ping := mqttsn.Pingreq{ClientID: d.id}.Append(nil)
				if e, _, err := mqttsn.ParseEncapsulated(f.Data); err == nil {
					ping = e.Append(nil, ping)
				}
				p.l.Receive(w.now, &transports.Frame{Addr: f.Addr, Data: ping})
				p.fed = true
				w.box.settle()
			}
		})
		return true
	case t == mqttsn.TypePingreq && len(raw) > 2 && w.plan.sabotage == deafToPings:
		return w.saboteur%5 == 0
	case t == mqttsn.TypeSubscribe && w.plan.sabotage == deafToAsking:
		return w.saboteur%5 == 0
	}
	return false
}
