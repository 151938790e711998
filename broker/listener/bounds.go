package listener

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// bounds hold a listener's connections to what its policy allows in number and rate, in all and per address.
type bounds struct {
	mu     sync.Mutex
	open   int
	rate   rate
	guests map[netip.Prefix]*guest
	swept  time.Time // when guests who are gone were last forgotten
}

// guest is one address: that of a client, or the /64 of an IPv6 client, who has all of it (RFC 4291 §2.5.4).
type guest struct {
	open int
	rate rate
}

// rate counts what comes in a second. It begins with the first of it.
type rate struct {
	since time.Time
	count int
}

// take reports whether one more is within max a second, and counts it if so. 0 means any number.
func (r *rate) take(now time.Time, max int) bool {
	if now.Sub(r.since) >= time.Second {
		r.since, r.count = now, 0
	}
	if max > 0 && r.count >= max {
		return false
	}
	r.count++
	return true
}

// enter counts a connection, unless it is one too many. ok is false then, and why says of what.
func (b *bounds) enter(now time.Time, p *Policy, peer net.Addr) (why refusal, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	g := b.guest(peer)
	switch {
	case p.Connections > 0 && b.open >= p.Connections:
		return refusedListenerFull, false
	case g != nil && p.ConnectionsPerAddress > 0 && g.open >= p.ConnectionsPerAddress:
		return refusedAddressFull, false
	case g != nil && !g.rate.take(now, p.ConnectRatePerAddress):
		return refusedAddressRate, false
	case !b.rate.take(now, p.ConnectRate):
		return refusedRate, false
	}
	b.open++
	if g != nil {
		g.open++
	}
	return 0, true
}

// leave forgets a connection that has entered.
func (b *bounds) leave(peer net.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if g := b.guest(peer); g != nil {
		g.open--
	}
}

// guest finds or makes the guest; nil for a peer that has no address.
func (b *bounds) guest(peer net.Addr) *guest {
	at, ok := peer.(*net.TCPAddr)
	if !ok {
		return nil
	}
	ip := at.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return nil
	}
	if b.guests == nil {
		b.guests = make(map[netip.Prefix]*guest)
	}
	g := b.guests[prefix]
	if g == nil {
		g = new(guest)
		b.guests[prefix] = g
	}
	return g
}

// sweep forgets guests without connections who have not come in the last second. It is done once a second at most.
func (b *bounds) sweep(now time.Time) {
	if now.Sub(b.swept) < time.Second {
		return
	}
	b.swept = now
	for prefix, g := range b.guests {
		if g.open == 0 && now.Sub(g.rate.since) >= time.Second {
			delete(b.guests, prefix)
		}
	}
}
