package bridge

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// cutter is a TCP relay that ends its connections on demand.
type cutter struct {
	t     *testing.T
	l     net.Listener
	port  int
	moved chan int // octets that passed
	conn  chan net.Conn
	ctx   context.Context // ended: nothing is cut any more
	rest  context.CancelFunc
}

func newCutter(t *testing.T, port int) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, l: l, port: port, moved: make(chan int), conn: make(chan net.Conn)}
	c.ctx, c.rest = context.WithCancel(context.Background())
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				here.Close()
				continue
			}
			go c.relay(here, there)
			go c.relay(there, here)
		}
	}()
	return c
}

func (c *cutter) relay(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 2048)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		select {
		case c.moved <- n:
		case c.conn <- from: // asked to cut: see cutAfter
			return
		case <-c.ctx.Done():
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cutAfter lets so many octets pass and then cuts in the middle of what comes next.
func (c *cutter) cutAfter(octets int) {
	for octets > 0 {
		select {
		case n := <-c.moved:
			octets -= n
		case <-c.ctx.Done():
			return
		}
	}
	select {
	case <-c.conn:
	case <-c.ctx.Done():
	}
}
