// Package peertest is what tests need that run programs of others beside ours.
package peertest

import (
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Need skips the test where a program that we did not write is missing; in CI it must be there.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	brokersToo()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Cannot(t, "%s is not installed (a Debian package): this test needs it", p)
		}
	}
}

// brokersToo makes programs known that Debian does not put where the PATH of its users leads, mosquitto among them.
var brokersToo = sync.OnceFunc(func() { os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") })

// Cannot skips a test that this machine cannot run, and fails it in CI, where no test may be skipped.
func Cannot(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// given are the ports that FreePort has returned: the system may name one again before anybody listens on it.
var given sync.Map

// FreePort is a port that nobody listens on, for TCP and UDP alike, and another one each time.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		if _, again := given.LoadOrStore(port, true); !again {
			return port
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return 0
}
