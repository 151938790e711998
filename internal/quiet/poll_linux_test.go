package quiet

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPoll(t *testing.T) {
	r, w := pipe(t)
	p, err := NewPoll(r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	await := func(why string, cause func()) {
		t.Helper()
		woken := make(chan struct{})
		go func() { p.Wait(); close(woken) }()
		cause()
		select {
		case <-woken:
		case <-time.After(20 * time.Second):
			t.Fatal("a wait ends " + why)
		}
	}
	told := func() bool { // whether Go's poller would be
		fds := []unix.PollFd{{Events: unix.POLLIN}}
		p.raw.Control(func(ep uintptr) { fds[0].Fd = int32(ep) })
		n, err := unix.Poll(fds, 0)
		return n != 0 || err != nil
	}

	write := func() { Write(w, []byte("x")) }
	await("when something comes", write)
	await("when something is there already", func() {})
	if told() {
		t.Error("Go's poller does not hear of what is there while nobody waits")
	}
	if n, err := Read(r, make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("what came is read: got %d, %v", n, err)
	}
	if n, err := Read(r, make([]byte, 1)); err != unix.EAGAIN {
		t.Errorf("and then there is nothing: got %d, %v", n, err)
	}
	await("at the deadline", func() { p.SetDeadline(time.Now().Add(time.Millisecond)) })
	await("when the deadline has passed long ago", func() {})
	write()
	if told() {
		t.Error("Go's poller does not hear of what comes after a wait that ended at its deadline")
	}
	Read(r, make([]byte, 1))
	p.SetDeadline(time.Time{})
	await("when something comes, after the deadline was taken away", write)
	Read(r, make([]byte, 1))
	await("when it is closed", p.Close)
	await("when it was closed before", func() {})
}

func TestPollWithoutRoom(t *testing.T) {
	p, err := NewPoll(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	began := time.Now()
	p.Wait()
	if time.Since(began) < lookAgain {
		t.Error("whoever waits for what cannot be watched looks again now and then, not all the time")
	}
}

// pipe returns the two ends of a pipe that do not block.
func pipe(t testing.TB) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestWaitDoesNotAllocate(t *testing.T) {
	r, w := pipe(t)
	p, err := NewPoll(r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	Write(w, []byte("x"))
	if n := testing.AllocsPerRun(100, p.Wait); n != 0 {
		t.Errorf("a wait allocates nothing, not %v times", n)
	}
}

func BenchmarkWait(b *testing.B) {
	r, w := pipe(b)
	Write(w, []byte("x"))
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(ep)
	unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, r, &unix.EpollEvent{Events: unix.EPOLLIN})
	p, err := NewPoll(ep)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for b.Loop() {
		p.Wait()
	}
}
