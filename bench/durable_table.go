package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// A durableRow is the outcome of one durable work on one peer.
type durableRow struct {
	work, peer string
	runs       []durableFigures
	errs       []error
}

type durableResults []*durableRow

func (r *durableResults) at(work, peer string) *durableRow {
	if x := r.find(work, peer); x != nil {
		return x
	}
	x := &durableRow{work: work, peer: peer}
	*r = append(*r, x)
	return x
}

func (r durableResults) find(work, peer string) *durableRow {
	for _, x := range r {
		if x.work == work && x.peer == peer {
			return x
		}
	}
	return nil
}

// add keeps what a run gave. A run that failed late may have figures all the same.
func (x *durableRow) add(f durableFigures, err error) {
	if err != nil {
		x.errs = append(x.errs, err)
	}
	if f != (durableFigures{}) {
		x.runs = append(x.runs, f)
	}
}

// durableSummary is the median of each measured figure, and of what went wrong the run that lost the most and the largest counts.
func durableSummary(runs []durableFigures) (s durableFigures) {
	of := func(get func(durableFigures) float64) float64 {
		v := make([]float64, len(runs))
		for i, f := range runs {
			v[i] = get(f)
		}
		return median(v)
	}
	if len(runs) == 0 {
		return s
	}
	s.rate = of(func(f durableFigures) float64 { return f.rate })
	s.cpu = of(func(f durableFigures) float64 { return f.cpu })
	s.others = of(func(f durableFigures) float64 { return f.others })
	s.written = of(func(f durableFigures) float64 { return f.written })
	s.drain = of(func(f durableFigures) float64 { return f.drain })
	s.ready = of(func(f durableFigures) float64 { return f.ready })
	s.anon = of(func(f durableFigures) float64 { return f.anon })
	for i, f := range runs {
		if i == 0 || f.lost > s.lost {
			s.lost, s.due = f.lost, f.due
		}
		s.twice, s.late = max(s.twice, f.twice), max(s.late, f.late)
	}
	return s
}

const durableFormat = "%-16s %-10s %10s %7s %10s %6s %11s %7s %12s %8s %8s %5s  %s\n"

// report measures the device under dir, which is where the servers kept their state, and prints everything.
func (r durableResults) report(w io.Writer, dir string) {
	median, slow, err := syncTime(dir)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	fmt.Fprintf(w, "\n%d cores; fdatasync of 4 KB takes %v here (one in ten %v or more); payload %d octets, topic 20\n\n",
		runtime.NumCPU(), median.Round(time.Microsecond), slow.Round(time.Microsecond), durableSize)
	r.write(w)
	r.writeMarks(w)
}

// write prints the table and below it what went wrong.
func (r durableResults) write(w io.Writer) {
	fmt.Fprintf(w, durableFormat, "durable work", "server", "msg/s", "ratio", "CPU us/msg", "others", "octets/msg", "ratio", "drain msg/s", "ready s", "anon MB", "runs",
		"of what was acknowledged")
	last := ""
	for _, x := range r {
		if last != "" && x.work != last {
			fmt.Fprintln(w)
		}
		last = x.work
		x.write(w, r.base(x.work))
	}
	for _, x := range r {
		for _, err := range x.errs {
			fmt.Fprintf(w, "\n%s on %s: %s\n", x.work, x.peer, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
}

func (r durableResults) base(work string) durableFigures {
	if x := r.find(work, reference); x != nil {
		return durableSummary(x.runs)
	}
	return durableFigures{}
}

func (x *durableRow) write(w io.Writer, base durableFigures) {
	runs := fmt.Sprint(len(x.runs))
	if len(x.errs) > 0 {
		runs += "!"
	}
	if len(x.runs) == 0 {
		fmt.Fprintf(w, durableFormat, x.work, x.peer, "failed", "", "", "", "", "", "", "", "", runs, "")
		return
	}
	f := durableSummary(x.runs)
	fmt.Fprintf(w, durableFormat, x.work, x.peer,
		orDash(f.rate, grouped(f.rate)), ratio(f.rate, base.rate), orDash(f.cpu, fmt.Sprintf("%.1f", f.cpu)), orDash(f.rate, fmt.Sprintf("%.0f %%", 100*f.others)),
		orDash(f.rate, grouped(f.written)), ratio(f.written, base.written), orDash(f.drain, grouped(f.drain)),
		orDash(f.ready, fmt.Sprintf("%.2f", f.ready)), orDash(f.anon, fmt.Sprintf("%.0f", f.anon/1e6)), runs, f.wrong())
}

// wrong says what became of the acknowledged messages.
func (f durableFigures) wrong() string {
	g := figures{due: f.due, lost: f.lost, twice: f.twice, late: f.late}
	return strings.Replace(g.wrong(), "none", "none lost", 1)
}

// brief is the line of progress after a run.
func (f durableFigures) brief(err error) string {
	text := fmt.Sprintf("%s msg/s, %.0f octets/msg, drain %s msg/s, ready %.2f s, %.0f MB, %s",
		grouped(f.rate), f.written, grouped(f.drain), f.ready, f.anon/1e6, f.wrong())
	if err != nil {
		text += ", " + err.Error()
	}
	return time.Now().Format("15:04:05 ") + text
}

// durableMarks are what Midge is to reach at the durable works.
var durableMarks = []struct {
	work  string
	limit float64
	most  bool
	what  string
	value func(durableFigures) float64
}{
	{"durable", 50_000, false, "msg/s (where a sync takes 0.3 ms)", func(f durableFigures) float64 { return f.rate }},
	{"durable", 100_000, false, "msg/s drained", func(f durableFigures) float64 { return f.drain }},
	{"online-50ms", 20, true, "octets written per message", func(f durableFigures) float64 { return f.written }},
	{"offline-50ms", 2*(durableSize+20) + 100, true, "octets written per message", func(f durableFigures) float64 { return f.written }},
	{"restart-queued", 3, true, "s to listening", func(f durableFigures) float64 { return f.ready }},
	{"restart-queued", 80, true, "MB anonymous", func(f durableFigures) float64 { return f.anon / 1e6 }},
	{"restart-queued", 100_000, false, "msg/s drained", func(f durableFigures) float64 { return f.drain }},
	{"restart-kept", 1, true, "s to listening", func(f durableFigures) float64 { return f.ready }},
}

// writeMarks prints each mark that this table can tell of, and whether Midge lost anything.
func (r durableResults) writeMarks(w io.Writer) {
	for _, m := range durableMarks {
		x := r.find(m.work, "midge")
		if x == nil || len(x.runs) == 0 {
			continue
		}
		v := m.value(durableSummary(x.runs))
		bound, verdict := "at least", "reached"
		if m.most {
			bound = "at most"
		}
		if !(mark{limit: m.limit, most: m.most}).reached(v) {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "mark %-16s %s %g %s: %.2f, %s\n", m.work, bound, m.limit, m.what, v, verdict)
	}
	for _, x := range r {
		if x.peer == "midge" && durableSummary(x.runs).lost > 0 {
			fmt.Fprintf(w, "mark %-16s nothing lost: MISSED\n", x.work)
		}
	}
}
