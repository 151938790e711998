package gateway

import (
	"sync"
	"time"
)

// readyList collects the clients that the broker has something for. Any goroutine may add to it, the one that runs the
// link's machine included: it takes no lock but its own.
type readyList struct {
	mu      sync.Mutex
	clients []*client
	running bool          // somebody will call take before they stop looking
	signal  chan struct{} // one slot
}

// Wake makes client a broker.Waker: it queues the client for the loop of its link and returns.
func (c *client) Wake() {
	if c.woken.CompareAndSwap(false, true) {
		c.link.Load().ready.add(c)
	}
}

func (r *readyList) add(c *client) {
	r.mu.Lock()
	r.clients = append(r.clients, c)
	running := r.running
	r.mu.Unlock()
	if !running {
		select {
		case r.signal <- struct{}{}:
		default:
		}
	}
}

// begin promises that take will be called until it returns nothing, so that wake-ups until then need no signal.
func (r *readyList) begin() {
	r.mu.Lock()
	r.running = true
	r.mu.Unlock()
}

// take moves what is ready into spare. When nothing is, the promise of begin has been kept.
func (r *readyList) take(spare []*client) []*client {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.clients) == 0 {
		r.running = false
		return nil
	}
	ready := r.clients
	r.clients = spare[:0]
	return ready
}

// Pull ends the handling of an input: whom its messages are for is told, and every client that the broker woke is given what it may have. It ends
// because a client is woken once until it has been drained, and a client that waits for an acknowledgement or sleeps is not drained.
func (l *link) Pull(now time.Time) {
	l.enter(now)
	l.sp.wakes.Flush()
	for {
		ready := l.ready.take(l.spare)
		if ready == nil {
			return
		}
		for i, c := range ready {
			ready[i] = nil
			c.woken.Store(false)
			if c.link.Load() != l {
				c.Wake() // it has moved to another link meanwhile
				continue
			}
			l.pump(c)
		}
		l.spare = ready
	}
}
