package serial

import (
	"net"
	"strings"
	"testing"

	"midge/transports"
	"midge/transports/linktest"
)

// TestSerialServer: a line behind a network is a line; when its server goes away and comes back the link goes on.
func TestSerialServer(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	device := "tcp://" + server.Addr().String()
	l, err := Open(Config{Device: device, Framing: "hdlc", WaitForDevice: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for round := range byte(2) {
		accepted := make(chan net.Conn)
		go func() {
			c, err := server.Accept()
			if err != nil {
				t.Error(err)
			}
			accepted <- c
		}()
		if round == 0 {
			if s := l.Stats(); s.Up {
				t.Errorf("a link does not wait for the network to begin: %+v", s)
			}
		}
		heard := make(chan struct{})
		go func() {
			wantFrame(t, l, "what the device says arrives", linktest.Message(40, round))
			close(heard)
		}()
		far, err := FromStream(<-accepted, Config{Framing: "hdlc"})
		if err != nil {
			t.Fatal(err)
		}
		far.WriteFrames([]transports.Frame{{Data: linktest.Message(40, round)}})
		<-heard
		l.WriteFrames([]transports.Frame{{Data: linktest.Message(50, round)}})
		wantFrame(t, far, "and what the gateway says", linktest.Message(50, round))
		far.Close()
	}
	server.Close()
	go l.ReadFrames(frames(1))
	for range l.Changes() {
		if why := l.Stats().Why; strings.Contains(why, "cannot be reached") {
			return
		}
	}
}

func TestSerialServerThatIsNotThere(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	device := "tcp://" + server.Addr().String()
	if _, err := Open(Config{Device: device}); err == nil || !strings.HasPrefix(err.Error(), "serial device "+device+" cannot be reached: ") {
		t.Errorf("that is one sentence: %v", err)
	}
}
