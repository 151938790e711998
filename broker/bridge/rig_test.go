package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"midge/broker"
	"midge/broker/mqtt"
)

// rig is a bridge between a real broker core and an upstream that the test plays by hand, packet by packet, in fake time.
type rig struct {
	t      *testing.T
	core   *broker.Broker
	bridge *Bridge
	dialed chan net.Conn
	stop   context.CancelFunc
	ended  chan error
	nextID uint16
	local  *broker.Session
}

// newRig starts the bridge. It must be called inside a synctest bubble; the bridge is stopped and waited for when the test ends.
func newRig(t *testing.T, limits broker.Limits, topics ...Topic) *rig {
	t.Helper()
	return newRigWith(t, limits, Config{Topics: topics})
}

func newRigWith(t *testing.T, limits broker.Limits, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, core: broker.New(limits), dialed: make(chan net.Conn), ended: make(chan error, 1)}
	r.run(cfg)
	t.Cleanup(func() {
		r.stop()
		if err := <-r.ended; err != nil {
			t.Errorf("bridge ended with %v, want no error", err)
		}
	})
	var err error
	r.local, _, err = r.core.Open(time.Now(), broker.Options{ClientID: "local", Protocol: "test", SessionExpiry: broker.Never})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return r
}

// run starts a bridge.
func (r *rig) run(cfg Config) {
	cfg.Name, cfg.ClientID, cfg.AvailabilityTopic, cfg.Address = "cloud", "box-cloud", stateTopic, "mqtt://upstream.test"
	cfg.Rand = rand.New(rand.NewPCG(1, 2))
	r.bridge = New(r.core, cfg, slog.New(slog.DiscardHandler))
	r.bridge.dial = func(ctx context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case r.dialed <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := r.bridge.Open(); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	bridge := r.bridge
	go func() { r.ended <- bridge.Run(ctx) }()
}

// publish publishes to the local broker.
func (r *rig) publish(qos mqtt.QoS, topic, payload string) {
	r.t.Helper()
	r.publishRetained(qos, topic, payload, false)
}

func (r *rig) publishRetained(qos mqtt.QoS, topic, payload string, retain bool) {
	r.t.Helper()
	r.nextID++
	m := &broker.Message{Topic: topic, Payload: []byte(payload), QoS: qos, Retain: retain}
	if _, err := r.local.Publish(time.Now(), []broker.Inbound{{ID: r.nextID, Message: m}}); err != nil {
		r.t.Fatal(err)
	}
	if qos == mqtt.ExactlyOnce {
		r.local.Release(r.nextID)
	}
}

func (r *rig) subscribe(filters ...string) {
	r.t.Helper()
	for _, f := range filters {
		if _, err := r.local.Subscribe(time.Now(), []broker.Subscription{{Filter: f, QoS: 2, RetainAsPublished: true}}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// wantLocal compares what the local subscriber has got since the last call, one line a message.
func (r *rig) wantLocal(sentence string, lines ...string) {
	r.t.Helper()
	synctest.Wait()
	var got []string
	var batch [64]broker.Outbound
	for {
		n, err := r.local.Next(time.Now(), batch[:])
		if err != nil {
			r.t.Fatal(err)
		}
		for _, o := range batch[:n] {
			switch o.Kind {
			case broker.Publish:
				got = append(got, fmt.Sprintf("%s=%s q%d%s", o.Message.Topic, o.Message.Payload, o.QoS, map[bool]string{true: " retain"}[o.Retain]))
				switch o.QoS {
				case 1:
					r.local.Acked(o.ID)
				case 2:
					r.local.Received(o.ID)
				}
			case broker.Pubrel:
				r.local.Completed(o.ID)
			}
		}
		if n == 0 {
			break
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(lines, "\n"); g != w {
		r.t.Fatalf("%s: local subscriber got\n%s\nwant\n%s", sentence, g, w)
	}
}

// peer is the upstream's end of one connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   chan string
}

// dial waits for the bridge's next connection.
func (r *rig) dial() *peer {
	r.t.Helper()
	select {
	case conn := <-r.dialed:
		p := &peer{t: r.t, conn: conn, in: make(chan string, 1000)}
		go p.read()
		r.t.Cleanup(func() { conn.Close() })
		return p
	case <-time.After(10 * time.Minute):
		r.t.Fatal("the bridge did not connect within ten minutes")
		return nil
	}
}

// accept goes through CONNECT and the subscriptions, at which filters are all granted.
func (r *rig) accept(present bool, filters int) *peer {
	r.t.Helper()
	p := r.dial()
	p.connack(present)
	p.granted(filters)
	return p
}

func (p *peer) connack(present bool) {
	p.t.Helper()
	p.wantPrefix("the bridge begins with CONNECT", "CONNECT")
	flag := byte(0)
	if present {
		flag = 1
	}
	p.write(0x20, 2, flag, 0)
}

func (p *peer) granted(filters int) {
	p.t.Helper()
	for ; filters > 0; filters -= filtersPerSubscribe {
		line := p.next()
		var id, n int
		if _, err := fmt.Sscanf(line, "SUBSCRIBE id=%d filters=%d", &id, &n); err != nil {
			p.t.Fatalf("the bridge subscribes before anything else: got %q", line)
		}
		b := []byte{0x90, byte(2 + n), byte(id >> 8), byte(id)}
		for range n {
			b = append(b, 2)
		}
		p.write(b...)
	}
}

// online accepts the availability message that begins the exchange.
func (p *peer) online() *peer {
	p.t.Helper()
	line := p.next()
	var id int
	if _, err := fmt.Sscanf(line, "PUBLISH midge/box/bridge/cloud/state=1 q1 id=%d retain", &id); err != nil {
		p.t.Fatalf("a connected bridge says so first: got %q", line)
	}
	p.ack(4, uint16(id))
	return p
}

func (p *peer) read() {
	defer close(p.in)
	for {
		cp, err := packets.ReadPacket(p.conn)
		if err != nil {
			return
		}
		p.in <- render(cp)
	}
}

func render(cp packets.ControlPacket) string {
	switch c := cp.(type) {
	case *packets.ConnectPacket:
		return fmt.Sprintf("CONNECT level=%#x client=%s clean=%v will=%s:%s keepalive=%d", c.ProtocolVersion, c.ClientIdentifier, c.CleanSession, c.WillTopic, c.WillMessage, c.Keepalive)
	case *packets.PublishPacket:
		s := fmt.Sprintf("PUBLISH %s=%s q%d", c.TopicName, c.Payload, c.Qos)
		if c.Qos > 0 {
			s += fmt.Sprintf(" id=%d", c.MessageID)
		}
		if c.Retain {
			s += " retain"
		}
		if c.Dup {
			s += " dup"
		}
		return s
	case *packets.SubscribePacket:
		return fmt.Sprintf("SUBSCRIBE id=%d filters=%d", c.MessageID, len(c.Topics))
	case *packets.PingreqPacket, *packets.DisconnectPacket:
		return name(cp)
	}
	return fmt.Sprintf("%s id=%d", name(cp), cp.Details().MessageID)
}

func name(cp packets.ControlPacket) string {
	return strings.TrimSuffix(strings.ToUpper(strings.TrimPrefix(fmt.Sprintf("%T", cp), "*packets.")), "PACKET")
}

// next is the next packet from the bridge but PINGREQ, which is answered; "closed" at the end and "nothing" after ten silent minutes.
func (p *peer) next() string {
	p.t.Helper()
	for {
		select {
		case line, ok := <-p.in:
			switch {
			case !ok:
				return "closed"
			case line == "PINGREQ":
				p.write(0xD0, 0)
				continue
			}
			return line
		case <-time.After(10 * time.Minute):
			return "nothing"
		}
	}
}

// want compares the next packets.
func (p *peer) want(sentence string, lines ...string) {
	p.t.Helper()
	for _, w := range lines {
		if got := p.next(); got != w {
			p.t.Fatalf("%s: bridge sent %q, want %q", sentence, got, w)
		}
	}
}

func (p *peer) wantPrefix(sentence, prefix string) string {
	p.t.Helper()
	got := p.next()
	if !strings.HasPrefix(got, prefix) {
		p.t.Fatalf("%s: bridge sent %q, want %s…", sentence, got, prefix)
	}
	return got
}

// packetID is the identifier in a line.
func packetID(line string) (id uint16) {
	fmt.Sscanf(line[strings.Index(line, "id="):], "id=%d", &id)
	return id
}

// silent checks that nothing has been sent by now.
func (p *peer) silent(sentence string) {
	p.t.Helper()
	synctest.Wait()
	select {
	case line, ok := <-p.in:
		if ok {
			p.t.Fatalf("%s: bridge sent %q", sentence, line)
		}
		p.t.Fatalf("%s: bridge closed the connection", sentence)
	default:
	}
}

func (p *peer) write(b ...byte) {
	p.t.Helper()
	p.conn.SetWriteDeadline(time.Now().Add(time.Minute))
	if _, err := p.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		p.t.Fatalf("the bridge reads what upstream sends: %v", err)
	}
}

// ack sends an acknowledgement: 4 PUBACK, 5 PUBREC, 6 PUBREL, 7 PUBCOMP.
func (p *peer) ack(kind byte, id uint16) {
	p.t.Helper()
	b := kind << 4
	if kind == 6 {
		b |= 2
	}
	p.write(b, 2, byte(id>>8), byte(id))
}

func (p *peer) publish(qos byte, id uint16, topic, payload string, flags ...string) {
	p.t.Helper()
	c := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	c.Qos, c.MessageID, c.TopicName, c.Payload = qos, id, topic, []byte(payload)
	for _, f := range flags {
		c.Dup = c.Dup || f == "dup"
		c.Retain = c.Retain || f == "retain"
	}
	var b strings.Builder
	if err := c.Write(&b); err != nil {
		p.t.Fatal(err)
	}
	p.write([]byte(b.String())...)
}

// cut ends the connection as a broken link does for both; the bridge sees end of file.
func (p *peer) cut() { p.conn.Close() }

func (r *rig) status() Status {
	synctest.Wait()
	return r.bridge.Status()
}
