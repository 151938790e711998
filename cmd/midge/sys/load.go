package sys

import (
	"math"
	"time"
)

// load is how much of something there was a minute, as exponentially weighted averages over several spans: Mosquitto's formula, which is that of Unix
// load averages.
type load struct {
	name     string // below "load/"
	of       func(*Figures) uint64
	averages [len(spans)]float64 // a minute
}

var spans = [...]struct {
	name string
	span time.Duration
}{{"1min", time.Minute}, {"5min", 5 * time.Minute}, {"15min", 15 * time.Minute}}

func newLoads() []load {
	return []load{
		{name: "messages/received", of: func(f *Figures) uint64 { return f.MessagesReceived }},
		{name: "messages/sent", of: func(f *Figures) uint64 { return f.MessagesSent }},
		{name: "publish/received", of: func(f *Figures) uint64 { return f.PublishReceived }},
		{name: "publish/sent", of: func(f *Figures) uint64 { return f.PublishSent }},
		{name: "publish/dropped", of: func(f *Figures) uint64 { return f.PublishDropped }},
		{name: "bytes/received", of: func(f *Figures) uint64 { return f.BytesReceived }},
		{name: "bytes/sent", of: func(f *Figures) uint64 { return f.BytesSent }},
		{name: "sockets", of: func(f *Figures) uint64 { return f.Sockets }},
		{name: "connections", of: func(f *Figures) uint64 { return f.Connects }},
	}
}

// add takes in that there were n more within the time that has elapsed.
func (l *load) add(n uint64, elapsed time.Duration) {
	if elapsed <= 0 {
		return
	}
	rate := float64(n) * float64(time.Minute) / float64(elapsed)
	for i, s := range spans {
		l.averages[i] = rate + math.Exp(-float64(elapsed)/float64(s.span))*(l.averages[i]-rate)
	}
}
