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
			b.Announce(time.Now(), "$SYS/broker/store/state", map[bool]string{false: "ok", true: "full"}[full])
		}
	}
}

// Announce publishes a retained value of the broker's own, under $SYS.
func (b *Broker) Announce(now time.Time, topic, value string) {
	by := b.hold(Options{})
	b.mu.Lock()
	b.distribute(now, by, &Message{Topic: topic, Payload: []byte(value), Retain: true})
	b.mu.Unlock()
	by.wake()
}
