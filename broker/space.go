package broker

import (
	"context"
	"time"
)

// spaceLoop looks after the free space of the disk, until ctx ends.
func (b *Broker) spaceLoop(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		full := b.store.CheckSpace()
		b.mu.Lock()
		changed := full != b.diskFull
		b.diskFull = full
		b.mu.Unlock()
		if changed || !said {
			said = true
			b.Announce(time.Now(), Figure{"$SYS/broker/store/state", map[bool]string{false: "ok", true: "full"}[full]})
		}
	}
}

// Say publishes what a front end has to say for itself and not for a client: nobody's rights are asked. Whom it is for is told when wakes is flushed.
func (b *Broker) Say(now time.Time, wakes *Wakes, m *Message) {
	by := b.hold(Options{Wakes: wakes})
	b.mu.Lock()
	b.admit(now, by, nil, m)
	b.unlock()
}

// Figure is something that the broker says of itself.
type Figure struct{ Topic, Value string }

// Announce publishes retained values of the broker's own, under $SYS. They are not kept over a restart.
func (b *Broker) Announce(now time.Time, figures ...Figure) {
	by := b.hold(Options{})
	b.mu.Lock()
	for _, f := range figures {
		b.distribute(now, by, &Message{Topic: f.Topic, Payload: []byte(f.Value), Retain: true})
	}
	b.unlock()
	by.wake()
}
