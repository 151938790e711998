package broker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker/mqtt"
)

// pull is all that Next gives now.
func pull(t *testing.T, s *Session) []Outbound {
	t.Helper()
	dst := make([]Outbound, 10)
	n, err := s.Next(time.Now(), dst)
	want(t, "Next", err == nil, "a session that is held can be pulled: %v", err)
	return dst[:n]
}

func mustOpen(t testing.TB, b *Broker, o Options) *Session {
	t.Helper()
	s, _, err := b.Open(time.Now(), o)
	if err != nil {
		t.Fatalf("open %s: %v", o.ClientID, err)
	}
	return s
}

// TestRun lets Run publish delayed wills and end sessions, by the clock, and end with its context.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()

		watch := mustOpen(t, b, Options{ClientID: "watch"})
		watch.Subscribe(time.Now(), []Subscription{{Filter: "will/#", QoS: mqtt.AtLeastOnce}})
		lose := func(id string, expiry uint32, delay time.Duration) {
			dev := mustOpen(t, b, Options{ClientID: id, SessionExpiry: expiry, Will: &Will{Message: &Message{Topic: "will/" + id}, Delay: delay}})
			dev.Close(time.Now(), Closing{Lost: true})
		}
		lose("slow", 3600, 30*time.Minute)
		lose("quick", 60, 10*time.Second) // due before what Run waits for
		back := mustOpen(t, b, Options{ClientID: "back", SessionExpiry: 5})
		back.Close(time.Now(), Closing{})
		mustOpen(t, b, Options{ClientID: "back", SessionExpiry: 5})

		at := func(after time.Duration, sessions int, wills ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			got := pull(t, watch)
			want(t, after.String(), len(got) == len(wills), "%d wills are published, not %d", len(wills), len(got))
			for i, w := range wills {
				want(t, after.String(), got[i].Message.Topic == w, "the will is %s, not %s", w, got[i].Message.Topic)
			}
			n := b.Counters().Sessions
			want(t, after.String(), n == sessions, "%d sessions are left, not %d", sessions, n)
		}
		at(9999*time.Millisecond, 4)
		at(time.Millisecond, 4, "will/quick")
		at(49999*time.Millisecond, 4)
		at(time.Millisecond, 3)
		at(29*time.Minute, 3, "will/slow")
		at(30*time.Minute-time.Nanosecond, 3)
		at(time.Nanosecond, 2)

		lose("short", 1, time.Hour) // Run waits for nothing now
		at(time.Second, 2, "will/short")

		cancel()
		err := <-ended
		want(t, "the context has ended", err == nil, "Run ends without error, not with %v", err)
	})
}
