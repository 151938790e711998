package fleet

import (
	"time"

	"midge/mqttsn"
	"midge/mqttsn/client"
)

// settle answers what has happened until nothing more does.
func (d *device) settle(now time.Time) {
	for {
		d.events = d.c.Events(d.events[:0])
		if len(d.events) == 0 {
			return
		}
		for _, e := range d.events {
			d.happened(now, e)
		}
		if d.ending {
			d.leave(now)
		}
	}
}

func (d *device) happened(now time.Time, e client.Event) {
	switch e := e.(type) {
	case client.Connected:
		d.connected(now)
	case client.ConnectRefused:
		d.refused(now, e)
	case client.Lost:
		d.resumed = false // the client connects again by itself
		d.wakeAt = time.Time{}
		d.tally.Losses++
	case client.FellAsleep:
		d.sleepOn(now)
	case client.AwakeEnded:
		d.awakeEnded(now)
	case client.Published:
		d.published(e)
	case client.Message:
		d.ordered(now, e)
	}
}

func (d *device) connected(now time.Time) {
	if !d.resumed {
		d.tally.Connects++
		qos := max(d.cfg.QoS, mqttsn.AtLeastOnce) // people want their commands to arrive
		d.c.Subscribe(now, d.orders, min(qos, mqttsn.ExactlyOnce))
	}
	if d.ending {
		return
	}
	if d.sleeper {
		d.read(now) // it came to publish
		d.c.Sleep(now, d.cfg.SleepDuration)
		return
	}
	if d.readingAt.IsZero() {
		d.readingAt = now.Add(d.upTo(d.cfg.Interval))
	}
}

// refused tries again, unless the client does so itself: on a link that corrupts, a refusal may answer what was never said.
func (d *device) refused(now time.Time, e client.ConnectRefused) {
	d.tally.Refusals++
	if e.Code != mqttsn.Congestion && !d.ending {
		d.startAt = now.Add(reconnectLeast + d.upTo(reconnectSpan))
	}
}

// sleepOn sets the alarm a little before the gateway expects to hear of the device.
func (d *device) sleepOn(now time.Time) {
	d.tally.Sleeps++
	if !d.ending {
		d.wakeAt = now.Add(d.cfg.SleepDuration - d.upTo(d.cfg.SleepDuration/20))
	}
}

// awakeEnded sleeps on, but for an order that wants its answer.
func (d *device) awakeEnded(now time.Time) {
	if d.c.Queued() > 0 && !d.ending {
		d.pinged = false
		d.comeBack(now)
		return
	}
	d.sleepOn(now)
}

// published files the outcome of a message. Acknowledged ones are counted by the client.
func (d *device) published(e client.Published) {
	d.open--
	if e.QoS > mqttsn.AtMostOnce && (e.Discarded || e.Code != mqttsn.Accepted) {
		d.tally.Lost++
	}
}

// ordered takes a command: a number is what the device measures from now on. Its answer tells what it understood.
func (d *device) ordered(now time.Time, m client.Message) {
	if m.Topic != d.orders.Name || d.ending {
		return
	}
	value := oneWord(m.Payload)
	d.probe.set(value)
	d.publish(now, d.state, d.qos(), value)
}
