package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// bench finds the peers, runs every work in turns and prints the table.
func bench(ctx context.Context, opt options) error {
	tmp, err := os.MkdirTemp("", "midge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	peers, err := findPeers(ctx, tmp, opt)
	if err != nil {
		return err
	}
	sc := fullScale
	if opt.quick {
		sc = quickScale()
	}
	sc.grain = opt.grain
	var all results
	for _, w := range works {
		if len(opt.only) == 0 || slices.Contains(opt.only, w.name) {
			takeTurns(ctx, &all, w, peers, sc, opt.runs)
		}
	}
	var kept durableResults
	durableBench(ctx, &kept, peers, opt)
	if len(all) > 0 {
		fmt.Printf("%d cores, %s of sending a run, payload %d octets\n\n", runtime.NumCPU(), sc.budget, payloadSize)
		all.write(os.Stdout)
		all.writeMarks(os.Stdout)
	}
	if len(kept) > 0 {
		kept.report(os.Stdout, tmp)
	}
	return ctx.Err()
}

// findPeers looks for the peers that were asked for. One that is not there is said and left out; so is one that does not build.
func findPeers(ctx context.Context, tmp string, opt options) ([]peer, error) {
	var peers []peer
	for _, name := range peerOrder {
		if !slices.Contains(opt.peers, name) {
			continue
		}
		p, err := finders[name](ctx, tmp, opt)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %s\n", name, err)
			continue
		}
		fmt.Printf("%-10s %s\n", p.name, p.version)
		peers = append(peers, p)
	}
	if len(peers) == 0 {
		return nil, errors.New("no server to run")
	}
	return peers, nil
}

// takeTurns runs w on every peer that can do it, runs times in turn (A B C A B C).
func takeTurns(ctx context.Context, all *results, w work, peers []peer, sc scale, runs int) {
	for i := range runs {
		for _, p := range peers {
			if w.sn && !p.sn || ctx.Err() != nil {
				continue
			}
			f, err := runOnce(ctx, w, p, sc)
			if ctx.Err() != nil {
				return
			}
			all.at(w.name, p.name).add(f, err)
			fmt.Fprintf(os.Stderr, "%-16s %-10s %d/%d  %s\n", w.name, p.name, i+1, runs, f.brief(err))
		}
	}
}

// add keeps what a run gave. A run that failed late may have figures all the same.
func (x *row) add(f figures, err error) {
	if err != nil {
		x.errs = append(x.errs, err)
	}
	if f.rate != 0 || f.perConn != 0 {
		x.runs = append(x.runs, f)
	}
}

// runOnce starts a server of p, runs w on it and stops it.
func runOnce(ctx context.Context, w work, p peer, sc scale) (figures, error) {
	s, err := startServer(ctx, p)
	if err != nil {
		return figures{}, err
	}
	f, err := w.run(ctx, s.target, sc)
	err = errors.Join(err, s.died())
	return f, errors.Join(err, s.stop())
}

// brief is the line of progress after a run.
func (f figures) brief(err error) string {
	text := fmt.Sprintf("%s msg/s, %.2f us CPU, %s", grouped(f.rate), f.cpu, f.wrong())
	if f.perConn != 0 {
		text = fmt.Sprintf("%.1f KB/conn", f.perConn/1024)
	}
	if err != nil {
		text += ", " + err.Error()
	}
	return time.Now().Format("15:04:05 ") + text
}
