package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// A stream is a connection whose reads are parsed to their end.
type stream struct {
	io.ReadWriter          // conn, or the socket that took its place
	conn          net.Conn // what was dialled
	buf           []byte
	start, end    int // unread octets are buf[start:end]
}

// fill reads once, after moving the half packet that is left to the front.
func (s *stream) fill() error {
	copy(s.buf, s.buf[s.start:s.end])
	s.start, s.end = 0, s.end-s.start
	if s.end == len(s.buf) {
		return fmt.Errorf("a packet is longer than the read buffer of %d octets", len(s.buf))
	}
	n, err := s.Read(s.buf[s.end:])
	s.end += n
	if n > 0 {
		return nil
	}
	return err
}

// next takes one whole packet from what was read; ok is false when there is none. body is valid until fill.
func (s *stream) next() (head byte, body []byte, ok bool, err error) {
	head, body, n, err := cut(s.buf[s.start:s.end])
	s.start += n
	return head, body, n > 0, err
}

// expect reads until one packet is whole and returns its body, which must be of type head.
func (s *stream) expect(head byte) ([]byte, error) {
	for {
		got, body, ok, err := s.next()
		if err != nil {
			return nil, err
		}
		if ok && got != head {
			return nil, fmt.Errorf("want a packet of type %#02x, got %#02x", head, got)
		}
		if ok {
			return body, nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// handshakeTime bounds dialling, CONNECT and SUBSCRIBE.
const handshakeTime = 10 * time.Second

// connect dials addr and completes CONNECT with a clean session within handshakeTime. bufSize is the read buffer in octets.
func connect(ctx context.Context, addr, clientID string, bufSize int) (*stream, error) {
	return connectAs(ctx, addr, clientID, cleanSession, bufSize)
}

// connectAs is connect with other flags: 0 keeps the session.
func connectAs(ctx context.Context, addr, clientID string, flags byte, bufSize int) (*stream, error) {
	d := net.Dialer{Timeout: handshakeTime}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", clientID, err)
	}
	s := &stream{ReadWriter: conn, conn: conn, buf: make([]byte, bufSize)}
	if err := s.open(clientID, flags); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect %s: %w", clientID, err)
	}
	return s, nil
}

func (s *stream) open(clientID string, flags byte) error {
	s.conn.SetDeadline(time.Now().Add(handshakeTime))
	defer s.conn.SetDeadline(time.Time{})
	if _, err := s.Write(appendConnect(nil, clientID, flags)); err != nil {
		return err
	}
	body, err := s.expect(headConnack)
	if err != nil {
		return err
	}
	if len(body) != 2 || body[1] != 0 {
		return fmt.Errorf("refused by the server with CONNACK % x", body)
	}
	return nil
}

// subscribe completes one SUBSCRIBE within handshakeTime.
func (s *stream) subscribe(filter string, qos byte) error {
	s.conn.SetDeadline(time.Now().Add(handshakeTime))
	defer s.conn.SetDeadline(time.Time{})
	if _, err := s.Write(appendSubscribe(nil, 1, filter, qos)); err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	body, err := s.expect(headSuback)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	if len(body) != 3 || body[2] != qos {
		return fmt.Errorf("subscribe to %s: want QoS %d, got SUBACK % x", filter, qos, body)
	}
	return nil
}
