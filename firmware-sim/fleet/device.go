package fleet

import (
	"math/rand/v2"
	"time"

	"midge/mqttsn"
	"midge/mqttsn/client"
)

// device is one simulated sensor: a machine driven by (now, input), like the client inside it. After any call its
// output holds frames to send, and its deadline may have changed.
type device struct {
	cfg     *Config
	id      string
	sleeper bool
	rng     *rand.Rand
	c       *client.Client
	probe   probe
	reading client.Topic // sensors/ID/QUANTITY
	state   client.Topic // sensors/ID/state
	orders  client.Topic // sensors/ID/set

	// Timers; zero = off.
	startAt   time.Time // first CONNECT, or CONNECT again after a refusal
	readingAt time.Time // next reading; a sleeper reads whenever it connects
	wakeAt    time.Time // end of the present sleep

	began   bool // startAt has come once
	resumed bool // CONNECT went out from sleep, so subscriptions are still there
	pinged  bool // the last wake-up was a PINGREQ; the next is a CONNECT
	ending  bool // no more readings; leave when all is answered

	seq    uint64
	open   uint64 // publishes without an answer
	tally  DeviceReport
	events []client.Event // scratch
}

// How a device waits, each time a random time of the span: before its first CONNECT, so that a fleet does not start in step, and
// before it connects again.
const (
	startSpan      = 2 * time.Second
	reconnectLeast = time.Second
	reconnectSpan  = 2 * time.Second
)

// queueMax is how many requests wait in a device that has lost its gateway. Then it measures and forgets.
const queueMax = 16

// newDevice makes the device with that number, which starts within startSpan of now.
func newDevice(cfg *Config, number, mtu int, now time.Time) *device {
	id := cfg.clientID(number)
	rng := rand.New(rand.NewPCG(cfg.Seed, uint64(number)))
	d := &device{
		cfg: cfg, id: id, rng: rng, sleeper: cfg.sleeper(number),
		probe:  newProbe(number, rng),
		state:  client.Named("sensors/" + id + "/state"),
		orders: client.Named("sensors/" + id + "/set"),
		tally:  DeviceReport{Device: id},
	}
	d.reading = client.Named("sensors/" + id + "/" + d.probe.name)
	d.tally.Sleeper = d.sleeper
	d.startAt = now.Add(d.upTo(min(startSpan, cfg.Interval)))
	d.c = client.New(client.Config{
		ClientID: id, KeepAlive: cfg.KeepAlive, Retry: cfg.Retry, Retries: cfg.Retries,
		Reconnect: reconnectLeast + d.upTo(reconnectSpan), QueueMax: queueMax, MTU: mtu,
		FirstMsgID: uint16(rng.Uint32()),
		Predefined: map[uint16]string{cfg.BootID: "boot"},
	})
	return d
}

// upTo draws a time of 0 to span.
func (d *device) upTo(span time.Duration) time.Duration {
	return time.Duration(d.rng.Float64() * float64(span))
}

// receive handles one frame from the gateway.
func (d *device) receive(now time.Time, frame []byte) {
	d.c.Receive(now, frame)
	d.settle(now)
}

// advance does what is due.
func (d *device) advance(now time.Time) {
	d.c.Advance(now)
	d.settle(now)
	if due(now, d.startAt) {
		d.startAt = time.Time{}
		d.start(now)
	}
	if due(now, d.readingAt) {
		d.read(now)
		if d.readingAt = d.readingAt.Add(d.cfg.Interval); !d.readingAt.After(now) {
			d.readingAt = now.Add(d.cfg.Interval) // late by more than one: a sensor does not catch up
		}
	}
	if due(now, d.wakeAt) {
		d.wakeAt = time.Time{}
		d.wake(now)
	}
	d.settle(now)
}

func due(now, t time.Time) bool { return !t.IsZero() && !now.Before(t) }

// deadline is when advance must be called next; ok is false when only a frame can bring news.
func (d *device) deadline() (at time.Time, ok bool) {
	at, ok = d.c.Deadline()
	for _, t := range [...]time.Time{d.startAt, d.readingAt, d.wakeAt} {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}

// start is power on.
func (d *device) start(now time.Time) {
	first := !d.began
	d.began = true
	if first && (d.cfg.QoS == Mixed || d.cfg.QoS == mqttsn.QoSMinusOne) {
		d.publish(now, client.Predefined(d.cfg.BootID), mqttsn.QoSMinusOne, "boot")
	}
	if d.cfg.QoS == mqttsn.QoSMinusOne {
		d.readingAt = now.Add(d.cfg.Interval)
		return
	}
	d.resumed = false
	d.c.Connect(now) // ErrState: it has connected by itself meanwhile
}

// read publishes a reading.
func (d *device) read(now time.Time) {
	topic := d.reading
	if d.cfg.QoS == mqttsn.QoSMinusOne {
		topic = client.Predefined(d.cfg.BootID) // without a connection there are no other names
	}
	d.publish(now, topic, d.qos(), d.probe.read(d.rng))
}

// qos draws that of the next message.
func (d *device) qos() mqttsn.QoS {
	if d.cfg.QoS == Mixed {
		return mqttsn.QoS(d.rng.IntN(3))
	}
	return d.cfg.QoS
}

func (d *device) publish(now time.Time, topic client.Topic, qos mqttsn.QoS, value string) {
	payload := Reading{value, d.id, d.seq + 1}.append(nil, d.cfg.Payload)
	if _, err := d.c.Publish(now, topic, qos, false, payload); err != nil {
		d.tally.Skipped++ // the queue is full: the gateway is away or too slow
		return
	}
	d.seq++
	d.open++
	d.tally.Sent++
	if qos > mqttsn.AtMostOnce {
		d.tally.Confirmable++
	}
}

// wake ends a sleep: by turns it asks for what waits, or comes back to publish.
func (d *device) wake(now time.Time) {
	if d.c.State() != client.Asleep {
		return
	}
	if !d.pinged && d.c.Queued() == 0 {
		d.pinged = true
		d.c.Wake(now)
		return
	}
	d.pinged = false
	d.comeBack(now)
}

// comeBack makes a sleeping device active.
func (d *device) comeBack(now time.Time) {
	d.resumed = true
	d.c.Connect(now)
}

// leave ends the connection once nothing is open. A sleeper with something left to say comes back first.
func (d *device) leave(now time.Time) {
	switch s := d.c.State(); {
	case s == client.Asleep && d.open > 0:
		d.comeBack(now)
	case s == client.Active || s == client.Asleep:
		if d.open == 0 {
			d.c.Disconnect(now)
		}
	}
}

// end tells the device that its time is over.
func (d *device) end(now time.Time) {
	d.ending = true
	d.startAt, d.readingAt, d.wakeAt = time.Time{}, time.Time{}, time.Time{}
	d.leave(now)
	d.settle(now)
}

// ended reports that an ending device has nothing more to do.
func (d *device) ended() bool {
	s := d.c.State()
	return d.open == 0 && (s == client.Disconnected || s == client.Connecting)
}

// report is the tally with what the client counts.
func (d *device) report() DeviceReport {
	t, n := d.tally, d.c.Counters()
	t.Open = d.open
	t.Acknowledged = n.Acknowledged
	t.Retransmitted = n.Retransmissions
	t.Received = n.Messages
	t.Duplicates = n.Duplicates
	t.State = d.c.State()
	return t
}
