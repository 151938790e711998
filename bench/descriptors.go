package main

import (
	"sync"

	"golang.org/x/sys/unix"
)

// descriptors are sockets that the runtime's poller does not know. Their owner uses them without a lock between begin
// and done; whoever closes them meanwhile only shuts them down, so that no number is used again under the owner.
type descriptors struct {
	mu     sync.Mutex
	fds    []int
	inUse  bool
	closed bool
}

func (d *descriptors) add(fd int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fds = append(d.fds, fd)
}

func (d *descriptors) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inUse = true
}

func (d *descriptors) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inUse = false
	if d.closed {
		d.release()
	}
}

// close may be called at any time and more than once.
func (d *descriptors) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, fd := range d.fds {
		unix.Shutdown(fd, unix.SHUT_RDWR)
	}
	if !d.inUse {
		d.release()
	}
}

func (d *descriptors) release() {
	for _, fd := range d.fds {
		unix.Close(fd)
	}
	d.fds = nil
}
