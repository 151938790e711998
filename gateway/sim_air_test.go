package gateway

import (
	"slices"
	"time"

	"midge/transports"
)

// answers are frames that wait for room on the air. Their devices' shadows hear of them when they are decided: what the gateway believes changes then.
type answers struct{ shown []controlFrame }

// look shows those that are new. One that has taken the place of another is.
func (q *answers) look(p *place) {
	for _, f := range p.l.control.frames {
		if !slices.ContainsFunc(q.shown, func(s controlFrame) bool { return &s.data[0] == &f.data[0] }) {
			p.decided(f.to.addr, f.data)
		}
	}
	q.shown = append(q.shown[:0], p.l.control.frames...)
}

// left reports whether a frame that leaves has been shown already. Some that wait never leave.
func (q *answers) left(to transports.Addr, data []byte) bool {
	for i, f := range q.shown {
		if f.to.addr == to && string(f.data) == string(data) {
			q.shown = slices.Delete(q.shown, i, i+1)
			return true
		}
	}
	return false
}

// airBook is what a link of the gateway has sent lately, to hold it against its airtime.
type airBook struct {
	sent  []spent // of the last hour
	sum   time.Duration
	began []time.Time // the process, in the last hour
	busy  time.Time   // until when the link has something to send
}

// spent is a frame on the air.
type spent struct {
	at   time.Time
	took time.Duration
}

// scarce reports whether time on the air is so short that answers may have to be left out: devices repeat what they have asked.
func (p *place) scarce() bool { return p.cfg.Airtime.Duty > 0 }

// begins is a start of the process, which does not know what was sent before it.
func (b *airBook) begins(p *place) {
	b.busy = time.Time{}
	b.began = append(b.began, p.w.now)
}

// spends takes note of a frame, and that there was room for it.
func (b *airBook) spends(p *place, octets int) {
	a, now := p.cfg.Airtime, p.w.now
	if a.Rate == 0 {
		return
	}
	if ahead := b.busy.Sub(now); ahead > time.Duration(airSlack)+time.Microsecond {
		p.w.fault(nil, "link %s is sent more than it carries: what went before takes %v yet", p.name, ahead)
	}
	took := time.Duration(float64(octets+a.Overhead) / a.Rate * float64(time.Second))
	if b.busy.Before(now) {
		b.busy = now
	}
	b.busy = b.busy.Add(took)
	if !p.scarce() {
		return
	}
	b.sent, b.sum = append(b.sent, spent{now, took}), b.sum+took
	for now.Sub(b.sent[0].at) >= time.Hour {
		b.sum -= b.sent[0].took
		b.sent = b.sent[1:]
	}
	for len(b.began) > 0 && now.Sub(b.began[0]) >= time.Hour {
		b.began = b.began[1:]
	}
	// Each start has a minute's share anew, and a frame.
	share := time.Duration(a.Duty / 100 * float64(time.Hour+time.Duration(len(b.began))*time.Minute))
	if share += time.Duration(1+len(b.began)) * 200 * time.Millisecond; b.sum > share {
		p.w.fault(nil, "link %s is on the air for %v in an hour, not %v", p.name, b.sum, share)
	}
}
