package status

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory: dial gives the caller one end and Accept the other.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A bubble fails the test when a goroutine is left at its end.
func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l, done := newPipes(), make(chan error, 1)
		go func() { done <- Run(ctx, l, New(Sources{})) }()
		conn := l.dial()
		defer conn.Close()
		if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("the server answers on its listener, got %v, %v", answer, err)
		}
		answer.Body.Close()
		silent := l.dial() // never asks
		defer silent.Close()
		synctest.Wait()

		start := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the end of the context is no error, got %v", err)
		}
		if took := time.Since(start); took > shutdownPatience {
			t.Errorf("a caller that never asks does not hold up the end for more than %v, took %v", shutdownPatience, took)
		}
	})
}

func TestSlowCallersAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l, done := newPipes(), make(chan error, 1)
		go func() { done <- Run(ctx, l, New(Sources{})) }()
		conn := l.dial()
		start := time.Now()
		if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\n")); err != nil {
			t.Fatal(err)
		}
		bufio.NewReader(conn).ReadString(0) // to the end of the connection
		if took := time.Since(start); took != headerTimeout {
			t.Errorf("half a header is waited for %v, took %v", headerTimeout, took)
		}
		cancel()
		<-done
	})
}

func TestRunSaysWhyItCannotGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		l.Close()
		err := Run(t.Context(), brokenListener{l}, New(Sources{}))
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("a listener that fails ends Run with its error, got %v", err)
		}
	})
}

type brokenListener struct{ *pipes }

func (brokenListener) Accept() (net.Conn, error) {
	return nil, &net.OpError{Op: "accept", Err: fatal{syscall.EMFILE}}
}
func (brokenListener) Close() error { return nil }

// fatal hides that the server would take the error for temporary and try again.
type fatal struct{ err error }

func (f fatal) Error() string { return f.err.Error() }
func (f fatal) Unwrap() error { return f.err }

func TestListenNamesTheAddressInUse(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	_, err = Listen(address)
	want := "another program has " + address + `; choose another http.address in the configuration, or "" for none`
	if err == nil || err.Error() != want {
		t.Errorf("a port in use is one sentence:\n%s\ngot %v", want, err)
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the system's error is in it, got %v", err)
	}
	_, err = Listen("192.0.2.1:0")
	if err == nil || !strings.HasPrefix(err.Error(), `open http.address = "192.0.2.1:0": `) {
		t.Errorf("an address that is not this machine's is named with its key, got %v", err)
	}
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newPipes()
		l := limit(in, 1)
		accepted := make(chan net.Conn)
		go func() {
			defer close(accepted)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- conn
			}
		}()
		defer in.dial().Close()
		first := <-accepted

		dialled := make(chan net.Conn, 1)
		go func() { dialled <- in.dial() }()
		synctest.Wait()
		if len(dialled) != 0 {
			t.Error("with one connection open of one, the next caller waits")
		}
		first.Close()
		first.Close() // gives one slot back, not two
		defer (<-dialled).Close()
		second := <-accepted
		synctest.Wait()
		if len(l.slots) != 1 {
			t.Errorf("the second connection has the only slot, got %d taken", len(l.slots))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if conn, ok := <-accepted; ok {
			t.Errorf("Close ends an Accept that waits for a slot, got %v", conn)
		}
		second.Close()
	})
}
