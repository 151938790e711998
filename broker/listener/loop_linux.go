package listener

import (
	"container/heap"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"midge/broker"
	"midge/broker/mqtt"
)

// A loop serves plain sockets by epoll in one goroutine: an idle connection costs its few hundred octets of state, and a message that
// comes alone wakes one thread and nothing else.
//
// Go's own poller costs three times as much for such a message: going from idle to busy and back, the runtime wakes a second thread and its
// monitor, which then looks about every 20 µs. So a loop that has just had an event waits for the next one without telling the
// scheduler, a few milliseconds at most. It keeps a processor (a P) while it does, so a program should have one more of them than cores.
type loop struct {
	server *Server
	ctx    context.Context
	ep     int // epoll
	bell   int // eventfd: something was posted
	events [128]unix.EpollEvent
	last   time.Time // when the last event came

	wakes  broker.Wakes // whom the packets of one round are for: told when all are handled
	socks  map[int32]*sock
	timers timers
	paused []*sock

	mu     sync.Mutex
	posted []*sock // to be adopted, or to be pumped on
	closed bool
}

// warmWait is how long a loop keeps its processor while it waits.
const warmWait = 5 * time.Millisecond

// pauseStep is how often a loop looks whether a paused publisher may go on.
const pauseStep = time.Millisecond

// sock is a connection in a loop.
type sock struct {
	*conn
	l  *loop
	fd int

	adopted bool // by the loop
	at      time.Time
	place   int       // in the heap, −1 when not in it
	until   time.Time // a pause ends; zero: none

	interest uint32 // guarded by wmu: what epoll is to tell
}

func newLoop(ctx context.Context, s *Server) (*loop, error) {
	l := &loop{server: s, ctx: ctx, socks: make(map[int32]*sock)}
	var err error
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, l.bell, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.bell)}); err != nil {
		l.free()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return l, nil
}

func (l *loop) free() {
	unix.Close(l.ep)
	unix.Close(l.bell)
}

// take moves a connection out of Go's poller into the loop. It reports whether it could; otherwise the connection is as it was.
func (l *loop) take(c *conn, nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	s := &sock{conn: c, l: l, fd: -1, place: -1}
	raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || s.fd < 0 {
		return false
	}
	nc.Close() // the duplicate lives on
	c.wire, c.wakes = s, &l.wakes
	l.post(s)
	return true
}

// post hands a sock to the loop: to adopt it or to pump on.
func (l *loop) post(s *sock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, s)
	if !l.closed {
		l.ring()
	}
}

func (l *loop) ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(l.bell, one[:])
}

// run serves until ctx has ended and all connections with it.
func (l *loop) run() {
	stop := context.AfterFunc(l.ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed {
			l.ring()
		}
	})
	defer stop()
	for !l.finished() {
		n := l.wait()
		now := time.Now()
		for i := range l.events[:n] {
			l.last = now
			l.event(now, &l.events[i])
		}
		l.fire(now)
		l.wakes.Flush()
		l.resume(now)
	}
	l.free()
}

// finished reports whether the loop may end, and closes it for posts if so.
func (l *loop) finished() bool {
	if l.ctx.Err() == nil || len(l.socks) > 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = len(l.posted) == 0
	return l.closed
}

// wait returns how many events there are, none when it is time for something else.
func (l *loop) wait() int {
	now := time.Now()
	limit := time.Duration(-1)
	if len(l.timers) > 0 {
		limit = max(0, l.timers[0].at.Sub(now))
	}
	if len(l.paused) > 0 {
		limit = pauseStep
	}
	if now.Sub(l.last) < warmWait {
		warm := warmWait
		if limit >= 0 {
			warm = min(warm, limit)
		}
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.ep), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), milliseconds(warm), 0, 0)
		if errno != 0 {
			return 0 // a signal: the scheduler wants the processor
		}
		return int(n)
	}
	n, err := unix.EpollWait(l.ep, l.events[:], int(int32(milliseconds(limit))))
	if err != nil {
		return 0
	}
	return n
}

// milliseconds rounds up, so that a wait does not end just before its time; negative is without end.
func milliseconds(d time.Duration) uintptr {
	if d < 0 {
		return ^uintptr(0)
	}
	return uintptr(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
}

func (l *loop) event(now time.Time, e *unix.EpollEvent) {
	if e.Fd == int32(l.bell) {
		var count [8]byte
		unix.Read(l.bell, count[:])
		l.answer(now)
		return
	}
	s := l.socks[e.Fd]
	if s == nil {
		return // it ended earlier in this batch
	}
	if e.Events&unix.EPOLLOUT != 0 {
		s.want(unix.EPOLLOUT, false)
		s.pump()
	}
	if e.Events&^unix.EPOLLOUT != 0 {
		s.readable(now)
	}
}

// answer takes what was posted.
func (l *loop) answer(now time.Time) {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, s := range posted {
		switch {
		case !s.adopted:
			l.adopt(now, s)
		case l.socks[int32(s.fd)] == s:
			s.pump()
		}
	}
}

func (l *loop) adopt(now time.Time, s *sock) {
	s.adopted = true
	l.socks[int32(s.fd)] = s
	s.interest = unix.EPOLLIN
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: s.interest, Fd: int32(s.fd)}); err != nil {
		s.end(now, fmt.Errorf("epoll: %w", err))
		return
	}
	l.set(s, s.due())
	if l.ctx.Err() != nil { // disconnectAll may have come before it was there
		s.disconnect(mqtt.ServerShuttingDown)
	}
}

