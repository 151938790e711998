package gateway

import (
	"fmt"
	"time"

	"midge/broker"
	"midge/mqttsn"
	device "midge/mqttsn/client"
)

// beacon is a device that only publishes at QoS −1: it has no session, is never answered, and nothing is promised to it. But what comes to the gateway is published.
type beacon struct {
	topic device.Topic
	heard int // messages of its that have come to the gateway
	taken int // that the broker has routed
}

// predefinedBeacon is the topic id of beaconTopic, for everyone.
const (
	predefinedBeacon = 9
	beaconTopic      = "beacon/all"
)

// newBeacon puts a beacon on a link. It is none of w.devs.
func (w *world) newBeacon(k int, p *place) {
	d := w.newDev(w.plan.devices+1+k, habits{commands: -1}, quality{loss: 0.1, dup: 0.05, damage: 0.002})
	w.devs = w.devs[:len(w.devs)-1]
	d.id = fmt.Sprint("beacon", k)
	d.beacon = &beacon{topic: device.Short(fmt.Sprint("b", k))}
	if k%2 == 1 {
		d.beacon.topic = device.Predefined(predefinedBeacon)
	}
	d.place = p
	p.air.join(d)
	w.beacons = append(w.beacons, d)
	n := 0
	w.every(uint64(80+k), 3*time.Minute, func() {
		d.c.Publish(w.now, d.beacon.topic, mqttsn.QoSMinusOne, false, fmt.Appendf(nil, "%d.%d", k, n))
		n++
		d.settle()
	})
}

// beaconed takes note of a message at QoS −1. It reports whether it is one.
func (w *world) beaconed(m *broker.Message) bool {
	var k int
	if m.Topic != beaconTopic && (len(m.Topic) != 2 || m.Topic[0] != 'b') {
		return false
	}
	if _, err := fmt.Sscanf(string(m.Payload), "%d.", &k); err == nil && k < len(w.beacons) {
		w.beacons[k].beacon.taken++
		w.count.beacons++
	}
	return true
}

// checkBeacons: all that has come to the gateway was published.
func (w *world) checkBeacons() {
	for _, d := range w.beacons {
		if b := d.beacon; b.taken != b.heard {
			w.fault(d, "%d of its messages at QoS -1 have come, and %d were published", b.heard, b.taken)
			b.taken = b.heard
		}
	}
}
