// Package control is how commands talk to a running midge: a unix socket in its data directory, which its user, and root, may open.
//
// One connection carries one request, a line, and its answer: a line "ok" or "failed" and then text for people, until the end of the stream. The
// answer to some requests flows on for as long as who asked wants: stream.go.
package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	socketName = "midge.sock"
	// pathMax is the longest path of a unix socket on all systems.
	pathMax = 103
	// requestMax is the longest request in octets.
	requestMax = 16 << 10
	// patience is how long a request may take to come, and an answer to be taken.
	patience = 5 * time.Second
	// answerWait is how long Ask waits for what a request starts.
	answerWait = time.Minute
)

// A Socket is where a running midge is asked.
type Socket struct {
	l net.Listener
}

// Listen opens the socket in the data directory, which no other process may be using.
func Listen(dataDir string) (*Socket, error) {
	path := filepath.Join(dataDir, socketName)
	if len(path) > pathMax {
		return nil, fmt.Errorf("%s is longer than the %d characters that the path of a socket may have", path, pathMax)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a process that was killed
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return &Socket{l}, nil
}

// Close takes the socket away.
func (s *Socket) Close() error { return s.l.Close() }

// An Answer is text for people, or a stream of octets.
type Answer struct {
	Text string
	// Stream, if not nil, writes the stream until ctx ends: because who asked has heard enough, or midge ends. An error of w is returned at once. last is text
	// for people that comes after the stream. It is called in any case.
	Stream func(ctx context.Context, w io.Writer) (last string, err error)
}

// Serve answers requests until ctx ends, each by what do returns, or why it failed.
func (s *Socket) Serve(ctx context.Context, do func(request string) (Answer, error)) error {
	stop := context.AfterFunc(ctx, func() { s.l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := s.l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // out of descriptors, most likely
			time.Sleep(100 * time.Millisecond)
			continue
		}
		all.Go(func() { answer(ctx, c, do) })
	}
}

func answer(ctx context.Context, c net.Conn, do func(string) (Answer, error)) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	request, err := bufio.NewReader(io.LimitReader(c, requestMax)).ReadString('\n')
	if err != nil {
		return
	}
	a, err := do(strings.TrimSpace(request))
	said := "ok\n" + a.Text
	if err != nil {
		said = "failed\n" + err.Error()
	}
	c.SetWriteDeadline(time.Now().Add(patience))
	io.WriteString(c, said)
	if err == nil && a.Stream != nil {
		stream(ctx, c, a.Stream)
	}
}

// Ask sends a request to the midge that uses the data directory and returns what it says; the error is what it says when it failed, or that none is there.
func Ask(dataDir, request string) (string, error) {
	c, err := dial(dataDir)
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, err := begin(c, dataDir, request)
	if err != nil {
		return "", err
	}
	said, err := io.ReadAll(r)
	if err != nil {
		return "", asking(dataDir, err)
	}
	return string(said), nil
}

func dial(dataDir string) (*net.UnixConn, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dataDir, socketName), Net: "unix"})
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("the midge on %s runs as another user: %w", dataDir, err)
	case err != nil:
		return nil, fmt.Errorf("no midge runs on %s: %w%s", dataDir, err, whence(dataDir))
	}
	c.SetDeadline(time.Now().Add(answerWait))
	return c, nil
}

// whence says what a relative directory is relative to: a midge that was started elsewhere is not found by it.
func whence(dataDir string) string {
	here, err := os.Getwd()
	if err != nil || filepath.IsAbs(dataDir) {
		return ""
	}
	return "; a data_dir without / in front begins where midge was started, which is here " + here
}

// begin sends a request and returns what follows an "ok".
func begin(c *net.UnixConn, dataDir, request string) (*bufio.Reader, error) {
	if len(request) >= requestMax {
		return nil, asking(dataDir, fmt.Errorf("a request of %d octets is too long", len(request)))
	}
	if _, err := fmt.Fprintln(c, request); err != nil {
		return nil, asking(dataDir, err)
	}
	r := bufio.NewReader(c)
	word, err := r.ReadString('\n')
	switch {
	case word == "ok\n":
		return r, nil
	case word == "failed\n":
		text, _ := io.ReadAll(r)
		return nil, errors.New(string(text))
	case err == nil || err == io.EOF:
		return nil, fmt.Errorf("the midge on %s ended without an answer", dataDir)
	}
	return nil, asking(dataDir, err)
}

func asking(dataDir string, err error) error {
	return fmt.Errorf("ask the midge on %s: %w", dataDir, err)
}
