package guard

import (
	"context"
	"net"
	"net/netip"
	"time"

	"midge/broker/auth"
	"midge/broker/listener"
)

const (
	// linePlaces is how many log-ins of one address are looked at together. The gate of package auth lets about as many through at a time.
	linePlaces = 4
	// waitingMax bounds the log-ins that wait: each has a goroutine, about 8 KB.
	waitingMax = 4096
	// patience is how long a log-in is held back for earlier failures before it is refused instead.
	patience = 2 * time.Second
)

// line is the log-ins of one address.
type line struct {
	places chan struct{}
	length int // log-ins that stand in it or have a place
}

// stand waits for a place in the line of an address. The line's owner calls leave, also when ok is false.
func (g *Guard) stand(ctx context.Context, address string) (ok bool) {
	g.mu.Lock()
	l := g.lines[address]
	if l == nil {
		l = &line{places: make(chan struct{}, linePlaces)}
		g.lines[address] = l
	}
	l.length++
	g.mu.Unlock()
	select {
	case l.places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave gives back the place, if the log-in had come to one.
func (g *Guard) leave(address string, hadPlace bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[address]
	if hadPlace {
		<-l.places
	}
	if l.length--; l.length == 0 {
		delete(g.lines, address)
	}
}

// turn waits until the throttle lets the log-in be checked, or reports that it is not to be.
func (g *Guard) turn(ctx context.Context, a auth.Attempt) bool {
	for begun := time.Now(); ; {
		now := time.Now()
		g.mu.Lock()
		wait := g.throttle.Wait(now, a)
		g.mu.Unlock()
		switch {
		case wait == 0:
			return true
		case now.Add(wait).Sub(begun) > patience:
			return false
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// mayTry reports whether the throttle lets the log-in be tried now.
func (g *Guard) mayTry(now time.Time, a auth.Attempt) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.throttle.Wait(now, a) == 0
}

// admit counts a log-in that is going to wait, if there is room for one more.
func (g *Guard) admit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting >= waitingMax {
		return false
	}
	g.waiting++
	return true
}

// report tells the throttle how a check has ended.
func (g *Guard) report(now time.Time, a auth.Attempt, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ok {
		g.throttle.Succeeded(a)
		return
	}
	g.throttle.Failed(now, a)
}

// dismiss counts a log-in out that admit has counted.
func (g *Guard) dismiss() {
	g.mu.Lock()
	g.waiting--
	g.mu.Unlock()
}

// attemptOf is a log-in as the throttle sees it, by the user that it names.
func attemptOf(l listener.Login, user string) auth.Attempt {
	return auth.Attempt{Address: addressOf(l.Peer), User: user, Client: l.ClientID}
}

// addressOf is what the throttle knows a peer by; "" for one without an IP address, as on a unix socket.
func addressOf(peer net.Addr) string {
	if peer == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return ""
	}
	return auth.AddressKey(at.Addr())
}
