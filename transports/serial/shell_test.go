package serial

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

// onPipe is a link on one end of a pipe, whose other end is the test's.
func onPipe(t *testing.T, c Config) (*Link, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	l, err := FromStream(near, c)
	if err != nil {
		t.Fatal(err)
	}
	return l, far
}

func frames(n int) []transports.Frame {
	f := make([]transports.Frame, n)
	for i := range f {
		f[i].Data = make([]byte, 0, 1024)
	}
	return f
}

// wantFrame reads until a frame comes.
func wantFrame(t *testing.T, l *Link, sentence string, want []byte) {
	t.Helper()
	f := frames(1)
	if _, err := l.ReadFrames(f); err != nil || !bytes.Equal(f[0].Data, want) {
		t.Fatalf("%s: got %x and %v, want %x; %+v", sentence, f[0].Data, err, want, l.Stats())
	}
}

func TestSilenceEndsHalfAMessage(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) io.ReadWriteCloser{
		"deadlines":    func(c net.Conn) io.ReadWriteCloser { return c },
		"no deadlines": func(c net.Conn) io.ReadWriteCloser { return struct{ io.ReadWriteCloser }{c} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				l, err := FromStream(wrap(near), Config{})
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					far.Write(linktest.Message(40, 1)[:20])
					time.Sleep(gapLeast + time.Millisecond)
					far.Write(linktest.Message(10, 2))
					far.Write([]byte{0xFF, 0xFF})
					time.Sleep(gapLeast / 2)
					far.Write(linktest.Message(10, 3)) // lost: the line was not silent
					time.Sleep(gapLeast + time.Millisecond)
					far.Write(linktest.Message(10, 4)[:5])
					time.Sleep(gapLeast / 2)
					far.Write(linktest.Message(10, 4)[5:])
				}()
				wantFrame(t, l, "the message after the silence is whole", linktest.Message(10, 2))
				wantFrame(t, l, "a pause shorter than the gap does not tear a message", linktest.Message(10, 4))
				if got := l.Stats().Errors[transports.ReasonGarbageBytes]; got != 20+2+10 {
					t.Errorf("half a message, two octets of garbage and the message too near to them are counted: got %d, want 32", got)
				}
				l.Close()
			})
		})
	}
}

func TestLateReaderTearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{})
		go far.Write(linktest.Message(10, 1)[:5])
		f := frames(1)
		l.read(l.line, gapLeast) // the first half is read …
		synctest.Wait()
		go far.Write(linktest.Message(10, 1)[5:])
		time.Sleep(time.Second) // … and then the reader is not given the processor
		if n := l.decoded(f); n != 0 {
			t.Fatal("half a message is none")
		}
		wantFrame(t, l, "the second half waited, so the line was never silent", linktest.Message(10, 1))
		l.Close()
	})
}

func TestIdleLineCostsNoWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		near, far := net.Pipe()
		l, err := FromStream(countingReads{near, &reads}, Config{})
		if err != nil {
			t.Fatal(err)
		}
		go l.ReadFrames(frames(1))
		time.Sleep(time.Hour)
		far.Close()
		l.Close()
		synctest.Wait()
		if reads > 2 {
			t.Errorf("an hour of nothing is one read, not %d", reads)
		}
	})
}

type countingReads struct {
	net.Conn
	n *int
}

func (c countingReads) Read(b []byte) (int, error) {
	*c.n++
	return c.Conn.Read(b)
}

func TestWritingKeepsThePaceOfTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{Baud: 9600})
		start := time.Now()
		for range 10 {
			l.WriteFrames([]transports.Frame{{Data: linktest.Message(96, 1)}}) // 100 ms each
		}
		io.ReadFull(far, make([]byte, 10*96))
		if got, want := time.Since(start), 900*time.Millisecond-paceSlack; got < want-time.Millisecond || got > want+time.Millisecond {
			t.Errorf("ten frames of 100 ms begin to leave one after the other: the last after %v, not %v", want, got)
		}
		l.Close()
	})
}

func TestFullQueueDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{Baud: 9600, MTU: 100})
		l.WriteFrames([]transports.Frame{{Data: linktest.Message(2, 1)}})
		synctest.Wait() // the writer has this one, and nobody reads
		begun := time.Now()
		for range 100 {
			l.WriteFrames([]transports.Frame{{Data: linktest.Message(100, 1)}})
		}
		if time.Since(begun) != 0 {
			t.Error("WriteFrames waits for nothing")
		}
		if got := l.Stats().Errors[transports.ReasonQueueFull]; got != 52 {
			t.Errorf("of 100 frames of 100 octets 48 fit into 5 s at 9600 baud: %d were dropped, not 52", got)
		}
		far.Close()
		l.Close()
	})
}

func TestCloseGrantsAMomentToWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{Baud: 9600})
		got := make(chan int)
		go func() {
			b, _ := io.ReadAll(far)
			got <- len(b)
		}()
		for range 10 {
			l.WriteFrames([]transports.Frame{{Data: linktest.Message(96, 1)}}) // 100 ms each
		}
		begun := time.Now()
		l.Close()
		if took := time.Since(begun); took > closeGrace {
			t.Errorf("Close takes at most %v, not %v", closeGrace, took)
		}
		if n := <-got; n != 3*96 {
			t.Errorf("three frames begin in 250 ms: got %d octets, want %d", n, 3*96)
		}
	})
}

func TestCloseEndsAWriteThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{}) // nobody reads far
		l.WriteFrames([]transports.Frame{{Data: linktest.Message(96, 1)}})
		synctest.Wait()
		begun := time.Now()
		l.Close()
		if took := time.Since(begun); took > closeGrace {
			t.Errorf("Close takes at most %v, not %v", closeGrace, took)
		}
		far.Close()
	})
}

func TestStreamThatEndsEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{Device: "the other end"})
		far.Close()
		if _, err := l.ReadFrames(frames(1)); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "the other end") {
			t.Errorf("ReadFrames returns the stream's error with its name: %v", err)
		}
		if s := l.Stats(); s.Up || s.Why != "serial device the other end has gone: EOF" {
			t.Errorf("the link is down and says why: %+v", s)
		}
		l.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
		if got := l.Stats().Errors[transports.ReasonDown]; got != 1 {
			t.Errorf("a frame for a device that has gone is counted: got %d, want 1", got)
		}
		l.Close()
		if _, err := l.ReadFrames(frames(1)); !errors.Is(err, transports.ErrClosed) {
			t.Errorf("after Close it is ErrClosed: %v", err)
		}
	})
}

// TestReopenBacksOff gives a link a device that is away for a while, twice.
func TestReopenBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var tries []time.Duration
		var far net.Conn
		back := 20 * time.Second
		open := func() (*line, error) {
			tries = append(tries, time.Since(start))
			if time.Since(start) < back {
				return nil, errors.New("serial device ttyX does not exist")
			}
			var near net.Conn
			near, far = net.Pipe()
			return lineOf(near), nil
		}
		s, err := Config{Device: "ttyX", WaitForDevice: true}.settle()
		if err != nil {
			t.Fatal(err)
		}
		l := newLink(s, open, nil, errors.New("serial device ttyX does not exist"))
		got := make(chan []byte)
		go func() {
			for {
				f := frames(1)
				if _, err := l.ReadFrames(f); err != nil {
					close(got)
					return
				}
				got <- f[0].Data
			}
		}()
		time.Sleep(10 * time.Second)
		if s := l.Stats(); s.Up || s.Why != "serial device ttyX does not exist" {
			t.Errorf("the link is down and says why: %+v", s)
		}
		changes := func(sentence string, want int) {
			t.Helper()
			if n := len(l.Changes()); n != want {
				t.Errorf("%s: Changes is signalled %d times, got %d", sentence, want, n)
			}
			if want > 0 {
				<-l.Changes()
			}
		}
		changes("what it is from the start, which Changes tells at most once", 1)
		l.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}})
		if n := l.Stats().Errors[transports.ReasonDown]; n != 1 {
			t.Errorf("a frame written meanwhile is counted: %d, want 1", n)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if want := []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond, 7500 * time.Millisecond,
			12500 * time.Millisecond, 17500 * time.Millisecond, 22500 * time.Millisecond}; !equal(tries, want) {
			t.Errorf("it tries again after 0.5, 1, 2, 4 and then every 5 s: %v, want %v", tries, want)
		}
		go far.Write(linktest.Message(12, 1))
		if m := <-got; !bytes.Equal(m, linktest.Message(12, 1)) {
			t.Errorf("the link carries frames when the device is there: %x", m)
		}
		changes("the device has come", 1)
		if n := l.Stats().Errors[transports.ReasonReopen]; n != 0 {
			t.Errorf("the first time is not a return: %d", n)
		}

		far.Write(linktest.Message(12, 2)[:4]) // unplugged in the middle of a message
		l.WriteFrames([]transports.Frame{{Data: linktest.Message(9, 1)}, {Data: linktest.Message(9, 2)}})
		synctest.Wait()
		far.Close()
		synctest.Wait()
		if n := l.Stats().Errors[transports.ReasonDown]; n != 3 {
			t.Errorf("what was queued for it is dropped and counted: %d, want 3", n)
		}
		changes("the device has gone", 1)
		time.Sleep(reopenFirst)
		synctest.Wait()
		changes("it is back", 1)
		if s := l.Stats(); !s.Up || s.Why != "" || s.Errors[transports.ReasonReopen] != 1 {
			t.Errorf("it is up again after half a second: %+v", s)
		}
		go far.Write(linktest.Message(12, 3))
		if m := <-got; !bytes.Equal(m, linktest.Message(12, 3)) {
			t.Errorf("the half message of before is forgotten: %x", m)
		}
		l.Close()
		if _, open := <-got; open {
			t.Error("Close ends ReadFrames")
		}
	})
}

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestCloseWhileTheDeviceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Config{Device: "ttyX"}.settle()
		if err != nil {
			t.Fatal(err)
		}
		l := newLink(s, func() (*line, error) { return nil, errors.New("away") }, nil, errors.New("away"))
		ended := make(chan error)
		go func() {
			_, err := l.ReadFrames(frames(1))
			ended <- err
		}()
		time.Sleep(time.Minute)
		begun := time.Now()
		l.Close()
		if err := <-ended; !errors.Is(err, transports.ErrClosed) || time.Since(begun) != 0 {
			t.Errorf("ReadFrames ends at once with ErrClosed: %v after %v", err, time.Since(begun))
		}
	})
}

