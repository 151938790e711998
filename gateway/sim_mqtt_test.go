package gateway

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/mqttsn"
	device "midge/mqttsn/client"
)

// mqttSide is who takes part by MQTT: those who watch the reports, and the one who publishes commands. All of them have sessions that stay.
type mqttSide struct {
	w        *world
	watchers []*watcher
	commander
}

func (m *mqttSide) open() {
	for _, v := range m.watchers {
		v.open()
	}
	m.commander.open()
}

func (m *mqttSide) gone() {
	for _, v := range m.watchers {
		v.s = nil
		v.pulling = false
	}
	m.commander.s = nil
}

// watcher is an MQTT client that subscribes to all reports and wills at QoS 2.
type watcher struct {
	w       *world
	id      string
	rng     *rand.Rand
	lag     time.Duration // it takes at most so long to pull
	s       *broker.Session
	offline bool
	pulling bool
	taken   map[uint16]bool // QoS 2 messages that it has, until PUBREL
	got     [][]uint8       // how often each report of each device came
	last    [][3]int        // the report of each device and topic that came last
	wills   []int
}

func (w *world) newWatcher(id string, lag time.Duration) *watcher {
	v := &watcher{w: w, id: id, lag: lag, rng: w.stream(uint64(60 + len(w.mqtt.watchers))), taken: map[uint16]bool{}}
	w.mqtt.watchers = append(w.mqtt.watchers, v)
	return v
}

func (v *watcher) open() {
	if v.offline {
		return
	}
	b := v.w.box
	var err error
	v.s, _, err = b.b.Open(v.w.now, broker.Options{ClientID: v.id, SessionExpiry: broker.Never, ReceiveMaximum: 100, Waker: v})
	b.must(err)
	_, err = v.s.Subscribe(v.w.now, []broker.Subscription{{Filter: "up/#", QoS: 2}, {Filter: "will/#", QoS: 2}})
	b.must(err)
	v.Wake()
}

// leave and come are a connection that is closed and opened again.
func (v *watcher) leave() {
	v.offline, v.pulling = true, false
	if v.s != nil {
		v.s.Close(v.w.now, broker.Closing{})
		v.s = nil
	}
}

func (v *watcher) come() {
	v.offline = false
	if v.w.box.up && v.s == nil {
		v.open()
	}
}

// Wake is for broker.Waker.
func (v *watcher) Wake() {
	if v.pulling || v.s == nil {
		return
	}
	v.pulling = true
	s := v.s
	v.w.after(time.Duration(v.rng.Int64N(int64(v.lag)+1)), func() {
		if v.s == s {
			v.pulling = false
			v.pull()
			v.w.box.settle()
		}
	})
}

func (v *watcher) pull() {
	var dst [32]broker.Outbound
	for {
		n, err := v.s.Next(v.w.now, dst[:])
		v.w.box.must(err)
		for i := range dst[:n] {
			o := &dst[i]
			switch {
			case o.Kind == broker.Pubrel:
				delete(v.taken, o.ID)
				v.s.Completed(o.ID)
				continue
			case o.QoS == mqtt.AtLeastOnce:
				v.s.Acked(o.ID)
			case o.QoS == mqtt.ExactlyOnce:
				v.s.Received(o.ID)
				if v.taken[o.ID] {
					continue
				}
				v.taken[o.ID] = true
			}
			v.take(o.Message)
		}
		if n == 0 {
			return
		}
	}
}

func (v *watcher) take(m *broker.Message) {
	v.w.arrived(m.Payload)
	if i, ok := strings.CutPrefix(m.Topic, "will/"); ok {
		n, _ := strconv.Atoi(i)
		for len(v.wills) <= n {
			v.wills = append(v.wills, 0)
		}
		v.wills[n]++
		return
	}
	i, n, topic := parseReport(m)
	if i < 0 || i >= len(v.w.devs) || n >= len(v.w.devs[i].reports) || int(v.w.devs[i].reports[n].topic) != topic {
		v.w.fault(nil, "%s gets what nobody has published: %s %q", v.id, m.Topic, m.Payload)
		return
	}
	d := v.w.devs[i]
	for len(v.got) <= i {
		v.got = append(v.got, nil)
		v.last = append(v.last, [3]int{-1, -1, -1})
	}
	for len(v.got[i]) <= n {
		v.got[i] = append(v.got[i], 0)
	}
	r := d.reports[n]
	if v.got[i][n]++; v.got[i][n] > 1 {
		if r.qos == 2 {
			v.w.fault(d, "%s gets report %d of QoS 2 %d times", v.id, n, v.got[i][n])
		}
		return
	}
	if r.qos == 0 && !d.place.air.inOrder() {
		return // nothing but the network decides the order of those
	}
	if last := v.last[i][topic]; n < last {
		v.w.fault(d, "%s gets reports in order: %d came after %d", v.id, n, last)
	}
	v.last[i][topic] = n
}

