// Package interop plays what users do with clients that others wrote against the listener over TCP: Eclipse Paho's Go clients for MQTT 3.1 and 3.1.1
// (paho.mqtt.golang) and for MQTT 5 (paho.golang), each as publisher and as subscriber. Mosquitto's tools are in cmd/midge.
package interop

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/listener"
)

// patience is how long a message that must come is waited for.
const patience = 20 * time.Second

// message is what a user publishes or gets.
type message struct {
	topic, payload string
	qos            byte
	retain         bool
}

// options are what a user connects with.
type options struct {
	id   string
	keep bool // the session outlives the connection
	will *message
}

// user is a client of one of the libraries.
type user interface {
	subscribe(filter string, qos byte) error
	publish(m message) error // returns when it is acknowledged
	messages() <-chan message
	lose()  // the network connection
	leave() // with DISCONNECT
}

// library makes users.
type library struct {
	name    string
	blind   bool // its protocol does not tell whether there is a session
	connect func(addr string, o options) (u user, present bool, err error)
}

var libraries = []library{
	{name: "MQTT 3.1", blind: true, connect: connect3(3)},
	{name: "MQTT 3.1.1", connect: connect3(4)},
	{name: "MQTT 5", connect: connect5},
}

// house is a server on TCP that libraries connect to.
type house struct {
	t    *testing.T
	addr string
}

func open(t *testing.T) *house {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := broker.New(broker.Limits{})
	done := make(chan error, 2)
	go func() {
		done <- listener.New(b, listener.Config{}, slog.New(slog.DiscardHandler)).Serve(ctx, l, listener.Policy{ResponseInformation: true})
	}()
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("the server ends without an error: %v", err)
			}
		}
	})
	return &house{t, l.Addr().String()}
}

// join connects a user; present is whether the server must have a session of it.
func (h *house) join(l library, o options, present bool) user {
	h.t.Helper()
	u, had, err := l.connect(h.addr, o)
	if err != nil {
		h.t.Fatalf("%s connects as %q: %v", l.name, o.id, err)
	}
	if had != present && !l.blind {
		h.t.Errorf("%s is told whether there is a session of %q: %v, want %v", l.name, o.id, had, present)
	}
	h.t.Cleanup(u.lose)
	return u
}

func (h *house) subscribe(u user, filter string, qos byte) {
	h.t.Helper()
	if err := u.subscribe(filter, qos); err != nil {
		h.t.Fatalf("a subscription to %s is granted: %v", filter, err)
	}
}

func (h *house) publish(u user, m message) {
	h.t.Helper()
	if err := u.publish(m); err != nil {
		h.t.Fatalf("a message to %s at QoS %d is taken: %v", m.topic, m.qos, err)
	}
}

// want checks the messages that come next.
func (h *house) want(sentence string, u user, all ...message) {
	h.t.Helper()
	for i, want := range all {
		select {
		case got := <-u.messages():
			if got != want {
				h.t.Errorf("%s: message %d is %+v, want %+v", sentence, i, got, want)
			}
		case <-time.After(patience):
			h.t.Fatalf("%s: message %d does not come: %+v", sentence, i, want)
		}
	}
}

// crosswise runs f with each library as publisher and as subscriber.
func crosswise(t *testing.T, f func(h *house, pub, sub library)) {
	for _, pub := range libraries {
		for _, sub := range libraries {
			t.Run(fmt.Sprintf("from %s to %s", pub.name, sub.name), func(t *testing.T) { f(open(t), pub, sub) })
		}
	}
}

func TestEveryQoS(t *testing.T) {
	crosswise(t, func(h *house, pub, sub library) {
		to := h.join(sub, options{id: "to"}, false)
		h.subscribe(to, "t/+", 2)
		from := h.join(pub, options{id: "from"}, false)
		var all []message
		for i := range 30 {
			m := message{topic: "t/x", payload: fmt.Sprint(i), qos: byte(i % 3)}
			h.publish(from, m)
			all = append(all, m)
		}
		h.want("messages come once, in order and at their QoS", to, all...)
	})
}

func TestRetained(t *testing.T) {
	crosswise(t, func(h *house, pub, sub library) {
		from := h.join(pub, options{id: "from"}, false)
		h.publish(from, message{"kept", "old", 1, true})
		h.publish(from, message{"kept", "value", 1, true})
		h.publish(from, message{"gone", "value", 2, true})
		h.publish(from, message{"gone", "", 1, true})
		to := h.join(sub, options{id: "to"}, false)
		h.subscribe(to, "kept", 1)
		h.want("a new subscriber is given the last value", to, message{"kept", "value", 1, true})
		h.subscribe(to, "gone", 1)
		h.publish(from, message{"gone", "live", 1, false})
		h.want("what was deleted does not come, what is published then does", to, message{"gone", "live", 1, false})
	})
}

func TestWill(t *testing.T) {
	crosswise(t, func(h *house, pub, sub library) {
		to := h.join(sub, options{id: "to"}, false)
		h.subscribe(to, "will/#", 2)
		will := &message{"will/polite", "gone", 1, false}
		h.join(pub, options{id: "polite", will: will}, false).leave()
		will = &message{"will/lost", "gone", 2, false}
		h.join(pub, options{id: "lost", will: will}, false).lose()
		h.want("the will of who is lost is published, that of who says goodbye is not", to, *will)
	})
}

func TestPersistentSession(t *testing.T) {
	crosswise(t, func(h *house, pub, sub library) {
		keeper := options{id: "keeper", keep: true}
		to := h.join(sub, keeper, false)
		h.subscribe(to, "t", 2)
		to.lose()
		from := h.join(pub, options{id: "from"}, false)
		var all []message
		for i := range 10 {
			m := message{topic: "t", payload: fmt.Sprint(i), qos: byte(1 + i%2)}
			h.publish(from, m)
			all = append(all, m)
		}
		to = h.join(sub, keeper, true)
		h.want("a session that was away gets everything since", to, all...)
		to.leave()
		to = h.join(sub, options{id: "keeper"}, false)
		h.publish(from, message{"t", "nobody's", 1, false})
		h.subscribe(to, "t", 1)
		h.publish(from, message{"t", "new", 1, false})
		h.want("a clean start leaves nothing of it", to, message{"t", "new", 1, false})
	})
}

func TestSharedSubscription(t *testing.T) {
	crosswise(t, func(h *house, pub, sub library) {
		one, two := h.join(sub, options{id: "one"}, false), h.join(sub, options{id: "two"}, false)
		for _, u := range []user{one, two} {
			h.subscribe(u, "$share/group/t/#", 1)
		}
		from := h.join(pub, options{id: "from"}, false)
		for i := range 20 {
			h.publish(from, message{"t/x", fmt.Sprint(i), 1, false})
		}
		seen := map[string]user{}
		each := map[user]int{}
		for range 20 {
			select {
			case m := <-one.messages():
				seen[m.payload] = one
				each[one]++
			case m := <-two.messages():
				seen[m.payload] = two
				each[two]++
			case <-time.After(patience):
				h.t.Fatalf("each message goes to a member: got %d of 20", len(seen))
			}
		}
		if len(seen) != 20 || each[one] == 0 || each[two] == 0 {
			h.t.Errorf("each message goes to one member and every member gets some: %d messages, %d and %d", len(seen), each[one], each[two])
		}
		one.leave()
		h.publish(from, message{"t/y", "for who is left", 1, false})
		h.want("when a member has left, the others get everything", two, message{"t/y", "for who is left", 1, false})
	})
}
