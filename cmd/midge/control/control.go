// Package control is how commands talk to a running midge: a unix socket in its data directory, which its user, and root, may open.
//
// One connection carries one request, a line, and its answer: a line "ok" or "failed" and then text for people, until the end of the stream.
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
	requestMax = 256
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

// Serve answers requests until ctx ends, each by what do returns: text for people, or why it failed.
func (s *Socket) Serve(ctx context.Context, do func(request string) (string, error)) error {
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
		all.Go(func() { answer(c, do) })
	}
}

func answer(c net.Conn, do func(string) (string, error)) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	request, err := bufio.NewReader(io.LimitReader(c, requestMax)).ReadString('\n')
	if err != nil {
		return
	}
	text, err := do(strings.TrimSpace(request))
	said := "ok\n" + text
	if err != nil {
		said = "failed\n" + err.Error()
	}
	c.SetWriteDeadline(time.Now().Add(patience))
	io.WriteString(c, said)
}

// Ask sends a request to the midge that uses the data directory and returns what it says; the error is what it says when it failed, or that none is there.
func Ask(dataDir, request string) (string, error) {
	c, err := net.Dial("unix", filepath.Join(dataDir, socketName))
	switch {
	case errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("the midge on %s runs as another user: %w", dataDir, err)
	case err != nil:
		return "", fmt.Errorf("no midge runs on %s: %w", dataDir, err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(answerWait))
	if _, err := fmt.Fprintln(c, request); err != nil {
		return "", fmt.Errorf("ask the midge on %s: %w", dataDir, err)
	}
	said, err := io.ReadAll(c)
	if err != nil {
		return "", fmt.Errorf("ask the midge on %s: %w", dataDir, err)
	}
	switch word, text, _ := strings.Cut(string(said), "\n"); word {
	case "ok":
		return text, nil
	case "failed":
		return "", errors.New(text)
	}
	return "", fmt.Errorf("the midge on %s ended without an answer", dataDir)
}
