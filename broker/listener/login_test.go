package listener

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// porter lets in who knows the password "open", after a while.
type porter struct {
	takes   time.Duration
	expired atomic.Bool // whoever came in must go
	asked   chan struct{}
	gaveUp  atomic.Bool
}

func (p *porter) Login(_ time.Time, l Login) (Verdict, func(context.Context) Verdict) {
	refusal := Verdict{Reason: mqtt.NotAuthorized, Why: "wrong password"}
	switch {
	case l.Identity != "":
		return Verdict{Username: l.Identity}, nil
	case !l.HasPassword:
		return refusal, nil
	}
	return Verdict{}, func(ctx context.Context) Verdict {
		if p.asked != nil {
			close(p.asked)
		}
		sleep(ctx, p.takes)
		switch {
		case ctx.Err() != nil:
			p.gaveUp.Store(true)
			return Verdict{Reason: mqtt.ServerBusy, Why: "too late"}
		case string(l.Password) != "open":
			return refusal
		}
		return Verdict{Username: l.Username, Proof: l.ClientID}
	}
}

func (p *porter) Enhanced(string, Login) Exchange { return nil }

func (p *porter) Access(string, string) broker.Access { return below("mine/") }

func (p *porter) Stays(*Verdict) bool { return !p.expired.Load() }

// below allows the topics with this prefix.
type below string

func (b below) MayRead(topic string) bool  { return bytes.HasPrefix([]byte(topic), []byte(b)) }
func (b below) MayWrite(topic string) bool { return b.MayRead(topic) }
func (b below) MaySubscribe(string) bool   { return true }

func login(id, user, password string) mqtt.Connect {
	p := mqtt.Connect{ClientID: id, CleanStart: true, Username: user, HasUsername: user != "", Password: []byte(password), HasPassword: password != ""}
	return p
}

func TestLogin(t *testing.T) {
	for _, row := range []struct {
		name     string
		v        mqtt.Version
		password string
		takes    time.Duration
		code     byte
	}{
		{"the right password", mqtt.V311, "open", 3 * time.Second, 0},
		{"the right password in MQTT 5", mqtt.V5, "open", 3 * time.Second, 0},
		{"a wrong password", mqtt.V311, "shut", 3 * time.Second, 5},
		{"a wrong password in MQTT 5", mqtt.V5, "shut", 3 * time.Second, byte(mqtt.NotAuthorized)},
		{"none", mqtt.V311, "", 3 * time.Second, 5},
		{"a decision that takes too long", mqtt.V311, "open", time.Minute, 3},
		{"a decision that takes too long, in MQTT 5", mqtt.V5, "open", time.Minute, byte(mqtt.ServerBusy)},
	} {
		t.Run(row.name, func(t *testing.T) {
			in(t, Policy{Auth: &porter{takes: row.takes}}, broker.Limits{}, func(h *house) {
				c := h.dial(row.v)
				p := login("c", "u", row.password)
				p.Version = row.v
				c.send(p.Append(nil))
				time.Sleep(min(row.takes, loginTimeout))
				if got := c.next(); len(got) < 4 || got[0] != 0x20 || got[3] != row.code {
					t.Fatalf("%s is answered with %d: got % x", row.name, row.code, got)
				}
				if row.code != 0 {
					time.Sleep(lingerWait)
					c.wantClosed("and who is not let in is disconnected")
					if n := h.server.Faults()[map[byte]string{5: "not_authorized", 0x87: "not_authorized", 3: "server_busy", 0x89: "server_busy"}[row.code]]; n != 1 {
						t.Errorf("the refusal is counted: got %v", h.server.Faults())
					}
				}
			})
		})
	}
}

func TestAccessComesWithTheLogin(t *testing.T) {
	in(t, Policy{Auth: &porter{}}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5).connect(login("c", "u", "open"))
		c.publish("mine/t", "x", 1, 1)
		c.want("what the client may write is taken", 0x40, 3, 0, 1, byte(mqtt.NoMatchingSubscribers))
		c.publish("theirs", "x", 1, 2)
		c.want("what it may not write is refused", 0x40, 3, 0, 2, byte(mqtt.NotAuthorized))
		old := h.dial(mqtt.V311).connect(login("old", "u", "open"))
		old.publish("theirs", "x", 1, 2)
		old.want("an MQTT 3 client is acknowledged all the same, as it has no word for it", 0x40, 2, 0, 2)
		old.publish("theirs", "x", 2, 3)
		old.want("likewise at QoS 2", 0x50, 2, 0, 3)
	})
}