// parseReport reads "uDEVICE.NUMBER …", published to up/DEVICE/TOPIC.
func parseReport(m *broker.Message) (i, n, topic int) {
	if _, err := fmt.Sscanf(m.Topic+" "+string(m.Payload), "up/%d/%d u%d.%d", &i, &topic, &i, &n); err != nil {
		return -1, 0, 0
	}
	return i, n, topic
}

// commander is an MQTT client that publishes commands to devices.
type commander struct {
	w       *world
	rng     *rand.Rand
	s       *broker.Session
	unacked []openCommand
	id      uint16
}

// openCommand is a command that is not acknowledged.
type openCommand struct {
	in       broker.Inbound
	d        *dev   // whose it is; nil = many
	what     string // for people
	acked    func() // takes note of the acknowledgement
	released bool
}

func (c *commander) open() {
	b := c.w.box
	var err error
	c.s, _, err = b.b.Open(c.w.now, broker.Options{ClientID: "commander", SessionExpiry: broker.Never, Waker: c})
	b.must(err)
	for _, o := range c.unacked { // "… MUST resend any unacknowledged …"
		if o.released {
			c.s.Release(o.in.ID)
		} else {
			c.s.Publish(c.w.now, []broker.Inbound{o.in})
		}
	}
	c.Wake()
}

// Wake is for broker.Waker.
func (c *commander) Wake() {
	s := c.s
	c.w.after(0, func() {
		if c.s == s && s != nil {
			c.pull()
			c.w.box.settle()
		}
	})
}

// command publishes one to a device, if it has a subscription.
func (c *commander) command(d *dev) { c.commandAt(d, len(d.commands)%3) }

func (c *commander) commandAt(d *dev, qos int) {
	if c.s == nil || len(c.unacked) > 1000 || d.habits.commands < 0 || len(d.subscribed) < len(d.filters()) {
		return
	}
	n := len(d.commands)
	k := command{qos: uint8(qos), topic: uint8(n / 3 % 2)}
	d.commands = append(d.commands, k)
	c.w.count.commands++
	m := &broker.Message{Topic: commandTopic(d.i, int(k.topic)), QoS: mqtt.QoS(k.qos), Payload: fmt.Appendf(nil, "c%d.%d on", d.i, n)}
	session := d.sessions
	c.w.published(m.Payload)
	c.publish(openCommand{in: broker.Inbound{Message: m}, d: d, what: fmt.Sprint("command ", n), acked: func() {
		if session == d.sessions { // only now is it promised to the session that the device had, and has
			d.commands[n].owed = min(d.commands[n].qos, uint8(d.habits.commands)) > 0
			d.shadow.isSafe(string(m.Payload))
		}
	}})
}

// publish sends something, and keeps it until it is acknowledged.
func (c *commander) publish(o openCommand) {
	if c.id++; c.id == 0 {
		c.id = 1
	}
	o.in.ID = c.id
	if o.in.Message.QoS > 0 {
		c.unacked = append(c.unacked, o)
	}
	c.s.Publish(c.w.now, []broker.Inbound{o.in})
	c.pull()
	c.w.box.settle()
}

func (c *commander) pull() {
	var dst [16]broker.Outbound
	for {
		n, err := c.s.Next(c.w.now, dst[:])
		c.w.box.must(err)
		for _, o := range dst[:n] {
			c.answer(o)
		}
		if n < len(dst) {
			return
		}
	}
}

