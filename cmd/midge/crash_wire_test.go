package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"midge/broker/mqtt"
)

// wire is one MQTT connection. Its packets come out of in, which is closed when the connection has ended and all that came before has been read.
type wire struct {
	conn net.Conn
	v    mqtt.Version
	in   chan packet
	out  []byte // not yet written
}

type packet struct {
	first byte
	body  []byte
}

func (p packet) kind() mqtt.PacketType { return mqtt.PacketType(p.first >> 4) }

// connecting bounds one attempt to connect: a broker that was just killed may leave a connection half open.
const connecting = 5 * time.Second

// dialWire connects and waits for CONNACK.
func dialWire(addr string, c *mqtt.Connect) (*wire, mqtt.Connack, error) {
	conn, err := net.DialTimeout("tcp", addr, connecting)
	if err != nil {
		return nil, mqtt.Connack{}, err
	}
	conn.SetDeadline(time.Now().Add(connecting))
	if _, err := conn.Write(c.Append(nil)); err != nil {
		conn.Close()
		return nil, mqtt.Connack{}, err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	ack, err := readConnack(r, c.Version)
	if err != nil {
		conn.Close()
		return nil, mqtt.Connack{}, err
	}
	conn.SetDeadline(time.Time{})
	w := &wire{conn: conn, v: c.Version, in: make(chan packet, 64)}
	go w.read(r)
	return w, ack, nil
}

func readConnack(r *bufio.Reader, v mqtt.Version) (mqtt.Connack, error) {
	p, err := readPacket(r)
	if err != nil {
		return mqtt.Connack{}, err
	}
	if p.kind() != mqtt.TypeConnack {
		return mqtt.Connack{}, fmt.Errorf("%v came before CONNACK", p.kind())
	}
	ack, err := mqtt.ParseConnack(p.first, p.body, v)
	if err == nil && ack.Reason != mqtt.Success {
		err = fmt.Errorf("CONNACK says %v", ack.Reason)
	}
	return ack, err
}

func readPacket(r *bufio.Reader) (packet, error) {
	for n := 2; ; n++ {
		b, err := r.Peek(n)
		if err != nil {
			return packet{}, err
		}
		h, err := mqtt.ParseHeader(b)
		if err == mqtt.ErrIncomplete {
			continue
		}
		if err != nil {
			return packet{}, err
		}
		r.Discard(h.Size)
		body := make([]byte, h.Length)
		_, err = io.ReadFull(r, body)
		return packet{h.First, body}, err
	}
}

func (w *wire) read(r *bufio.Reader) {
	defer close(w.in)
	for {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		w.in <- p
	}
}

// flush writes what is waiting. A connection that is broken is told by in, not by it.
func (w *wire) flush() {
	if len(w.out) > 0 {
		w.conn.SetWriteDeadline(time.Now().Add(patience))
		w.conn.Write(w.out)
		w.out = w.out[:0]
	}
}

func (w *wire) ack(t mqtt.PacketType, id uint16) {
	w.out = mqtt.AppendAck(w.out, t, id, mqtt.Success, w.v)
}

// close ends the connection and waits for its reader.
func (w *wire) close() {
	w.conn.Close()
	for range w.in {
	}
}

// leave says good-bye: what was acknowledged before has been taken by the broker when it closes the connection.
func (w *wire) leave() {
	w.out = (&mqtt.Disconnect{}).Append(w.out, w.v)
	w.flush()
	w.conn.SetReadDeadline(time.Now().Add(patience))
	for range w.in {
	}
	w.conn.Close()
}

// client is what MQTT clients of the crash test have in common: one client id that connects again and again.
type mqttClient struct {
	h              *history
	id             string
	addr           string
	version        mqtt.Version
	receiveMaximum uint16 // 0 = not said; MQTT 5

	serverMaximum int // how many messages the broker takes at a time, as its last CONNACK says

	mu   sync.Mutex
	wire *wire // the present connection, for cut
}

const sessionExpiry = 3600 // seconds: longer than any test

// connect tries until the broker accepts or ctx ends; then w is nil.
func (c *mqttClient) connect(ctx context.Context) (w *wire, present bool) {
	p := mqtt.Connect{Version: c.version, ClientID: c.id, KeepAlive: 60}
	if c.version == mqtt.V5 {
		p.Props = &mqtt.Properties{SessionExpiry: sessionExpiry}
		p.Props.Mark(mqtt.PropSessionExpiry)
		if c.receiveMaximum != 0 {
			p.Props.ReceiveMaximum = c.receiveMaximum
			p.Props.Mark(mqtt.PropReceiveMaximum)
		}
	}
	for ctx.Err() == nil {
		w, ack, err := dialWire(c.addr, &p)
		if err == nil {
			c.hold(w)
			c.serverMaximum = 0xFFFF
			if ack.Props.Has(mqtt.PropReceiveMaximum) {
				c.serverMaximum = int(ack.Props.ReceiveMaximum)
			}
			return w, ack.SessionPresent
		}
		pause(ctx, 20*time.Millisecond)
	}
	return nil, false
}

func (c *mqttClient) hold(w *wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wire = w
}

// cut breaks the present connection, as a network does.
func (c *mqttClient) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire != nil {
		c.wire.conn.Close()
	}
}

// forget ends the session at the broker.
func (c *mqttClient) forget(ctx context.Context) {
	for ctx.Err() == nil {
		w, _, err := dialWire(c.addr, &mqtt.Connect{Version: c.version, ClientID: c.id, CleanStart: true})
		if err == nil {
			w.leave()
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// pause waits for a while or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
