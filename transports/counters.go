package transports

import "sync/atomic"

// The reasons under which links count what they lost or survived: the keys of Stats.Errors. A link has
// those that can happen to it, all of them from the start.
const (
	ReasonOversize     = "oversize"      // frames longer than the MTU or than the reader's buffer, either way
	ReasonQueueFull    = "queue_full"    // frames that found the outgoing (or group) queue or the kernel's buffer full
	ReasonSend         = "send"          // frames that the system refused to send
	ReasonReceive      = "receive"       // passing errors of a read
	ReasonRefused      = "refused"       // the peer's host answered that nobody listens there (ICMP)
	ReasonAddress      = "address"       // frames to an address that is not one of this link
	ReasonNoGroup      = "no_group"      // broadcasts on a link that has nobody to broadcast to
	ReasonEcho         = "echo"          // own broadcasts heard again
	ReasonEmpty        = "empty"         // datagrams without a single octet
	ReasonKernel       = "kernel"        // datagrams that the kernel dropped for want of room
	ReasonCRC          = "crc"           // frames with a wrong checksum
	ReasonMalformed    = "malformed"     // delimited frames that cannot be a message: too short, aborted
	ReasonGarbageBytes = "garbage_bytes" // octets that belong to no frame
	ReasonDown         = "down"          // frames written or queued while the device was away
	ReasonReopen       = "reopen"        // times that the device came back
	ReasonIgnored      = "ignored"       // packets of a radio that carry no message and are not for us
	ReasonRepeated     = "repeated"      // frames heard again because our acknowledgement was lost
)

// Why a radio has not delivered a frame. MQTT-SN repeats what matters.
const (
	ReasonNoAck       = "no_ack"       // the node did not acknowledge it
	ReasonNoStatus    = "no_status"    // the radio never said what became of it
	ReasonChannelBusy = "channel_busy" // others were always sending (CCA)
	ReasonNotJoined   = "not_joined"   // the radio has no network
	ReasonNoRoute     = "no_route"     // the node or a way to it was not found
	ReasonNotRelayed  = "not_relayed"  // nobody passed the broadcast on
	ReasonNoBuffer    = "no_buffer"    // the radio had no room for it, several times
	ReasonTooLarge    = "too_large"    // too long for one packet of the radio
	ReasonNotPolled   = "not_polled"   // the sleeping node did not ask its parent for it in time
	ReasonRadioReset  = "radio_reset"  // the radio was reset while it had it
	ReasonNotSent     = "not_sent"     // the radio refused it for another reason
)

// Counters are the figures behind a link's Stats. All methods may be called from any goroutine.
type Counters struct {
	FramesIn, FramesOut atomic.Uint64
	BytesIn, BytesOut   atomic.Uint64
	errors              map[string]*atomic.Uint64 // filled by NewCounters, never changed after
}

// NewCounters makes counters with a zero for each of the reasons.
func NewCounters(reasons ...string) *Counters {
	c := &Counters{errors: make(map[string]*atomic.Uint64, len(reasons))}
	for _, r := range reasons {
		c.errors[r] = new(atomic.Uint64)
	}
	return c
}

// Count adds n to a reason. A reason that NewCounters was not given is a mistake of the link and panics.
func (c *Counters) Count(reason string, n uint64) {
	if n > 0 {
		c.errors[reason].Add(n)
	}
}

// Received counts n frames of together so many octets of Data.
func (c *Counters) Received(n int, octets uint64) {
	c.FramesIn.Add(uint64(n))
	c.BytesIn.Add(octets)
}

// Sent counts n frames of together so many octets of Data.
func (c *Counters) Sent(n int, octets uint64) {
	c.FramesOut.Add(uint64(n))
	c.BytesOut.Add(octets)
}

// Stats reads the counters; Up and Why are left for the link to fill.
func (c *Counters) Stats() Stats {
	s := Stats{
		FramesIn: c.FramesIn.Load(), FramesOut: c.FramesOut.Load(),
		BytesIn: c.BytesIn.Load(), BytesOut: c.BytesOut.Load(),
		Errors: make(map[string]uint64, len(c.errors)),
	}
	for r, n := range c.errors {
		s.Errors[r] = n.Load()
	}
	return s
}
