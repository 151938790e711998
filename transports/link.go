package transports

import "errors"

// Addr names one peer on a link: opaque octets that only the link can read (UDP: IP, zone and port;
// XBee: the 64-bit address; a serial line: none). It is comparable and holds no pointer, so
// a hundred thousand of them in a map cost the garbage collector nothing.
type Addr struct {
	n uint8
	b [23]byte
}

// MakeAddr copies at most 23 octets into an address.
func MakeAddr(b []byte) Addr {
	var a Addr
	a.n = uint8(copy(a.b[:], b))
	return a
}

// Bytes returns the octets that the link put into the address.
func (a *Addr) Bytes() []byte { return a.b[:a.n] }

// A Frame is one MQTT-SN message as the link carries it: one UDP datagram, one de-framed serial frame.
type Frame struct {
	Addr Addr
	// Data is the message. In ReadFrames the caller's buffer is filled (cap of Data is the room; a longer frame is
	// dropped and counted as ReasonOversize), in WriteFrames it is only read and not kept after the call returns.
	Data []byte
	// Broadcast: received: the frame came to everyone (multicast, radio broadcast) or this cannot be known to be false;
	// sent: to everyone in reach, Addr is ignored.
	Broadcast bool
	// Radius is the number of hops a sent broadcast may travel, 0 = the whole network. Links without hops ignore it.
	Radius uint8
	// RSSI and LQI say how well a received frame was heard, on links whose radio tells: the signal in dBm and its quality, more is better.
	// 0 = not told. Other links ignore them.
	RSSI int8
	LQI  uint8
}

// RoomLeast is the room that a reader gives each frame at least, in octets: a radio may hear longer messages than it sends.
const RoomLeast = 512

// ErrClosed is what ReadFrames returns after Close.
var ErrClosed = errors.New("link is closed")

// Stats are a link's own counters since it was opened. Reason keys of Errors are fixed per link and exist from the start.
type Stats struct {
	Up                  bool   // the device is open and usable now
	Why                 string // one sentence, when not Up
	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64            // octets of Data, without the link's own overhead
	Errors              map[string]uint64 // by Reason…; the map is the caller's to keep
}

// A Link carries MQTT-SN messages between the gateway and its peers, whole or not at all. A frame may be lost,
// repeated or arrive late; it never arrives joined to another or in part.
//
// One goroutine reads; any goroutine may write, close or ask.
type Link interface {
	// ReadFrames waits until at least one frame has arrived, fills frames from the front and returns how many.
	// Entries from n on keep a buffer, though not always the one they had.
	// A device that goes away and comes back (an unplugged adapter) is the link's own affair: it reopens, with back-off,
	// and ReadFrames just waits. The only error is ErrClosed, or one that will not pass.
	ReadFrames(frames []Frame) (n int, err error)
	// WriteFrames sends in order. It never waits for the radio or the line: what does not fit the link's bounded
	// queue is dropped and counted in Stats; so is a frame that is empty or longer than MTU. After Close it does nothing.
	WriteFrames(frames []Frame)
	// MTU is the longest Data in octets that the link sends now. A radio that has been refused a frame for its length may lower it.
	MTU() int
	// FormatAddr renders an address of this link for people, e.g. "192.0.2.7:1883".
	FormatAddr(Addr) string
	Stats() Stats
	// Close ends ReadFrames and releases the device. It returns when the link's own goroutines have ended.
	// Closing again does nothing and returns nil.
	Close() error
}

// An Identifier is a Link that knows its peers by more than their addresses. Radios and serial lines are none: an address there is what the sender says it is.
type Identifier interface {
	// Identity is the name that a peer has proven to be its own, "" when it has not.
	Identity(Addr) string
}

// A Watched is a Link whose device may go away and come back. Other links are up while they are open.
type Watched interface {
	Link
	// Changes is signalled when Stats may tell another Up or Why than before. It is one slot for one receiver, and never closed.
	Changes() <-chan struct{}
}

// A Broadcaster is a Link that may reach nobody by broadcast. Other links always can.
type Broadcaster interface {
	// Broadcasts reports whether a frame to everyone goes anywhere. It stays so while the link is open.
	Broadcasts() bool
}

// A Hoster is a Link on which a device may change a part of its address and keep the rest, as the port behind a NAT. The addresses of radios have no such parts: another
// address is another radio.
type Hoster interface {
	// Host is what of an address stays, "" = nothing that is known. It proves nothing.
	Host(Addr) string
}
