package listener

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// sequences is where the packet sequences of others lie; see the README there for their format.
const sequences = "../../../shared/conformance/mqtt-sequences"

// contradicts lists the cases that ask for something else than the specification, with the reason.
var contradicts = map[string]string{
	"v5.0   PINGRESP D0 long": "wants the connection closed without DISCONNECT; §4.13.1 says that the server SHOULD send one with the reason",
}

type sequenceGroup struct {
	Group   string
	Disable bool
	Ver     *int
	Connect *bool
	Expect  *bool `json:"expect_disconnect"`
	Tests   []sequence
}

type sequence struct {
	Name    string
	Ver     *int
	Connect *bool
	Expect  *bool `json:"expect_disconnect"`
	Msgs    []struct {
		Type, Payload, Topic string
		QoS                  mqtt.QoS
	}
}

// dialer opens a connection to a server under test.
type dialer func() (net.Conn, error)

// TestConformance plays the packet sequences of Eclipse Mosquitto's test data and compares what comes octet by octet, over TCP and over WebSocket.
func TestConformance(t *testing.T) {
	files, _ := filepath.Glob(sequences + "/*.json")
	if len(files) == 0 {
		t.Skip("the conformance data is not beside this checkout")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			playFile(t, file, func() dialer {
				addr := serve(t, Policy{})
				return func() (net.Conn, error) { return net.Dial("tcp", addr) }
			})
		})
		t.Run(name+" over WebSocket", func(t *testing.T) {
			playFile(t, file, func() dialer {
				addr := serve(t, Policy{WebSocket: &WebSocket{}})
				return func() (net.Conn, error) { return dialWebSocket(addr, nil) }
			})
		})
	}
}

// playFile plays each sequence to a server of its own: to another's, the client of the one before may be subscribed still.
func playFile(t *testing.T, file string, start func() dialer) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []sequenceGroup
	if err := json.Unmarshal(data, &groups); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, g := range groups {
		if g.Disable {
			continue
		}
		for _, s := range g.Tests {
			name := g.Group + " " + s.Name
			if why := contradicts[name]; why != "" {
				t.Logf("%s: left out: %s", name, why)
				continue
			}
			if err := play(start(), &g, &s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func serve(t *testing.T, policy Policy) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := broker.New(broker.Limits{})
	done := make(chan error, 2)
	go func() { done <- New(b, Config{}, slog.New(slog.DiscardHandler)).Serve(ctx, l, policy) }()
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("server ended with %v", err)
			}
		}
	})
	return l.Addr().String()
}

func first[T any](fallback T, options ...*T) T {
	for _, o := range options {
		if o != nil {
			return *o
		}
	}
	return fallback
}

func play(dial dialer, g *sequenceGroup, s *sequence) error {
	version := mqtt.Version(first(4, s.Ver, g.Ver))
	nc, err := dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(5 * time.Second))
	if first(true, s.Connect, g.Connect) {
		connect := mqtt.Connect{Version: version, CleanStart: true, KeepAlive: 60, ClientID: g.Group + " " + s.Name}
		nc.Write(connect.Append(nil))
		if p, err := readPacket(nc); err != nil || p[0] != 0x20 {
			return fmt.Errorf("CONNACK did not come: % x, %v", p, err)
		}
	}
	for i, m := range s.Msgs {
		switch m.Type {
		case "send":
			nc.Write(payload(m.Payload))
		case "publish":
			if err := publishByHelper(dial, m.Topic, m.Payload, m.QoS); err != nil {
				return err
			}
		case "recv":
			want := payload(m.Payload)
			got, err := readPacket(nc)
			if err != nil {
				return fmt.Errorf("message %d: % x did not come: %v", i, want, err)
			}
			if !bytes.Equal(got, want) {
				return fmt.Errorf("message %d: got % x, want % x", i, got, want)
			}
		}
	}
	if first(true, s.Expect, g.Expect) {
		if p, err := readPacket(nc); err == nil {
			return fmt.Errorf("the connection must be closed, but % x came", p)
		} else if os.IsTimeout(err) {
			return fmt.Errorf("the connection must be closed and is open")
		}
		return nil
	}
	nc.Write(mqtt.AppendPingreq(nil))
	if p, err := readPacket(nc); err != nil || p[0] != 0xD0 {
		return fmt.Errorf("the connection must stay open and PINGREQ be answered: % x, %v", p, err)
	}
	return nil
}

func publishByHelper(dial dialer, topic, text string, qos mqtt.QoS) error {
	nc, err := dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(5 * time.Second))
	connect := mqtt.Connect{Version: mqtt.V311, CleanStart: true, ClientID: "helper"}
	nc.Write(connect.Append(nil))
	readPacket(nc)
	p := mqtt.Publish{Topic: []byte(topic), Payload: []byte(text), QoS: qos, ID: 1}
	if qos == 0 {
		p.ID = 0
	}
	nc.Write(p.Append(nil, mqtt.V311))
	if qos > 0 {
		readPacket(nc)
	}
	if qos == 2 {
		nc.Write(mqtt.AppendAck(nil, mqtt.TypePubrel, 1, 0, mqtt.V311))
		readPacket(nc)
	}
	d := mqtt.Disconnect{}
	_, err = nc.Write(d.Append(nil, mqtt.V311))
	return err
}

func readPacket(r io.Reader) ([]byte, error) {
	var p []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			return p, err
		}
		p = append(p, one[0])
		h, err := mqtt.ParseHeader(p)
		if err == mqtt.ErrIncomplete {
			continue
		}
		if err != nil {
			return p, err
		}
		body := make([]byte, h.Length)
		_, err = io.ReadFull(r, body)
		return append(p, body...), err
	}
}

// payload builds the octets that a case describes; the grammar stands in the data's README.
func payload(text string) (b []byte) {
	for text != "" {
		text = strings.TrimLeft(text, " ")
		if strings.HasPrefix(text, "'") {
			s, rest, _ := strings.Cut(text[1:], "'")
			b, text = append(b, s...), rest
			continue
		}
		var token string
		token, text, _ = strings.Cut(text, " ")
		if token == "" {
			continue
		}
		n, err := strconv.Atoi(token[1:])
		switch {
		case strings.ContainsRune("iHkmsLvr", rune(token[0])) && err == nil:
			b = appendNumber(b, token[0], n)
		default:
			h, err := hex.DecodeString(token)
			if err != nil {
				panic("token " + token + " in the data is not understood")
			}
			b = append(b, h...)
		}
	}
	return b
}

func appendNumber(b []byte, kind byte, n int) []byte {
	switch kind {
	case 'i':
		return append(b, byte(n))
	case 'L':
		return binary.BigEndian.AppendUint32(b, uint32(n))
	case 'v', 'r':
		for n > 0x7F {
			b, n = append(b, byte(n)|0x80), n>>7
		}
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint16(b, uint16(n))
}
