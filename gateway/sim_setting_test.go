package gateway

import (
	"fmt"
	"strings"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
	device "midge/mqttsn/client"
)

// setting is a topic with a retained message, which many devices subscribe to.
type setting struct {
	deletes []bool // by number: that message has deleted what was retained
	acked   int    // the last one that is acknowledged, -1 = none
	readers []*dev
}

// settingTopics is how many there are.
const settingTopics = 10

func settingTopic(k int) string { return fmt.Sprint("set/", k) }

// heeds is what a device has of its setting.
type heeds struct {
	asked bool // it has subscribed in this session
	floor int  // what was acknowledged last by then: nothing older may be retained; -1 = nothing
	most  int  // the latest that has come since it subscribed
	last  int  // that has come last
	got   map[int]bool
}

func (h *heeds) reset() { *h = heeds{floor: -1, most: -1, last: -1, got: h.got} }

// newSettings has every one of them published now and then.
func (w *world) newSettings() {
	for k := range settingTopics {
		s := &setting{acked: -1}
		for _, d := range w.devs {
			if d.habits.setting && d.i%settingTopics == k {
				s.readers = append(s.readers, d)
			}
		}
		w.settings = append(w.settings, s)
		rng := w.stream(uint64(90 + k))
		w.every(uint64(190+k), 30*time.Minute, func() { w.mqtt.set(k, rng.IntN(6) == 0) })
	}
}

// set publishes the next message of a setting, or deletes it.
func (c *commander) set(k int, deletes bool) {
	if c.s == nil || len(c.unacked) > 1000 {
		return
	}
	s := c.w.settings[k]
	n := len(s.deletes)
	s.deletes = append(s.deletes, deletes)
	m := &broker.Message{Topic: settingTopic(k), QoS: mqtt.QoS(n % 3), Retain: true}
	if deletes {
		m.QoS = mqtt.AtLeastOnce
	} else {
		m.Payload = fmt.Appendf(nil, "s%d.%d", k, n)
	}
	c.w.count.settings++
	c.publish(openCommand{in: broker.Inbound{Message: m}, what: fmt.Sprintf("setting %d of %s", n, m.Topic), acked: func() {
		s.acked = max(s.acked, n)
		for _, d := range s.readers {
			d.shadow.isSafe(string(m.Payload))
		}
	}})
}

// setting takes note of a message of its setting.
func (d *dev) setting(e device.Message) {
	k := d.i % settingTopics
	s, h := d.w.settings[k], &d.heeds
	if len(e.Payload) == 0 && e.Topic == settingTopic(k) && !e.Retain {
		return // it is deleted
	}
	var of, n int
	if _, err := fmt.Sscanf(string(e.Payload), "s%d.%d", &of, &n); err != nil || of != k || e.Topic != settingTopic(k) || n >= len(s.deletes) || s.deletes[n] {
		d.w.fault(d, "it gets a setting that is none of its own: %s %q", e.Topic, e.Payload)
		return
	}
	h.most = max(h.most, n)
	if e.Retain && n < h.floor {
		d.w.fault(d, "setting %d is retained for it, although %d was acknowledged before it subscribed", n, h.floor)
	}
	if h.got[n] || e.QoS == mqttsn.AtMostOnce {
		return
	}
	h.got[n] = true
	if n < h.last {
		d.w.fault(d, "settings come in order: %d came after %d", n, h.last)
	}
	h.last = n
}

// asksForSetting is a SUBSCRIBE that the gateway hears.
func (d *dev) asksForSetting(filter string) {
	if strings.HasPrefix(filter, "set/") && !d.heeds.asked {
		d.heeds.asked, d.heeds.floor = true, d.w.settings[d.i%settingTopics].acked
	}
}

// checkSetting: whoever subscribes has in the end what is retained, whether it came before or after, if that is a message that was acknowledged.
func (d *dev) checkSetting() {
	k := d.i % settingTopics
	if !d.habits.setting || !d.subscribed[settingTopic(k)] {
		return
	}
	if s := d.w.settings[k]; s.acked >= 0 && s.acked == len(s.deletes)-1 && !s.deletes[s.acked] && d.heeds.most < s.acked {
		d.w.fault(d, "setting %d, which was acknowledged and is retained, never came: the last was %d", s.acked, d.heeds.most)
	}
}
