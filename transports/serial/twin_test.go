package serial

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"midge/transports"
	"midge/transports/linktest"
)

// modems is the far end of a line of two ports, as the real ones are: what the gateway sends comes through tx, where its answers go; what nodes send goes through rx.
type modems struct{ rx, tx io.ReadWriteCloser }

func (m modems) Read(b []byte) (int, error) { return m.tx.Read(b) }

func (m modems) Write(b []byte) (int, error) {
	d := loraDecoder{header: loraHeard}
	d.feed(b)
	if p := d.next(); p != nil && p[loraHeard-1] == loraAck {
		return m.tx.Write(b)
	}
	return m.rx.Write(b)
}

func (m modems) Close() error { return errors.Join(m.rx.Close(), m.tx.Close()) }

// onTwoPipes is a link of two ports, each the end of a pipe whose other end is the test's.
func onTwoPipes(t *testing.T) (l *Link, rx, tx net.Conn) {
	t.Helper()
	rxNear, rx := net.Pipe()
	txNear, tx := net.Pipe()
	s, err := Config{Device: "/dev/rx", DeviceTx: "/dev/tx", Framing: "loralink"}.settle()
	if err != nil {
		t.Fatal(err)
	}
	both := newTwin(namedStream{lineOf(rxNear).stream, "/dev/rx"}, namedStream{lineOf(txNear).stream, "/dev/tx"}, loraCut)
	return newLink(s, nil, &line{stream: both, timed: true, timeout: -1}, nil), rx, tx
}

func wantPacket(t *testing.T, from net.Conn, sentence string, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s: got %x and %v, want %x", sentence, got, err, want)
	}
}

// TestPacketsOfTwoPortsStayWhole: an answer comes through one port in the middle of a message through the other.
func TestPacketsOfTwoPortsStayWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, rx, tx := onTwoPipes(t)
		node := transports.MakeAddr([]byte{4})
		l.WriteFrames([]transports.Frame{{Addr: node, Data: []byte{2, 0x17}}, {Addr: node, Data: []byte{2, 0x18}}})
		wantPacket(t, tx, "a frame leaves through the port to send", appendLoRaLink(nil, []byte{4, loraMQTTSN}, []byte{2, 0x17}))
		message := appendLoRaLink(nil, []byte{4, 0xFF, 0xC4, 0, 9, loraMQTTSN}, linktest.Message(20, 1))
		go func() {
			rx.Write(message[:9])
			synctest.Wait() // it is read
			tx.Write(appendLoRaLink(nil, []byte{loraModemAddr, 0, 0, 0, 0, loraAck}, nil))
			synctest.Wait()
			rx.Write(message[9:])
		}()
		wantFrame(t, l, "the message is whole", linktest.Message(20, 1))
		wantPacket(t, tx, "and the answer has let the next frame go", appendLoRaLink(nil, []byte{4, loraMQTTSN}, []byte{2, 0x18}))
		for reason, n := range l.Stats().Errors {
			if n > 0 {
				t.Errorf("nothing is lost: %s=%d", reason, n)
			}
		}
		l.Close()
	})
}

// TestEitherPortTakesTheLineDown and the error says which it was.
func TestEitherPortTakesTheLineDown(t *testing.T) {
	for _, device := range []string{"/dev/rx", "/dev/tx"} {
		synctest.Test(t, func(t *testing.T) {
			l, rx, tx := onTwoPipes(t)
			map[string]net.Conn{"/dev/rx": rx, "/dev/tx": tx}[device].Close()
			if _, err := l.ReadFrames(frames(1)); err == nil || err.Error() != "serial device "+device+" has gone: EOF" {
				t.Errorf("the error names %s: %v", device, err)
			}
			if s := l.Stats(); s.Up || s.Why != "serial device "+device+" has gone: EOF" {
				t.Errorf("and so does what the link says of itself: %+v", s)
			}
			l.Close()
		})
	}
}

func TestAFailedWriteNamesItsPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, _ := onTwoPipes(t)
		l.line.stream.(*twin).tx.Close()
		l.WriteFrames([]transports.Frame{{Addr: transports.MakeAddr([]byte{4}), Data: []byte{2, 0x17}}})
		synctest.Wait()
		if s := l.Stats(); s.Up || s.Why != "serial device /dev/tx has gone: io: read/write on closed pipe" {
			t.Errorf("a write that fails takes the line down and says at which port: %+v", s)
		}
		l.Close()
	})
}

func TestReadOfTwoPortsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, _ := onTwoPipes(t)
		both := l.line.stream
		both.SetReadTimeout(50 * time.Millisecond)
		begun := time.Now()
		if n, err := both.Read(make([]byte, 9)); n != 0 || err != nil || time.Since(begun) != 50*time.Millisecond {
			t.Errorf("a read ends after its timeout with nothing: %d and %v after %v", n, err, time.Since(begun))
		}
		both.SetReadTimeout(-1)
		go func() {
			time.Sleep(time.Hour)
			l.Close()
		}()
		if _, err := l.ReadFrames(frames(1)); !errors.Is(err, transports.ErrClosed) {
			t.Errorf("Close ends a read that waits: %v", err)
		}
	})
}

// A unit longer than the room of a Read comes in pieces, in order.
func TestReadOfTwoPortsInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, rx, _ := onTwoPipes(t)
		packet := appendLoRaLink(nil, []byte{4, 0xFF, 0xC4, 0, 9, loraMQTTSN}, linktest.Message(20, 1))
		go rx.Write(packet)
		var got []byte
		for room := make([]byte, 7); len(got) < len(packet); {
			n, err := l.line.Read(room)
			if err != nil || n == 0 {
				t.Fatalf("the packet is read to its end: %d and %v", n, err)
			}
			got = append(got, room[:n]...)
		}
		if !bytes.Equal(got, packet) {
			t.Errorf("the packet is as it was: %x, not %x", got, packet)
		}
		l.Close()
	})
}

// FuzzLoRaCut: a unit has one good packet or none, whatever is heard through the other port before it, and what waits for more is the beginning of one that is not too long.
func FuzzLoRaCut(f *testing.F) {
	packet := appendLoRaLink(nil, []byte{4, 0xFF, 0xC4, 0, 9, loraMQTTSN}, linktest.Message(40, 0x7E))
	f.Add(append(append([]byte{1, 2}, packet...), packet...))
	f.Add(append(packet[:20:20], packet...))
	f.Add(append([]byte{loraStart, 0, 2, loraStart, loraEscape, loraStart, 9, 9}, packet...))
	f.Fuzz(func(t *testing.T, octets []byte) {
		through := loraDecoder{header: loraHeard}
		rest := octets
		for n := loraCut(rest); n > 0; n = loraCut(rest) {
			through.feed(rest[:n])
			good := through.next() != nil
			alone := loraDecoder{header: loraHeard}
			alone.feed(rest[:n])
			if alone.next() != nil != good || through.next() != nil {
				t.Fatalf("a unit has one whole packet or none: %x", rest[:n])
			}
			rest = rest[n:]
		}
		if len(rest) > 0 && (rest[0] != loraStart || len(rest) > 2*(loraLength+loraHeard+loraPayloadMost+1)) {
			t.Errorf("what waits is the beginning of a packet: %x", rest)
		}
	})
}
