package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// idleDialers is how many connections are opened at a time.
const idleDialers = 16

// idleMemory opens connections that do nothing and compares the server's anonymous memory before and after. One connection
// stands before the first reading, so that what a server sets up once is not counted.
func idleMemory(ctx context.Context, tgt target, sc scale) (figures, error) {
	first, err := connect(ctx, tgt.mqtt, "idle-first", 64)
	if err != nil {
		return figures{}, err
	}
	defer first.conn.Close()
	before, err := anonMemory(tgt.pid)
	if err != nil {
		return figures{}, err
	}
	conns, err := openIdle(ctx, tgt.mqtt, sc.idle)
	defer closeAll(conns)
	if err != nil {
		return figures{}, err
	}
	select {
	case <-time.After(sc.pause):
	case <-ctx.Done():
		return figures{}, ctx.Err()
	}
	after, err := anonMemory(tgt.pid)
	return figures{perConn: float64(after-before) / float64(sc.idle)}, err
}

// openIdle connects n clients, idleDialers at a time. It returns those that stand even when it fails.
func openIdle(ctx context.Context, addr string, n int) ([]net.Conn, error) {
	var (
		wg    sync.WaitGroup
		conns = make([]net.Conn, n)
		errs  [idleDialers]error
	)
	for d := range idleDialers {
		wg.Go(func() {
			for i := d; i < n && errs[d] == nil; i += idleDialers {
				st, err := connect(ctx, addr, fmt.Sprintf("idle-%d", i), 64)
				if err != nil {
					errs[d] = err
					return
				}
				conns[i] = st.conn
			}
		})
	}
	wg.Wait()
	return conns, errors.Join(errs[:]...)
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}
