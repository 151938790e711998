package interop

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/extensions/rpc"
)

// paho5 is a client of paho.golang.
type paho5 struct {
	*paho.Client
	conn   net.Conn
	got    chan message
	whole  chan *paho.Publish // the same with properties
	ended  chan *paho.Disconnect
	answer *paho.Connack
}

// within limits a call to patience.
func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func connect5(addr string, o options) (user, bool, error) {
	cp := &paho.Connect{ClientID: o.id, CleanStart: !o.keep, KeepAlive: 30, Properties: &paho.ConnectProperties{RequestProblemInfo: true, RequestResponseInfo: true}}
	if o.keep {
		hour := uint32(3600)
		cp.Properties.SessionExpiryInterval = &hour
	}
	if w := o.will; w != nil {
		cp.WillMessage = &paho.WillMessage{Topic: w.topic, Payload: []byte(w.payload), QoS: w.qos, Retain: w.retain}
	}
	u, err := dial5(addr, cp)
	if err != nil {
		return nil, false, err
	}
	return u, u.answer.SessionPresent, nil
}

func dial5(addr string, cp *paho.Connect) (*paho5, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	u := &paho5{conn: conn, got: make(chan message, 1000), whole: make(chan *paho.Publish, 1000), ended: make(chan *paho.Disconnect, 1)}
	u.Client = paho.NewClient(paho.ClientConfig{
		ClientID: cp.ClientID, Conn: conn, PacketTimeout: patience,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			p := r.Packet
			u.got <- message{p.Topic, string(p.Payload), p.QoS, p.Retain}
			u.whole <- p
			return false, nil
		}},
		OnServerDisconnect: func(d *paho.Disconnect) { u.ended <- d },
	})
	ctx, cancel := within()
	defer cancel()
	u.answer, err = u.Connect(ctx, cp)
	return u, err
}

func (u *paho5) subscribe(filter string, qos byte) error {
	ctx, cancel := within()
	defer cancel()
	_, err := u.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}}})
	return err
}

func (u *paho5) publish(m message) error {
	return u.send(&paho.Publish{Topic: m.topic, Payload: []byte(m.payload), QoS: m.qos, Retain: m.retain})
}

func (u *paho5) send(p *paho.Publish) error {
	ctx, cancel := within()
	defer cancel()
	_, err := u.Publish(ctx, p)
	return err
}

func (u *paho5) messages() <-chan message { return u.got }
func (u *paho5) lose()                    { u.conn.Close() }
func (u *paho5) leave()                   { u.Disconnect(&paho.Disconnect{}) }

// five connects a user of MQTT 5.
func (h *house) five(id string) *paho5 {
	h.t.Helper()
	return h.join(libraries[2], options{id: id}, false).(*paho5)
}

// next is the next message with its properties.
func (h *house) next(sentence string, u *paho5) *paho.Publish {
	h.t.Helper()
	select {
	case p := <-u.whole:
		return p
	case <-time.After(patience):
		h.t.Fatalf("%s: it does not come", sentence)
		return nil
	}
}

// TestRequestResponse uses the library's own request handler.
func TestRequestResponse(t *testing.T) {
	h := open(t)
	service, client := h.five("service"), h.five("client")
	h.subscribe(service, "service/time", 1)
	ctx, cancel := within()
	defer cancel()
	caller, err := rpc.NewHandler(ctx, client.Client)
	if err != nil {
		t.Fatalf("the library subscribes to its response topic: %v", err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		p := h.next("the request arrives", service)
		answer := &paho.Publish{Topic: p.Properties.ResponseTopic, QoS: 1, Payload: []byte("late"),
			Properties: &paho.PublishProperties{CorrelationData: p.Properties.CorrelationData}}
		if err := service.send(answer); err != nil {
			t.Errorf("the service answers: %v", err)
		}
	})
	got, err := caller.Request(ctx, &paho.Publish{Topic: "service/time", QoS: 1, Payload: []byte("how late is it?")})
	serving.Wait()
	if err != nil || string(got.Payload) != "late" {
		t.Errorf("the answer finds the request: %v, %v", got, err)
	}
	if info := client.answer.Properties.ResponseInfo; info != "response/client" {
		t.Errorf("a client that asks is told a branch for its responses: got %q", info)
	}
}

func TestMessageExpiry(t *testing.T) {
	h := open(t)
	keeper := options{id: "keeper", keep: true}
	u := h.join(libraries[2], keeper, false)
	h.subscribe(u, "t", 1)
	u.lose()
	from := h.five("from")
	for payload, seconds := range map[string]uint32{"short": 1, "long": 1000} {
		err := from.send(&paho.Publish{Topic: "t", QoS: 1, Payload: []byte(payload), Properties: &paho.PublishProperties{MessageExpiry: &seconds}})
		if err != nil {
			t.Fatalf("a message with an expiry interval is taken: %v", err)
		}
	}
	time.Sleep(1100 * time.Millisecond) // the first has to expire, and there is no other clock to turn
	back := h.join(libraries[2], keeper, true).(*paho5)
	p := h.next("the message that has not expired", back)
	if left := p.Properties.MessageExpiry; string(p.Payload) != "long" || left == nil || *left == 0 || *left > 999 {
		t.Errorf("what has expired does not come, and the rest comes with what is left of its time: %q, %v", p.Payload, left)
	}
}

// TestPropertiesArrive sends all that travels with a message.
func TestPropertiesArrive(t *testing.T) {
	h := open(t)
	from, to := h.five("from"), h.five("to")
	h.subscribe(to, "t", 1)
	text := byte(1)
	sent := &paho.PublishProperties{ContentType: "text/plain", PayloadFormat: &text, CorrelationData: []byte("17"), ResponseTopic: "r",
		User: paho.UserProperties{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}}}
	if err := from.send(&paho.Publish{Topic: "t", QoS: 1, Payload: []byte("x"), Properties: sent}); err != nil {
		t.Fatal(err)
	}
	got := h.next("the message", to).Properties
	if got.ContentType != sent.ContentType || got.PayloadFormat == nil || *got.PayloadFormat != text || string(got.CorrelationData) != "17" || got.ResponseTopic != "r" ||
		len(got.User) != 3 || got.User[0] != sent.User[0] || got.User[1] != sent.User[1] || got.User[2] != sent.User[2] {
		t.Errorf("all properties arrive as they were sent, in order: %+v", got)
	}
}

func TestTakeOverIsTold(t *testing.T) {
	h := open(t)
	first := h.five("same")
	h.five("same")
	select {
	case d := <-first.ended:
		if d.ReasonCode != 0x8E || d.Properties.ReasonString == "" {
			t.Errorf("who is taken over is told, by code and in words: %+v", d)
		}
	case <-time.After(patience):
		t.Error("who is taken over is told")
	}
}
