package dtls

import (
	"midge/transports"
)

// inboxSize is how many messages may wait for ReadFrames, of all sessions together.
const inboxSize = 1024

// arrival is a message with its sender.
type arrival struct {
	from transports.Addr
	data []byte
}

// receive copies what waits into frames, which it waits for. ok is false once done is closed.
func receive(inbox <-chan arrival, done <-chan struct{}, frames []transports.Frame, oversize func()) (n int, ok bool) {
	for n == 0 {
		select {
		case a := <-inbox:
			n = fill(frames, n, a, oversize)
		case <-done:
			return 0, false
		}
	}
	for n < len(frames) {
		select {
		case a := <-inbox:
			n = fill(frames, n, a, oversize)
		default:
			return n, true
		}
	}
	return n, true
}

func fill(frames []transports.Frame, n int, a arrival, oversize func()) int {
	f := &frames[n]
	if len(a.data) > cap(f.Data) {
		oversize()
		return n
	}
	*f = transports.Frame{Addr: a.from, Data: append(f.Data[:0], a.data...)}
	return n + 1
}

// received counts what a reader has been given. When it was put into the inbox would be too early or too late: the reader may look at the figures.
func received(c *transports.Counters, frames []transports.Frame) {
	octets := 0
	for i := range frames {
		octets += len(frames[i].Data)
	}
	c.Received(len(frames), uint64(octets))
}
