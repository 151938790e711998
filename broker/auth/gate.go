package auth

import (
	"context"
	"sync"
)

const (
	// gateBytes bounds the memory of the verifications that are under way: three of the default Argon2 kind, one of a greater.
	gateBytes = 64 << 20
	// verificationsMax bounds their number, whatever their kind: a storm of them must leave others a processor.
	verificationsMax = 8
)

// hashing is the gate of the whole process, since memory is the process's.
var hashing = &gate{free: gateBytes, size: gateBytes}

// gate is a semaphore with weights. Whoever waits is served in order, so that a heavy one is not overtaken for ever.
type gate struct {
	mu      sync.Mutex
	size    int
	free    int
	waiting []*waiter
}

type waiter struct {
	weight int
	open   chan struct{} // closed when the weight has been taken
}

// acquire takes weight, or all there is when it is more, waiting for it until ctx ends.
func (g *gate) acquire(ctx context.Context, weight int) error {
	weight = min(weight, g.size)
	g.mu.Lock()
	if len(g.waiting) == 0 && weight <= g.free {
		g.free -= weight
		g.mu.Unlock()
		return nil
	}
	w := &waiter{weight, make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.open:
		return nil
	case <-ctx.Done():
		g.leave(w)
		return ctx.Err()
	}
}

// release gives back what acquire took.
func (g *gate) release(weight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free += min(weight, g.size)
	g.admit()
}

// leave takes w out of the queue, or gives back what it was given in the meantime.
func (g *gate) leave(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == w {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			g.admit() // those behind may be lighter
			return
		}
	}
	g.free += w.weight
	g.admit()
}

func (g *gate) admit() {
	for len(g.waiting) > 0 && g.waiting[0].weight <= g.free {
		w := g.waiting[0]
		g.waiting[0] = nil
		g.waiting = g.waiting[1:]
		g.free -= w.weight
		close(w.open)
	}
}