func TestConfigIsRefusedWithASentence(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{}, `serial link without a device, e.g. "/dev/ttyUSB0"`},
		{Config{Device: "/dev/ttyMissing"}, "serial device /dev/ttyMissing does not exist"},
		{Config{Device: "/dev/ttyX", Framing: "Raw"}, `unknown serial framing "Raw"; known are raw, hdlc, slip, radiohead, loralink`},
		{Config{Device: "/dev/ttyX", Baud: -9600}, "baud rate of serial device /dev/ttyX is -9600, must be 50 to 20000000"},
		{Config{Device: "/dev/ttyX", MTU: 70000}, "MTU of serial device /dev/ttyX is 70000, must be 2 to 65535"},
		{Config{Device: "/dev/ttyX", Gap: -1}, "gap of serial device /dev/ttyX is -1ns, must not be negative"},
		{Config{Device: "/dev/ttyX", DeviceTx: "/dev/ttyY", Framing: "slip"}, "serial device /dev/ttyX has a second one to send through, /dev/ttyY, which is for framing loralink only"},
		{Config{Device: "/dev/ttyX", DeviceTx: "auto:usb 12", Framing: "loralink"}, `serial device "auto:usb 12" must be "auto:usb"`},
		{Config{Device: "/dev/null", Baud: 9600}, "/dev/null is not a serial device, or does not take 9600 baud: "},
	} {
		l, err := Open(c.config)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("Open(%+v) is refused with %q, got %v", c.config, c.want, err)
		}
	}
}

// TestAuthPassesARawLine: bisquitt's AUTH is a message as any other, although MQTT-SN 1.2 reserves its type.
func TestAuthPassesARawLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, far := onPipe(t, Config{})
		connect := []byte("\x07\x04\x04\x01\x00\x3ca")
		auth := []byte("\x00\x03\x00\x05PLAIN\x00a\x00pwd")
		auth[0] = byte(len(auth))
		go far.Write(append(connect[:len(connect):len(connect)], auth...))
		wantFrame(t, l, "CONNECT comes", connect)
		wantFrame(t, l, "and AUTH behind it", auth)
		if got := l.Stats().Errors[transports.ReasonGarbageBytes]; got != 0 {
			t.Errorf("no octet of it is garbage: got %d", got)
		}
		l.Close()
	})
}
