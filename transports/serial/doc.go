// Package serial carries MQTT-SN over a serial line: a UART of the board, a USB adapter, a radio that behaves like a
// cable. One line is one peer, whose Addr is the zero Addr; many devices share a line through a forwarder (MQTT-SN 1.2 §5.5).
//
// # Nouns
//
// A [Framing] is how messages stand in the stream of octets: «raw» or «hdlc». Its [Decoder] is a machine. A [Link] is a
// line with a framing: [Open] opens a device through go.bug.st/serial, [FromStream] takes any stream, [OnPty] is the device's end
// of a pseudo-terminal whose other end, a path, is there to be opened as a serial port.
//
// # Framings
//
// raw is what mqtt-sn-tools' serial bridge and most Arduino sketches do: messages one after the other, delimited by their own
// Length, which is one octet or 0x01 and two. There is no checksum and no mark between messages, so a decoder that is out
// of step cannot tell from the octets alone; it waits for silence. See raw.go.
//
// hdlc puts 0x7E around each message, escapes 0x7E and 0x7D with 0x7D, and adds a CRC-16. It is back in step at the next frame
// and delivers no damaged one; new devices should use it. See hdlc.go.
//
// Adding one is one file: a type that implements Framing and a line in the list of framing.go.
//
// # Silence
//
// Silence is what a read observed: it waited the gap out and nothing came. It is not the time between two reads, which on a busy
// box says only when the reader was given the processor; a frame whose second half was read late is not torn. The driver is asked for a
// read that ends only while a decoder is in the middle of something; an idle line costs no wake-up.
//
// # Writing
//
// WriteFrames puts encoded frames into a queue bounded in octets and in frames. One goroutine, owned by the link and waited for by Close, writes
// them no faster than the line carries them, so that what waits stands here, where it is counted and can be dropped, and not in the
// kernel, where a close would wait for it: 4 KB at 9600 baud are over four seconds. A write never blocks, where the system allows it.
//
// # Unplugging
//
// A read or write error means that the device is gone: Stats.Up turns false, what is queued is dropped and counted as down, and ReadFrames
// tries to open the same path again after 0.5 s, 1 s, 2 s, 4 s and then every 5 s. A path such as /dev/serial/by-id/… finds the adapter
// again whatever number it gets.
//
// # What it does not do
//
// No hardware flow control (the driver turns it off), no parity: 8N1, which is what every known client uses.
package serial
