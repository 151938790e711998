package main

import (
	"testing"
	"time"

	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
)

// device runs the device's machine over a real link.
type device struct {
	t      *testing.T
	link   transports.Link
	frames chan []byte
	calls  chan func(*client.Client, time.Time) error
	errs   chan error
	events chan client.Event
	done   chan struct{}
}

// newDevice starts a device that ends with the test.
func newDevice(t *testing.T, link transports.Link, cfg client.Config) *device {
	d := &device{t: t, link: link, frames: make(chan []byte, 100), calls: make(chan func(*client.Client, time.Time) error), errs: make(chan error),
		events: make(chan client.Event, 10_000), done: make(chan struct{})}
	go d.read()
	go d.loop(client.New(cfg))
	t.Cleanup(func() {
		link.Close()
		<-d.done
	})
	return d
}

func (d *device) read() {
	defer close(d.frames)
	frames := []transports.Frame{{Data: make([]byte, 0, 2048)}}
	for {
		frames[0].Data = frames[0].Data[:0]
		if _, err := d.link.ReadFrames(frames); err != nil {
			return
		}
		d.frames <- append([]byte(nil), frames[0].Data...)
	}
}

func (d *device) loop(c *client.Client) {
	defer close(d.done)
	timer := time.NewTimer(time.Hour)
	for {
		if at, ok := c.Deadline(); ok {
			timer.Reset(time.Until(at))
		}
		select {
		case f, ok := <-d.frames:
			if !ok {
				return
			}
			c.Receive(time.Now(), f)
		case call := <-d.calls:
			d.errs <- call(c, time.Now())
		case <-timer.C:
			c.Advance(time.Now())
		}
		for _, f := range c.Output(nil) {
			d.link.WriteFrames([]transports.Frame{{Data: f.Data, Broadcast: f.Broadcast, Radius: f.Radius}})
		}
		for _, e := range c.Events(nil) {
			d.events <- e
		}
	}
}

// do makes a request of the machine.
func (d *device) do(what string, call func(*client.Client, time.Time) error) {
	d.t.Helper()
	d.calls <- call
	if err := <-d.errs; err != nil {
		d.t.Fatalf("device: %s: %v", what, err)
	}
}

func (d *device) connect() {
	d.t.Helper()
	d.do("connect", func(c *client.Client, now time.Time) error { return c.Connect(now) })
	await[client.Connected](d, "the device is connected")
}

func (d *device) publish(topic, payload string, qos mqttsn.QoS) {
	d.t.Helper()
	d.do("publish", func(c *client.Client, now time.Time) error {
		_, err := c.Publish(now, client.Named(topic), qos, false, []byte(payload))
		return err
	})
}

func (d *device) subscribe(filter string, qos mqttsn.QoS) {
	d.t.Helper()
	d.do("subscribe", func(c *client.Client, now time.Time) error {
		_, err := c.Subscribe(now, client.Named(filter), qos)
		return err
	})
	await[client.Subscribed](d, "the device is subscribed")
}

// await returns the next event of a kind; others that come before are skipped.
func await[E client.Event](d *device, sentence string) E {
	d.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-d.events:
			if e, ok := e.(E); ok {
				return e
			}
		case <-deadline:
			d.t.Fatalf("%s: it did not happen", sentence)
		}
	}
}
