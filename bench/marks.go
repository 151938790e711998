package main

import (
	"fmt"
	"io"
)

// A mark is what Midge is to reach at a work.
type mark struct {
	work  string
	limit float64
	most  bool   // limit is the most, not the least, that value may be
	what  string // what value returns
	value func(midge, base figures) float64
}

var marks = []mark{
	{"qos0-fanin", 10, false, "times the rate of mosquitto", rateRatio},
	{"qos0-fanout", 20, false, "times the rate of mosquitto", rateRatio},
	{"qos1-pairs", 6, false, "times the rate of mosquitto", rateRatio},
	{"slow-publishers", 1, true, "times the CPU of mosquitto", cpuRatio},
	{"sn-20", 20, true, "us of CPU per message", ownCPU},
	{"sn-1000", 15, true, "us of CPU per message", ownCPU},
	{"sn-asleep", 2048, true, "octets of memory per sleeping device", ownMemory},
}

func rateRatio(m, b figures) float64 { return divide(m.rate, b.rate) }
func cpuRatio(m, b figures) float64  { return divide(m.cpu, b.cpu) }
func ownCPU(m, _ figures) float64    { return m.cpu }
func ownMemory(m, _ figures) float64 { return m.perConn }

// divide returns 0, which means not measured, when b is 0.
func divide(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// reached says whether v is on the right side of the limit.
func (m mark) reached(v float64) bool {
	if m.most {
		return v <= m.limit
	}
	return v >= m.limit
}

// writeMarks prints each mark that this table can tell of, and whether Midge lost anything anywhere.
func (r results) writeMarks(w io.Writer) {
	for _, m := range marks {
		x := r.find(m.work, "midge")
		if x == nil || len(x.runs) == 0 {
			continue
		}
		v := m.value(summary(x.runs), r.base(m.work))
		if v == 0 {
			continue
		}
		bound, verdict := "at least", "reached"
		if m.most {
			bound = "at most"
		}
		if !m.reached(v) {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "mark %-16s %s %g %s: %.2f, %s\n", m.work, bound, m.limit, m.what, v, verdict)
	}
	r.writeLoss(w)
}

func (r results) writeLoss(w io.Writer) {
	for _, x := range r {
		if x.peer != "midge" || len(x.runs) == 0 {
			continue
		}
		if f := summary(x.runs); f.lost+f.twice+f.late > 0 {
			fmt.Fprintf(w, "mark %-16s nothing lost, repeated or out of order: MISSED\n", x.work)
		}
	}
}
