//go:build unix

package listener

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mqtt.sock")
	nl, err := ListenUnix(path, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket has its mode whatever the umask: got %v, %v", info.Mode(), err)
	}
	if _, err := ListenUnix(path, 0o660); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a socket that somebody listens on is in use: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler)).Serve(ctx, nl, Policy{})
	}()
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	nc.Write(mqtt.AppendPingreq(connectPacket(mqtt.V5, "c")))
	for _, want := range []byte{0x20, 0xD0} {
		if p, err := readPacket(nc); err != nil || p[0] != want {
			t.Errorf("a client is served: got % x, %v; want %x", p, err, want)
		}
	}
	cancel()
	if p, err := readPacket(nc); err != nil || p[0] != 0xE0 {
		t.Errorf("a client is told when the server ends: got % x, %v", p, err)
	}
	nc.Close()
	if err := <-done; err != nil {
		t.Errorf("the server ends without an error, not with %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("then the socket is gone: got %v", err)
	}
}

func TestUnixSocketThatWasLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mqtt.sock")
	crashed, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	crashed.(*net.UnixListener).SetUnlinkOnClose(false)
	crashed.Close()
	nl, err := ListenUnix(path, 0o600)
	if err != nil {
		t.Fatalf("a socket that a crash has left is replaced: %v", err)
	}
	nl.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if nl, err := ListenUnix(path, 0o600); err == nil || err.Error() != path+" is there and no socket" {
		t.Errorf("another file is not: got %v, %v", nl, err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("and stays as it is: got %q", b)
	}
}
