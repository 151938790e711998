// Package transports says what a link is: something that carries MQTT-SN messages between the gateway and its
// devices. The links themselves are the folders beside this file (udp, serial, …), each alone with its driver.
//
// # Nouns
//
// A [Link] is one socket, one serial line, one radio. A [Frame] is one MQTT-SN message on it, whole. An [Addr] is one
// peer on it, opaque to all but the link that made it. [Stats] are its figures.
//
// # What a link promises
//
// Whole or not at all. A frame may be lost, repeated, reordered or late; what arrives is octet for octet one message
// that one peer sent. Links that run over a stream of octets (serial) find the borders themselves and drop what they
// cannot delimit.
//
// Never in the way. WriteFrames returns at once. What the device cannot take now waits in a queue with a bound in
// octets; what does not fit is dropped and counted. MQTT-SN repeats what matters (T_retry), so a late frame is worth
// less than a lost one.
//
// In order, as far as the medium goes. Frames of one WriteFrames leave in their order, and a link does not itself
// reorder; a network in between may.
//
// # Who owns octets
//
// ReadFrames fills the caller's buffers: frames[i].Data is a slice of the caller's with cap(Data) room, and the link
// keeps nothing of it. When one of a batch of received frames is dropped, the link may exchange the buffers of two
// entries; it never loses one. WriteFrames reads frames[i].Data only until it returns.
//
// # How a link fails
//
// An error of opening is one sentence for the person who wrote the configuration. After that a link does not fail, it
// is down: Stats.Up is false and Stats.Why says why, frames written meanwhile are counted as [ReasonDown], and the link
// tries by itself until it is up again. ReadFrames ends with [ErrClosed] after Close and, on links that cannot
// be reopened (a stream handed in from outside), with the stream's error.
//
// # Time and goroutines
//
// One goroutine reads. Any goroutine may write, ask for Stats or Close. A link may own goroutines of its own; Close
// waits for them. The framing decoders are machines: they are told the time and never look at a clock.
package transports
