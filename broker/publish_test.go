package broker

import (
	"fmt"
	"testing"
	"time"
)

// TestRouteCacheBound publishes to more topics than the cache may hold, with many receivers each.
func TestRouteCacheBound(t *testing.T) {
	b, now := New(Limits{}), time.Unix(1e9, 0)
	const receivers = 100
	for i := range receivers {
		s, _, _ := b.Open(now, Options{ClientID: fmt.Sprint("sub", i)})
		s.Subscribe(now, []Subscription{{Filter: "t/#"}})
	}
	pub, _, _ := b.Open(now, Options{ClientID: "pub"})
	for i := range 3 * routeCacheMax / receivers {
		if i%500 == 0 { // routes of another generation are replaced, not added
			pub.Subscribe(now, []Subscription{{Filter: fmt.Sprint("other", i)}})
		}
		pub.Publish(now, []Inbound{{Message: &Message{Topic: fmt.Sprint("t/", i%2000)}}})
		routed := 0
		if i%100 == 0 {
			for _, r := range b.routes {
				routed += r.cost()
			}
			want(t, "a publish", routed == b.routed, "the cached routes cost %d and are counted as %d", routed, b.routed)
			want(t, "a publish", routed <= routeCacheMax, "the cached routes cost %d, which is at most %d", routed, routeCacheMax)
		}
	}
}
