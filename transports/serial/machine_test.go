package serial

import (
	"bytes"
	"testing"
	"time"

	"midge/transports/linktest"
)

func TestQueueIsBoundedInOctets(t *testing.T) {
	q := newQueue(0, 100)
	q.octetsMax = 250
	for i, want := range []bool{true, true, false} {
		if got := q.push(raw{}, linktest.Message(100, byte(i))); got != want {
			t.Errorf("push %d of 100 octets into 250: got %v, want %v", i, got, want)
		}
	}
	if !q.push(raw{}, linktest.Message(50, 9)) {
		t.Error("a shorter frame still finds room")
	}
	for i, want := range [][]byte{linktest.Message(100, 0), linktest.Message(100, 1), linktest.Message(50, 9)} {
		if got, n, ok := q.pop(nil); !ok || n != len(want) || !bytes.Equal(got, want) {
			t.Errorf("frame %d comes out whole and in order: %v %d %x", i, ok, n, got)
		}
		if i == 0 && !q.push(raw{}, linktest.Message(2, 0)) {
			t.Error("what was taken out makes room")
		}
	}
	if n := q.clear(); n != 1 {
		t.Errorf("one frame is left to be dropped, not %d", n)
	}
	if _, _, ok := q.pop(nil); ok {
		t.Error("a cleared queue is empty")
	}
}

func TestQueueIsBoundedInFrames(t *testing.T) {
	q := newQueue(0, 100)
	n := 0
	for q.push(raw{}, []byte{2, 0x17}) {
		n++
	}
	if n != queueFramesMax {
		t.Errorf("the queue takes %d frames, not %d", queueFramesMax, n)
	}
}

func TestQueueHoldsSomeSecondsOfLine(t *testing.T) {
	for _, c := range []struct{ baud, mtu, want int }{
		{9600, 255, 4800},     // 960 octets a second for 5 s
		{115200, 1024, 57600}, // 11,520 octets a second
		{300, 1024, 4096},     // never less than four frames
		{0, 1024, queueOctetsMost},
	} {
		var octet time.Duration
		if c.baud > 0 {
			octet = 10 * time.Second / time.Duration(c.baud)
		}
		if got := newQueue(octet, c.mtu).octetsMax; got != c.want {
			t.Errorf("at %d baud and an MTU of %d the queue holds %d octets, not %d", c.baud, c.mtu, c.want, got)
		}
	}
}

func TestQueueDoesNotGrowWhileItMoves(t *testing.T) {
	q := newQueue(0, 100)
	for range 3 {
		q.push(raw{}, linktest.Message(100, 0))
	}
	for range 10_000 {
		q.push(raw{}, linktest.Message(100, 0))
		q.pop(nil)
	}
	if got := cap(q.buf); got > 4096 {
		t.Errorf("a queue of 300 octets needs no %d", got)
	}
}

func TestPacer(t *testing.T) {
	start := time.Unix(100, 0)
	p := pacer{octet: time.Millisecond}
	if got := p.wait(start); got != 0 {
		t.Errorf("an idle line takes the first frame at once, not after %v", got)
	}
	p.wrote(start, 100)
	if got, want := p.wait(start), 100*time.Millisecond-paceSlack; got != want {
		t.Errorf("after 100 octets of 1 ms the next waits %v, not %v", want, got)
	}
	if got := p.wait(start.Add(90 * time.Millisecond)); got != 0 {
		t.Errorf("shortly before the line falls idle the next goes, not after %v", got)
	}
	p.wrote(start.Add(time.Minute), 50)
	if got, want := p.wait(start.Add(time.Minute)), 50*time.Millisecond-paceSlack; got != want {
		t.Errorf("time that the line was idle is not saved up: waits %v, not %v", got, want)
	}
	if got := (&pacer{}).wait(start); got != 0 {
		t.Errorf("a stream without baud rate has no pace: %v", got)
	}
}
