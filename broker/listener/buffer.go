package listener

import (
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
	buf []byte // data, its length what is filled
	in  []broker.Inbound
	ids []uint16
}

var workspaces = sync.Pool{New: func() any { return &workspace{buf: make([]byte, 0, readSize)} }}

// borrow takes a workspace whose buffer begins with the octets of an unfinished packet.
func borrow(partial []byte) *workspace {
	ws := workspaces.Get().(*workspace)
	if len(partial) > cap(ws.buf)/2 {
		ws.buf = make([]byte, 0, 2*len(partial))
	}
	ws.buf = append(ws.buf[:0], partial...)
	return ws
}

// free is the room behind the data.
func (ws *workspace) free() []byte { return ws.buf[len(ws.buf):cap(ws.buf)] }

// filled takes n octets of free as data.
func (ws *workspace) filled(n int) *workspace {
	ws.buf = ws.buf[:len(ws.buf)+n]
	return ws
}

func (ws *workspace) giveBack() {
	clear(ws.in)
	ws.in, ws.ids = ws.in[:0], ws.ids[:0]
	if cap(ws.buf) <= keepSize {
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