func TestReviewDisconnectsWhoMayNotStay(t *testing.T) {
	p := &porter{}
	in(t, Policy{Auth: p}, broker.Limits{}, func(h *house) {
		five, three := h.dial(mqtt.V5).connect(login("five", "u", "open")), h.dial(mqtt.V311).connect(login("three", "u", "open"))
		if n := h.server.Review(); n != 0 {
			t.Errorf("who may stay stays: %d have gone", n)
		}
		p.expired.Store(true)
		if n := h.server.Review(); n != 2 {
			t.Errorf("who may not stay goes: %d have gone", n)
		}
		five.want("an MQTT 5 client is told why", 0xE0, 1, byte(mqtt.NotAuthorized))
		five.wantClosed("and disconnected")
		three.wantClosed("an MQTT 3 client is disconnected")
		late := h.dial(mqtt.V5)
		late.connect(login("late", "u", "open"))
		late.want("a verdict that is out of date when the client comes in lets nobody stay", 0xE0, 1, byte(mqtt.NotAuthorized))
	})
}

// TestShutdownWhileDeciding ends the server while a client waits for its verdict.
func TestShutdownWhileDeciding(t *testing.T) {
	p := &porter{takes: time.Hour, asked: make(chan struct{})}
	in(t, Policy{Auth: p}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5)
		packet := login("c", "u", "open")
		packet.Version = mqtt.V5
		c.send(packet.Append(nil))
		<-p.asked
		begun := time.Now()
		h.end()
		h.end = func() {}
		if d := time.Since(begun); d > time.Second || !p.gaveUp.Load() {
			t.Errorf("the decision is given up: the end took %v", d)
		}
		synctest.Wait()
		for got := c.next(); got != nil; got = c.next() {
			if got[3] == 0 {
				t.Errorf("nobody is let in at the end: got % x", got)
			}
		}
	})
}

// The same over sockets in a loop.

func serveWith(t *testing.T, p *porter) string { return serve(t, Policy{Auth: p}) }

func TestLoginInALoop(t *testing.T) {
	addr := serveWith(t, &porter{takes: 20 * time.Millisecond})
	c := dialTCP(t, addr)
	c.v = mqtt.V5
	p := login("c", "u", "open")
	p.Version = c.v
	sub := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "mine/#", QoS: 1}}}
	all := sub.Append(p.Append(nil), c.v)
	all = append(all, publishPacket(c.v, "mine/t", "x", 1, 2)...)
	all = append(all, publishPacket(c.v, "mine/t", "y", 1, 3)[:5]...) // the rest follows
	c.Write(all)
	if got, err := readPacket(c); err != nil || got[0] != 0x20 || got[3] != 0 {
		t.Fatalf("the client is let in: % x, %v", got, err)
	}
	c.want("what the client sent with its CONNECT is handled when it is let in: SUBACK", 0x90, 4, 0, 1, 0, 1)
	c.want("and PUBACK", 0x40, 2, 0, 2)
	if got, err := readPacket(c); err != nil || got[0] != 0x32 {
		t.Fatalf("the message is delivered: % x, %v", got, err)
	}
	c.Write(publishPacket(c.v, "mine/t", "y", 1, 3)[5:])
	c.want("a packet that was cut by the wait is whole again", 0x40, 2, 0, 3)

	bad := dialTCP(t, addr)
	p = login("bad", "u", "shut")
	p.Version = mqtt.V311
	bad.Write(append(p.Append(nil), publishPacket(mqtt.V311, "mine/t", "z", 1, 2)...))
	bad.want("a wrong password is refused", 0x20, 2, 0, 5)
	bad.wantEnd("and what followed it is not looked at")
}

// TestOthersAreServedWhileOneWaits lets many log-ins wait in the loop that another client lives in.
func TestOthersAreServedWhileOneWaits(t *testing.T) {
	p := &porter{takes: time.Hour}
	addr := serveWith(t, p)
	for i := range 50 {
		c := dialTCP(t, addr)
		packet := login(string(rune('A'+i)), "u", "open")
		packet.Version = mqtt.V311
		c.Write(packet.Append(nil))
	}
	begun := time.Now()
	other := dialTCP(t, addr)
	other.Write(connectPacket(mqtt.V311, "other"))
	other.want("a client that needs no decision is answered at once", 0x20, 2, 0, 5)
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("nobody waits for others' decisions: it took %v", d)
	}
}

// TestResetWhileDeciding resets a connection whose verdict is awaited.
func TestResetWhileDeciding(t *testing.T) {
	p := &porter{takes: time.Hour, asked: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, l, Policy{Auth: p}) }()
	c := dialTCP(t, l.Addr().String())
	packet := login("c", "u", "open")
	packet.Version = mqtt.V311
	c.Write(packet.Append(nil))
	<-p.asked
	c.SetLinger(0)
	c.Close()
	begun := time.Now()
	cancel()
	if err := <-done; err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("the server ends without waiting for the decision: %v after %v", err, time.Since(begun))
	}
	if !p.gaveUp.Load() {
		t.Error("the decision is given up when its client has gone")
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) && err != io.EOF {
		t.Errorf("the client has closed its side: %v", err)
	}
}