// readable reads once; epoll tells again when there is more, so that a flood from one client does not starve the others.
func (s *sock) readable(now time.Time) {
	ws := borrow(s.partial)
	n, err := unix.Read(s.fd, ws.free())
	if n > 0 {
		before := s.session
		if err = s.received(now, ws.filled(n)); err != nil {
			s.end(now, err)
			return
		}
		if before != s.session {
			s.l.set(s, s.due())
		}
		s.hold(now)
		return
	}
	ws.giveBack()
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err == nil:
		s.end(now, io.EOF)
	default:
		s.end(now, err)
	}
}

// end takes the connection out of the loop.
func (s *sock) end(now time.Time, err error) {
	s.farewell(err)
	s.wmu.Lock()
	s.broken = true
	unix.Close(s.fd) // epoll forgets it
	s.wmu.Unlock()
	delete(s.l.socks, int32(s.fd))
	s.l.set(s, time.Time{})
	s.leave(now, err)
}

// hold stops reading from a publisher whose subscribers have fallen behind.
func (s *sock) hold(now time.Time) {
	if s.busy == nil {
		return
	}
	s.until = now.Add(busyWait)
	s.want(unix.EPOLLIN, false)
	s.l.paused = append(s.l.paused, s)
}

// resume lets paused publishers go on whose subscribers have caught up, or whose time is over.
func (l *loop) resume(now time.Time) {
	kept := l.paused[:0]
	for _, s := range l.paused {
		select {
		case <-s.busy:
		default:
			if now.Before(s.until) && l.ctx.Err() == nil {
				kept = append(kept, s)
				continue
			}
		}
		s.busy = nil
		s.want(unix.EPOLLIN, true)
	}
	clear(l.paused[len(kept):])
	l.paused = kept
}

// want changes what epoll is to tell about the socket. Any goroutine may call it.
func (s *sock) want(what uint32, on bool) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	interest := s.interest &^ what
	if on {
		interest |= what
	}
	if s.broken || interest == s.interest {
		return
	}
	s.interest = interest
	unix.EpollCtl(s.l.ep, unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: interest, Fd: int32(s.fd)})
}

// inlineRounds is how often a goroutine that has other work pulls before it leaves the rest to the loop.
const inlineRounds = 4

func (s *sock) pump() {
	for {
		switch s.drain(inlineRounds) {
		case full:
			s.want(unix.EPOLLOUT, true) // the pump stays claimed until the socket takes more
			return
		case more:
			s.l.post(s)
			return
		}
		if s.release() {
			return
		}
	}
}

func (s *sock) write(b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		n, err := unix.Write(s.fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return b, nil
		case err != nil:
			return nil, err
		default:
			b = b[n:]
		}
	}
	return nil, nil
}

func (s *sock) hurry() {}

// close makes the loop see an end of the stream; the loop alone closes the descriptor, or its number could mean another connection.
func (s *sock) close() { unix.Shutdown(s.fd, unix.SHUT_RDWR) }

// fire ends the connections that should have been heard of. A timer is moved only when it fires, not with every packet.
func (l *loop) fire(now time.Time) {
	for len(l.timers) > 0 && !now.Before(l.timers[0].at) {
		s := l.timers[0]
		due := s.due()
		if s.until.After(due) {
			due = s.until // while we do not read we cannot hear
		}
		l.set(s, due)
		if due.IsZero() || now.Before(due) {
			continue
		}
		if s.session == nil {
			s.end(now, errTooLate)
			continue
		}
		s.end(now, errSilent)
	}
}

var errTooLate = &mqtt.Error{Reason: mqtt.KeepAliveTimeout, Silent: true, Text: "CONNECT did not come in time"}

// set moves, adds or (zero) removes the timer of a sock.
func (l *loop) set(s *sock, at time.Time) {
	s.at = at
	switch {
	case s.place >= 0 && at.IsZero():
		heap.Remove(&l.timers, s.place)
	case s.place >= 0:
		heap.Fix(&l.timers, s.place)
	case !at.IsZero():
		heap.Push(&l.timers, s)
	}
}

// timers orders socks by time.
type timers []*sock

// Len, Less, Swap, Push and Pop are heap.Interface.
func (t timers) Len() int { return len(t) }

// Less reports whether i is due before j.
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }

// Swap exchanges two entries.
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}

// Push appends a *sock.
func (t *timers) Push(x any) {
	s := x.(*sock)
	s.place = len(*t)
	*t = append(*t, s)
}

// Pop removes the last entry.
func (t *timers) Pop() any {
	last := len(*t) - 1
	s := (*t)[last]
	s.place = -1
	(*t)[last] = nil
	*t = (*t)[:last]
	return s
}
