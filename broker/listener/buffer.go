package listener

import (
	"slices"
	"sync"

	"midge/broker"
)

const (
	// readSize is what one read asks for: a thousand small packets, and the largest piece that one lock handles.
	readSize = 64 << 10
	// writeSize is about what one write carries; a larger message goes out alone.
	writeSize = 64 << 10
	// pullSize is how many things one Next asks for.
	pullSize = 512
	// keepSize is the largest buffer that goes back to a pool.
	keepSize = 256 << 10
)

// workspace is what a reader needs while it handles one read. Nothing of it may be kept afterwards.
type workspace struct {
	buf  []byte // data, its length what is filled
	lent []byte // the workspace's own buffer while buf is that of a connection's large packet
	in   []broker.Inbound
	ids  []uint16
}

var workspaces = sync.Pool{New: func() any { return &workspace{buf: make([]byte, 0, readSize)} }}

// largePartial is from how many octets on an unfinished packet keeps the buffer that it is in. Smaller ones are copied, so that an
// idle connection holds no more than it must; copying large ones would let a client that sends octet by octet cost a megabyte of copying each.
const largePartial = readSize / 4

// borrow takes a workspace whose buffer begins with the octets of an unfinished packet, which it takes over from the connection.
func borrow(partial *[]byte) *workspace {
	ws := workspaces.Get().(*workspace)
	if p := *partial; len(p) >= largePartial {
		if cap(p)-len(p) < readSize/4 {
			p = slices.Grow(p, max(readSize, len(p))) // doubling: what was copied is at most what has come
		}
		ws.lent, ws.buf, *partial = ws.buf, p, nil
		return ws
	}
	ws.buf = append(ws.buf[:0], *partial...)
	return ws
}

// free is the room behind the data, as much as one read may take.
func (ws *workspace) free() []byte { return ws.buf[len(ws.buf):min(cap(ws.buf), len(ws.buf)+readSize)] }

// filled takes n octets of free as data.
func (ws *workspace) filled(n int) *workspace {
	ws.buf = ws.buf[:len(ws.buf)+n]
	return ws
}

// keepPartial keeps what is left of the data, the beginning of a packet, for the next read.
func (c *conn) keepPartial(ws *workspace, left []byte) {
	switch {
	case len(left) == 0:
		c.partial = nil
	case len(left) < largePartial:
		c.partial = append(c.partial[:0], left...)
	case len(left) == len(ws.buf): // nothing was before it: the buffer goes along
		c.partial, ws.buf = ws.buf, nil
	default:
		c.partial = append(make([]byte, 0, len(left)+readSize), left...)
	}
}

func (ws *workspace) giveBack() {
	clear(ws.in)
	ws.in, ws.ids = ws.in[:0], ws.ids[:0]
	if ws.lent != nil {
		ws.buf, ws.lent = ws.lent, nil
	}
	if ws.buf != nil {
		workspaces.Put(ws)
	}
}

// outbox is what a pump needs while it runs.
type outbox struct {
	buf  []byte
	pull [pullSize]broker.Outbound
}

var outboxes = sync.Pool{New: func() any { return &outbox{buf: make([]byte, 0, writeSize+4096)} }}

func (o *outbox) giveBack() {
	if cap(o.buf) <= keepSize {
		o.buf = o.buf[:0]
		outboxes.Put(o)
	}
}
