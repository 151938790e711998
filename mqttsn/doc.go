// Package mqttsn is the codec of MQTT-SN 1.2: octets in, values out, and back.
//
// # Nouns
//
// A message is what the specification calls one: Length, MsgType and a body, carried whole by one datagram
// or one radio frame. [Decode] turns it into a [Packet], which is one struct per message type, held by value
// ([Publish], [Connect], …). [DecodePublish] does the same for that one type and allocates nothing.
// Every packet appends its encoding with Append and describes itself in one line with String.
//
// A forwarder wraps a message into an envelope ([Encapsulated], §5.5); [ParseEncapsulated] takes it off.
//
// # Rules
//
//   - Byte slices of a decoded packet alias the input and live as long as it does. Strings are copies.
//   - All integers are big-endian. Durations are whole seconds, as on the wire.
//   - The Length field must equal the size of the input. Both forms of it are accepted; the short one is sent
//     whenever the message has at most 255 octets.
//   - Be liberal in reading: flag bits that a message does not use are ignored, a MsgId beside QoS 0 or −1 is kept.
//     Be strict in writing: unused bits are zero.
//   - A decoder allocates at most one copy of the text that the message holds.
//
// # What it does not do
//
// It has no state and judges nothing that needs any: whether a MsgId of 0 is right beside QoS 1, whether a topic name is
// UTF-8, holds wildcards or is known, whether a client id is too long or empty. That is the gateway's and the client's
// affair, because they can answer with a return code, and a codec can only say no. It does not cut messages out
// of a byte stream either (see [Length]); that belongs to the framing of the link.
//
// # Text
//
// String is made for logs: names from the wire are escaped, payloads are only counted. [Text] shows payloads too and [ParseText]
// reads it back; golden traces are written in it.
//
// Clause numbers (§) are those of «MQTT For Sensor Networks, Protocol Specification, Version 1.2».
package mqttsn