func (c *commander) answer(a broker.Outbound) {
	for i := range c.unacked {
		o := &c.unacked[i]
		if o.in.ID != a.ID {
			continue
		}
		if a.Reason.Failed() {
			c.w.fault(o.d, "%s is refused: %v", o.what, a.Reason)
		}
		if a.Kind != broker.Pubcomp {
			o.acked()
		}
		if a.Kind == broker.Pubrec {
			o.released = true
			c.s.Release(a.ID)
			return
		}
		c.unacked = append(c.unacked[:i], c.unacked[i+1:]...)
		return
	}
}

// message is something that has reached a device.
func (d *dev) message(e device.Message) {
	switch {
	case strings.HasPrefix(e.Topic, "cmd/"):
		d.commanded(e)
	case strings.HasPrefix(e.Topic, "up/"):
		d.reads(e)
	case d.habits.setting && strings.HasPrefix(e.Topic, "set/"):
		d.setting(e)
	default:
		d.w.fault(d, "it gets what it has not subscribed to: %+v", e)
	}
}

func (d *dev) commanded(e device.Message) {
	d.w.arrived(e.Payload)
	var i, n, topic int
	if _, err := fmt.Sscanf(e.Topic+" "+string(e.Payload), "cmd/%d/%d c%d.%d on", &i, &topic, &i, &n); err != nil || i != d.i || n >= len(d.commands) ||
		int(d.commands[n].topic) != topic {
		d.w.fault(d, "it gets what is not its own: %s %q", e.Topic, e.Payload)
		return
	}
	k := &d.commands[n]
	if k.got++; k.got > 1 {
		if e.QoS == mqttsn.ExactlyOnce {
			d.w.fault(d, "command %d of QoS 2 comes %d times", n, k.got)
		}
		return
	}
	if e.QoS == 0 {
		// "… for the same Topic and QoS, in the order that they were received" (MQTT 5 §4.6): what is in memory only may overtake what waits on disk, and
		// a network of datagrams orders nothing by itself.
		if d.place.air.inOrder() && n < d.lastQoS0[topic] {
			d.w.fault(d, "commands of QoS 0 come in order: %d came after %d", n, d.lastQoS0[topic])
		}
		d.lastQoS0[topic] = n
		return
	}
	if n < d.last[topic] {
		d.w.fault(d, "commands come in order: %d came after %d", n, d.last[topic])
	}
	d.last[topic] = n
}

// reads is a report of another device.
func (d *dev) reads(e device.Message) {
	i, n, topic := parseReport(&broker.Message{Topic: e.Topic, Payload: e.Payload})
	for k, other := range d.habits.reads {
		if other != i {
			continue
		}
		from := d.w.devs[i]
		if d.read[k][n]++; d.read[k][n] > 1 {
			if e.QoS == mqttsn.ExactlyOnce {
				d.w.fault(d, "report %d of %s at QoS 2 comes %d times", n, from.id, d.read[k][n])
			}
			return
		}
		if e.QoS == 0 {
			return // it may overtake, or be overtaken, on either way
		}
		if last, any := d.readLast[k][uint8(topic)]; any && n < last {
			d.w.fault(d, "reports of %s come in order: %d came after %d", from.id, n, last)
		}
		d.readLast[k][uint8(topic)] = n
		return
	}
	d.w.fault(d, "it gets a report that it does not read: %s %q", e.Topic, e.Payload)
}

// routed is a message that the broker has taken, whoever it comes from.
func (w *world) routed(m *broker.Message) {
	if w.beaconed(m) {
		return
	}
	kind, rest, _ := strings.Cut(m.Topic, "/")
	number, _, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(number)
	if err != nil || i >= len(w.devs) {
		return
	}
	d := w.devs[i]
	switch kind {
	case "cmd":
		d.shadow.matched(m, m.Topic)
		d.shadow.matched(m, "cmd/"+number+"/#")
	case "up":
		for _, reader := range d.readers {
			reader.shadow.matched(m, "up/"+number+"/+")
		}
	case "set":
		if len(m.Payload) == 0 {
			return // one deletion is like the other
		}
		for _, reader := range w.settings[i].readers {
			reader.shadow.matched(m, m.Topic)
		}
	case "will":
		w.count.wills++
		d.wills++
		d.shadow.will()
	}
}
