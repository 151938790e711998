package mqtt

import "errors"

// ErrIncomplete says that more octets are needed before the fixed header can be read.
var ErrIncomplete = errors.New("packet is incomplete")

// An Error is a packet that cannot be accepted. The connection it came on is to be closed.
type Error struct {
	// Reason is what MQTT 5 calls the fault: MalformedPacket, ProtocolError or a more specific code.
	Reason ReasonCode
	// Silent: close without CONNACK or DISCONNECT, because the peer would not understand it (MQTT 3), or because
	// nothing that it sent so far deserves an answer (a CONNECT of which not even the version can be read).
	Silent bool
	// Text is one sentence for the log: the packet, then what is wrong with it. It never quotes octets of the packet.
	Text string
}

func (e *Error) Error() string { return e.Text }

// ErrRemainingLength is what ParseHeader returns when the remaining length has more than four octets. What follows cannot
// be framed any more, so the connection is closed without a word.
var ErrRemainingLength = &Error{Reason: MalformedPacket, Silent: true, Text: "remaining length is longer than four octets"}

// errReservedType is the answer to packet type 0, known from the first octet alone.
var errReservedType = &Error{Reason: ProtocolError, Text: "packet type 0 is reserved"}
