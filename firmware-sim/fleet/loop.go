package fleet

import (
	"context"
	"sync"
	"time"

	"midge/mqttsn"
	"midge/transports"
)

// loop drives all stations: each link's reader goroutine what its frames concern, one goroutine what is due.
type loop struct {
	mu       sync.Mutex
	stations []*station
	due      dues
	out      outbox
	strays   uint64        // frames on a shared line that are for no device
	changed  chan struct{} // one slot: the first deadline is another, or a device has ended
}

// drive runs one input of a station and sends what comes of it. l.mu is held.
func (l *loop) drive(s *station, input func(*station)) {
	input(s)
	s.send(&l.out)
	l.due.schedule(s)
}

// play serves deadlines until ctx ends, until comes (zero = never) or over reports true.
func (l *loop) play(ctx context.Context, until time.Time, over func() bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		case <-timer.C:
		}
		next, ended := l.advance(over)
		if !until.IsZero() && (next.IsZero() || until.Before(next)) {
			next = until
		}
		if ended || due(time.Now(), until) {
			return
		}
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(time.Until(next))
	}
}

// advance does what is due and returns the next deadline, zero for none.
func (l *loop) advance(over func() bool) (next time.Time, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(l.due) > 0 && !now.Before(l.due[0].at) {
		l.drive(l.due[0], func(s *station) { s.advance(now) })
	}
	if len(l.due) > 0 {
		next = l.due[0].at
	}
	return next, over()
}

// batch is how many frames a reader takes at once, frameMax the longest of them in octets: gateways send readings and commands,
// and 60,000 readers have room of their own.
const (
	batch    = 4
	frameMax = 2048
)

// read feeds what a link receives to the stations that route finds for it, until the link ends.
func (l *loop) read(link transports.Link, route router) error {
	var frames [batch]transports.Frame
	for i := range frames {
		frames[i].Data = make([]byte, 0, min(max(link.MTU(), transports.RoomLeast), frameMax))
	}
	for {
		n, err := link.ReadFrames(frames[:])
		if err != nil {
			return err
		}
		l.receive(frames[:n], route)
	}
}

func (l *loop) receive(frames []transports.Frame, route router) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first time.Time
	if len(l.due) > 0 {
		first = l.due[0].at
	}
	now := time.Now()
	ending := false
	for i := range frames {
		to, data := route(&frames[i])
		if len(to) == 0 {
			l.strays++
		}
		for _, s := range to {
			l.drive(s, func(s *station) { s.receive(now, data) })
			ending = ending || s.ending
		}
	}
	if ending || len(l.due) > 0 && (first.IsZero() || l.due[0].at.Before(first)) {
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
}

// A router finds the stations that a frame is for, and the message in it.
type router func(f *transports.Frame) (to []*station, message []byte)

// alone routes everything to the one station of a link.
func alone(s *station) router {
	to := []*station{s}
	return func(f *transports.Frame) ([]*station, []byte) { return to, f.Data }
}

// byAddr routes the frames of a line with addresses.
func byAddr(stations []*station) router {
	nodes := make(map[transports.Addr][]*station, len(stations))
	for i, s := range stations {
		nodes[s.addr] = stations[i : i+1]
	}
	return func(f *transports.Frame) ([]*station, []byte) {
		if f.Broadcast {
			return stations, f.Data
		}
		return nodes[f.Addr], f.Data
	}
}

// byNode routes the frames of a shared line by the node id of their envelope. What comes without one is for all if it is about a
// gateway, else for nobody.
func byNode(stations []*station) router {
	nodes := make(map[string][]*station, len(stations))
	for i, s := range stations {
		nodes[string(s.node)] = stations[i : i+1]
	}
	return func(f *transports.Frame) ([]*station, []byte) {
		if e, inner, err := mqttsn.ParseEncapsulated(f.Data); err == nil {
			return nodes[string(e.NodeID)], inner
		}
		if t, err := mqttsn.PeekType(f.Data); err == nil && (t == mqttsn.TypeAdvertise || t == mqttsn.TypeGwInfo) {
			return stations, f.Data
		}
		return nil, nil
	}
}
