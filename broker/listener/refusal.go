package listener

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A refusal is why a connection ended before its first packet was looked at.
type refusal uint8

const (
	refusedServerFull refusal = iota
	refusedListenerFull
	refusedAddressFull
	refusedRate
	refusedAddressRate
	refusedProxyHeader
	refusedHandshake
	refusedIdentity
	refusedUpgrade
	refusalCount
)

// refusalNames are the words for people and metrics.
var refusalNames = [refusalCount]string{
	refusedServerFull:   "too_many_connections",
	refusedListenerFull: "too_many_of_listener",
	refusedAddressFull:  "too_many_of_address",
	refusedRate:         "too_fast",
	refusedAddressRate:  "too_fast_for_address",
	refusedProxyHeader:  "no_proxy_header",
	refusedHandshake:    "tls_handshake",
	refusedIdentity:     "no_identity",
	refusedUpgrade:      "no_websocket",
}

// refusals counts connections that were refused, by reason.
type refusals [refusalCount]struct {
	count atomic.Uint64

	mu    sync.Mutex
	since time.Time // when the lines began to be counted
	lines int
}

// linesMax is how many lines a second a reason is logged with at most: who is refused may try again at once.
const linesMax = 10

// refuse closes a connection that is not to be, counts it, and logs it unless there was too much of that just now. err says more, if there is
// more to say.
func (l *Listener) refuse(nc net.Conn, peer net.Addr, why refusal, err error) {
	defer nc.Close()
	total, say := l.server.refusals.count(time.Now(), why)
	if !say {
		return
	}
	args := []any{"reason", refusalNames[why], "peer", peer, "listener", l.Policy().Name, "so_far", total}
	if err != nil {
		args = append(args, "err", err)
	}
	l.server.log.Warn("connection refused", args...)
}

func (all *refusals) count(now time.Time, why refusal) (total uint64, say bool) {
	r := &all[why]
	total = r.count.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= time.Second {
		r.since, r.lines = now, 0
	}
	r.lines++
	return total, r.lines <= linesMax
}

// Refused tells how many connections ended before their first packet, by reason in lower case with underscores. Every reason is there from the start.
func (s *Server) Refused() map[string]uint64 {
	counts := make(map[string]uint64, refusalCount)
	for why, name := range refusalNames {
		counts[name] = s.refusals[why].count.Load()
	}
	return counts
}
