package listener

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"midge/broker"
	"midge/internal/quiet"
)

// A loop serves plain sockets by epoll in one goroutine: an idle connection costs its few hundred octets of state, and a message that
// comes alone wakes one thread and nothing else.
//
// Each round handles the events that one wait has brought, then the timers, then wakes whom the packets of the round are for. Only the
// loop reads, ends and closes a sock; any goroutine may write to one, and posts what only the loop may do.
type loop struct {
	server *Server
	ctx    context.Context
	ep     int // epoll
	bell   int // eventfd: something was posted
	events [128]unix.EpollEvent
	pace   quiet.Pace  // of events
	poll   *quiet.Poll // of ep
	until  time.Time   // its deadline

	wakes  broker.Wakes // whom the packets of one round are for: told when all are handled
	socks  map[int32]*sock
	timers timers
	paused []*sock
	asking sync.WaitGroup // goroutines that ask for verdicts

	mu     sync.Mutex
	posted []note
	closed bool // nothing is taken any more
}

// pauseStep is how often a loop looks whether a paused publisher may go on.
const pauseStep = time.Millisecond

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
	if l.poll, err = quiet.NewPoll(l.ep); err != nil {
		l.free()
		return nil, err
	}
	return l, nil
}

func (l *loop) free() {
	if l.poll != nil {
		l.poll.Close()
	}
	unix.Close(l.ep)
	unix.Close(l.bell)
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
		if n > 0 {
			l.pace.Came(now)
		}
		for i := range l.events[:n] {
			l.event(now, &l.events[i])
		}
		l.fire(now)
		l.wakes.Flush()
		l.resume(now)
	}
	l.asking.Wait()
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

func (l *loop) event(now time.Time, e *unix.EpollEvent) {
	if e.Fd == int32(l.bell) {
		l.answer(now)
		return
	}
	s := l.socks[e.Fd]
	if s == nil {
		return // it ended earlier in this batch
	}
	if e.Events&unix.EPOLLOUT != 0 {
		s.waitForRoom(false)
		s.pump()
	}
	switch {
	case e.Events&^unix.EPOLLOUT == 0:
	case s.attempt != nil: // nothing was asked for: the connection was reset
		s.lost(now, unix.ECONNRESET)
	default:
		s.readable(now)
	}
}

// hold stops reading from a publisher whose subscribers have fallen behind.
func (l *loop) hold(now time.Time, s *sock) {
	if s.until.IsZero() {
		l.paused = append(l.paused, s)
	}
	s.until = now.Add(busyWait)
	s.hush(behindSubscribers, true)
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
		s.busy, s.until = nil, time.Time{}
		s.hush(behindSubscribers, false)
	}
	clear(l.paused[len(kept):])
	l.paused = kept
}

// fire ends the connections that should have been heard of. A timer is moved only when it fires, not with every packet.
func (l *loop) fire(now time.Time) {
	for len(l.timers) > 0 && !now.Before(l.timers[0].at) {
		s := l.timers[0]
		if !s.lingers && overdue(now, s.due()) {
			s.hear(now) // it may have spoken while we were busy
		}
		switch due := s.due(); {
		case s.place < 0: // that was its end
		case s.lingers && now.Before(s.at): // likewise, and it has a moment more
		case s.lingers:
			s.drop()
		case !overdue(now, due):
			l.set(s, due)
		case s.session == nil:
			s.end(now, errTooLate)
		default:
			s.end(now, errSilent)
		}
	}
}

func overdue(now, due time.Time) bool { return !due.IsZero() && !now.Before(due) }
