package dtls

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/pion/dtls/v3"

	"midge/transports"
)

// A Device is the device's side: a link with one peer, whose Addr is the zero Addr.
type Device struct {
	conn     *dtls.Conn
	counters *transports.Counters
	inbox    chan arrival
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	work     sync.WaitGroup
	closing  sync.Once
}

var _ transports.Link = (*Device)(nil)

// Dial shakes hands with a gateway. It waits until that is done or ctx ends.
func Dial(ctx context.Context, c DialConfig) (*Device, error) {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("DTLS address %q is not of the form host:port", c.Address)
	}
	address, err := net.ResolveUDPAddr("udp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("DTLS address %q: %w", c.Address, err)
	}
	conn, err := dtls.DialWithOptions("udp", address, c.options(host)...)
	if err != nil {
		return nil, fmt.Errorf("open a DTLS session with %s: %w", c.Address, err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("shake hands with %s: %w", c.Address, err)
	}
	d := &Device{conn: conn, inbox: make(chan arrival, inboxSize),
		counters: transports.NewCounters(transports.ReasonOversize, transports.ReasonQueueFull, transports.ReasonSend)}
	d.ctx, d.stop = context.WithCancel(context.Background())
	s := &session{Conn: conn}
	d.work.Go(func() { s.read(mtuMax, d.take) })
	return d, nil
}

func (d *Device) take(_ transports.Addr, data []byte) {
	select {
	case d.inbox <- arrival{data: bytes.Clone(data)}:
	default:
		d.counters.Count(transports.ReasonQueueFull, 1)
	}
}

// ReadFrames waits for messages of the gateway.
func (d *Device) ReadFrames(frames []transports.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	n, ok := receive(d.inbox, d.ctx.Done(), frames, func() { d.counters.Count(transports.ReasonOversize, 1) })
	if !ok {
		return 0, transports.ErrClosed
	}
	received(d.counters, frames[:n])
	return n, nil
}

// WriteFrames sends each frame as one record to the gateway, broadcasts too.
func (d *Device) WriteFrames(frames []transports.Frame) {
	for i := range frames {
		switch data := frames[i].Data; {
		case d.ctx.Err() != nil:
			return
		case len(data) == 0 || len(data) > mtuMax:
			d.counters.Count(transports.ReasonOversize, 1)
		default:
			write(d.conn, data, d.counters)
		}
	}
}

// MTU is the longest message in octets.
func (d *Device) MTU() int { return mtuMax }

// FormatAddr is the gateway's address.
func (d *Device) FormatAddr(transports.Addr) string { return d.conn.RemoteAddr().String() }

// Stats returns the link's figures.
func (d *Device) Stats() transports.Stats {
	s := d.counters.Stats()
	if s.Up = d.ctx.Err() == nil; !s.Up {
		s.Why = "the link is closed"
	}
	return s
}

// Close ends the session and ReadFrames.
func (d *Device) Close() error {
	d.closing.Do(func() {
		d.stop()
		d.conn.Close()
	})
	d.work.Wait()
	return nil
}
