package main

import (
	"fmt"
	"io"
	"strings"
)

// reference is the peer that ratios are against.
const reference = "mosquitto"

// A row is the outcome of one work on one peer.
type row struct {
	work, peer string
	runs       []figures // of those runs that gave any
	errs       []error
}

// results are the rows in the order of the table.
type results []*row

// at returns the row of a work and peer, and adds it when it is new.
func (r *results) at(work, peer string) *row {
	if x := r.find(work, peer); x != nil {
		return x
	}
	x := &row{work: work, peer: peer}
	*r = append(*r, x)
	return x
}

func (r results) find(work, peer string) *row {
	for _, x := range r {
		if x.work == work && x.peer == peer {
			return x
		}
	}
	return nil
}

// base is the summary of the reference at this work; zero when it did not run.
func (r results) base(work string) figures {
	if x := r.find(work, reference); x != nil && len(x.runs) > 0 {
		return summary(x.runs)
	}
	return figures{}
}

const rowFormat = "%-16s %-10s %12s %7s %10s %7s %10s %6s %8s %7s %5s  %s\n"

// write prints the table and below it what went wrong.
func (r results) write(w io.Writer) {
	fmt.Fprintf(w, rowFormat, "work", "server", "msg/s", "ratio", "CPU us/msg", "ratio", "gen us/msg", "others", "KB/conn", "ratio", "runs", "lost, repeated, out of order")
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
	fmt.Fprintf(w, "\nRatios are to %s in the same table. CPU is the server's user and system time; gen is the generator's;\nothers is the share of the machine that other programs took meanwhile: above a few percent, measure again.\n", reference)
}

func (x *row) write(w io.Writer, base figures) {
	runs := fmt.Sprint(len(x.runs))
	if len(x.errs) > 0 {
		runs += "!"
	}
	if len(x.runs) == 0 {
		fmt.Fprintf(w, rowFormat, x.work, x.peer, "failed", "", "", "", "", "", "", "", runs, "")
		return
	}
	f := summary(x.runs)
	fmt.Fprintf(w, rowFormat, x.work, x.peer,
		orDash(f.rate, grouped(f.rate)), ratio(f.rate, base.rate),
		orDash(f.cpu, fmt.Sprintf("%.2f", f.cpu)), ratio(f.cpu, base.cpu),
		orDash(f.own, fmt.Sprintf("%.2f", f.own)), orDash(f.rate, fmt.Sprintf("%.0f %%", 100*f.others)),
		orDash(f.perConn, fmt.Sprintf("%.1f", f.perConn/1024)), ratio(f.perConn, base.perConn),
		runs, f.wrong())
}

func orDash(v float64, text string) string {
	if v == 0 {
		return "-"
	}
	return text
}

// wrong says what the ledgers found, "none" when every message came once and in order.
func (f figures) wrong() string {
	if f.due == 0 {
		return "-"
	}
	var parts []string
	if f.lost > 0 {
		parts = append(parts, fmt.Sprintf("%s lost (%.1f %%)", grouped(float64(f.lost)), 100*float64(f.lost)/float64(f.due)))
	}
	for _, p := range []struct {
		n    int64
		what string
	}{{f.twice, "repeated"}, {f.late, "out of order"}, {f.resent, "sent again"}} {
		if p.n > 0 {
			parts = append(parts, grouped(float64(p.n))+" "+p.what)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
