package udp

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"midge/transports"
)

// What a group's socket takes. Broadcasts are short (SEARCHGW is 3 octets, a QoS −1 publish some tens) and rare.
const (
	groupFrameMax = 2048 // octets of one frame
	inboxMax      = 256  // frames that wait for ReadFrames
)

// groupSocket hears one group that the main socket cannot, and has a goroutine that reads it.
type groupSocket struct {
	conn *net.UDPConn
	io   datagrams
	done chan struct{} // closed when the reader has ended, which closing conn brings about
}

func openGroup(m membership, own func(transports.Addr) bool, to *inbox) (*groupSocket, error) {
	conn, err := listenGroup(m.group, m.ifindex)
	if err != nil {
		return nil, err
	}
	onlyJoined(conn)
	s := &groupSocket{conn: conn, done: make(chan struct{})}
	if s.io, _, err = newDatagrams(conn, ioConfig{mtu: groupFrameMax, broadcast: true, own: own}, to.counters); err != nil {
		conn.Close()
		return nil, err
	}
	go s.run(to)
	return s, nil
}

func (s *groupSocket) run(to *inbox) {
	defer close(s.done)
	frames := make([]transports.Frame, 4)
	for i := range frames {
		frames[i].Data = make([]byte, 0, groupFrameMax)
	}
	for {
		n, err := s.io.read(frames)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if n > 0 {
			to.put(frames[:n])
		}
	}
}

// inbox hands frames of the group readers to ReadFrames.
type inbox struct {
	wake     func() // makes a waiting ReadFrames look here
	counters *transports.Counters
	waiting  atomic.Int32
	mu       sync.Mutex
	frames   []transports.Frame
}

// put copies frames in; those that find it full are dropped.
func (b *inbox) put(frames []transports.Frame) {
	b.mu.Lock()
	for i := range frames {
		if len(b.frames) == inboxMax {
			b.counters.Count(transports.ReasonQueueFull, 1)
			continue
		}
		f := frames[i]
		f.Data = append([]byte(nil), f.Data...)
		b.frames = append(b.frames, f)
	}
	b.waiting.Store(int32(len(b.frames)))
	b.mu.Unlock()
	b.wake()
}

// take moves what waits into the caller's buffers and returns how many it filled.
func (b *inbox) take(frames []transports.Frame) (n int) {
	if b.waiting.Load() == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.frames) > 0 && n < len(frames) {
		f := b.frames[0]
		b.frames = b.frames[1:]
		if len(f.Data) > cap(frames[n].Data) {
			b.counters.Count(transports.ReasonOversize, 1)
			continue
		}
		room := frames[n].Data[:len(f.Data)]
		copy(room, f.Data)
		f.Data = room
		frames[n] = f
		n++
	}
	b.waiting.Store(int32(len(b.frames)))
	return n
}
