package client

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"midge/mqttsn"
)

// world is a client and its twin on a link that keeps order and loses and repeats frames, in virtual time.
type world struct {
	rnd  *rand.Rand
	now  time.Time
	c    *Client
	g    *twin
	loss float64

	flight []flying
	seen   map[string]int // payloads that the client reported
	tokens map[Token]mqttsn.QoS
}

type flying struct {
	at    time.Time
	up    bool
	frame []byte
}

const latency = 100 * time.Millisecond

func (w *world) put(up bool, frame []byte) {
	for n := 0; n < 1 || n < 2 && w.rnd.Float64() < 0.05; n++ {
		if w.rnd.Float64() >= w.loss {
			w.flight = append(w.flight, flying{at: w.now.Add(latency), up: up, frame: append([]byte(nil), frame...)})
		}
	}
}

// settle moves output onto the link and takes note of events.
func (w *world) settle() {
	for _, f := range w.c.Output(nil) {
		w.put(true, f.Data)
	}
	for _, f := range w.g.out {
		w.put(false, f)
	}
	w.g.out = nil
	for _, e := range w.c.Events(nil) {
		switch e := e.(type) {
		case Message:
			w.seen[string(e.Payload)]++
		case Published:
			if e.Code == mqttsn.Accepted && !e.Discarded {
				delete(w.tokens, e.Token)
			}
		}
	}
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := end
		if at, ok := w.c.Deadline(); ok && at.Before(next) {
			next = at
		}
		if len(w.flight) > 0 && w.flight[0].at.Before(next) {
			next = w.flight[0].at
		}
		if at := w.g.retryAt; !at.IsZero() && w.g.listens && w.g.stage != 0 && at.Before(next) {
			next = at
		}
		w.now = next
		if len(w.flight) > 0 && !w.flight[0].at.After(next) {
			f := w.flight[0]
			w.flight = w.flight[1:]
			if f.up {
				w.g.receive(w.now, f.frame)
			} else {
				w.c.Receive(w.now, f.frame)
			}
		}
		w.c.Advance(w.now)
		w.g.advance(w.now)
		w.settle()
		if w.now.Equal(end) {
			return
		}
	}
}

// Whatever is lost: QoS 1 arrives, QoS 2 arrives once, both ways, asleep or awake, in order.
func TestNothingIsLostOnALossyLink(t *testing.T) {
	for seed := range uint64(100) {
		w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(0, 0), g: newTwin(), loss: 0.2,
			seen: map[string]int{}, tokens: map[Token]mqttsn.QoS{}}
		w.c = New(Config{ClientID: "d", KeepAlive: time.Minute, Reconnect: 5 * time.Second, QueueMax: 1000, WakeEvery: 40 * time.Second})
		if err := w.c.Connect(w.now); err != nil {
			t.Fatal(err)
		}
		var sent, down []string
		forgotten := 0
		qos := map[string]mqttsn.QoS{}
		for i := range 60 {
			w.run(time.Duration(w.rnd.IntN(20)) * time.Second)
			switch w.rnd.IntN(12) {
			case 0:
				_ = w.c.Sleep(w.now, time.Minute) // refused when not active
			case 1, 2:
				if w.c.State() == Asleep {
					_ = w.c.Connect(w.now)
				}
			case 3:
				if forgotten++; forgotten == 2 { // once a run: a second refusal of one message would be final
					w.g.forgetIDs()
				}
			case 4, 5, 6:
				down = append(down, fmt.Sprint("down", i))
				w.g.queue = append(w.g.queue, down[len(down)-1])
			default:
				p := fmt.Sprint("up", i)
				qos[p] = mqttsn.QoS(1 + w.rnd.IntN(2))
				sent = append(sent, p)
				token, err := w.c.Publish(w.now, Named(fmt.Sprint("t/", i%3)), qos[p], false, []byte(p))
				if err != nil {
					t.Fatalf("seed %d: a publish is taken: %v", seed, err)
				}
				w.tokens[token] = qos[p]
			}
			w.settle()
		}
		for range 100 {
			if w.c.State() == Asleep || w.c.State() == Disconnected {
				_ = w.c.Connect(w.now)
			}
			w.run(20 * time.Second)
			if w.c.Queued() == 0 && len(w.g.queue) == 0 {
				break
			}
		}
		w.check(t, seed, sent, down, qos)
	}
}

func (w *world) check(t *testing.T, seed uint64, sent, down []string, qos map[string]mqttsn.QoS) {
	t.Helper()
	for _, p := range sent {
		if n := w.g.count(p); n < 1 || qos[p] == mqttsn.ExactlyOnce && n != 1 {
			t.Errorf("seed %d: %s of QoS %d arrives at least once, and once at QoS 2: got %d times", seed, p, qos[p], n)
		}
	}
	for _, p := range down {
		if w.seen[p] != 1 {
			t.Errorf("seed %d: %s is reported once: got %d times", seed, p, w.seen[p])
		}
	}
	if !w.g.onlyOrdered(sent) {
		t.Errorf("seed %d: publishes arrive in the order of the requests: sent %v, arrived %v", seed, sent, w.g.got)
	}
	if len(w.tokens) != 0 {
		t.Errorf("seed %d: every publish is reported as done: %v are not", seed, w.tokens)
	}
	if n := w.c.Counters(); n.Acknowledged != uint64(len(sent)) || n.Retransmissions == 0 {
		t.Errorf("seed %d: %d publishes are counted as acknowledged, some frames as repeated: got %+v", seed, len(sent), n)
	}
}
