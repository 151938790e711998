// Package serial carries MQTT-SN over a serial line: a UART of the board, a USB adapter, a radio that behaves like a
// cable, a radio that knows nodes. A line with framing raw or hdlc is one peer, whose Addr is the zero Addr; many devices share it through
// a forwarder (MQTT-SN 1.2 §5.5). With slip, radiohead and loralink an Addr is a node.
//
// # Nouns
//
// A [Framing] is how messages stand in the stream of octets: «raw» or «hdlc». Its [Decoder] is a machine. What is spoken on a line is a
// [Machine]: a framing, a protocol with nodes and answers («slip», «radiohead», «loralink»), or one of another package ([Config].Protocol). A [Link] is the shell
// of a machine: [Open] opens a device through go.bug.st/serial, [FromStream] takes any stream, [OnPty] is the device's end
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
// slip is the line of an Aquila bridge (altair-mqtt-sn-bridge, rfm-mqtt-sn-bridge), which passes messages on to nodes of two octets and tells how well it heard
// them. One packet is with the bridge at a time: the next goes when it has answered, or after 5 s. Its settings and the pairing of nodes are left alone: what
// asks for them is counted as ignored. See slip.go.
//
// radiohead is RH_Serial with RHReliableDatagram: packets between numbered nodes, acknowledged and repeated up to three times, no node waiting for another. What
// is heard again because an acknowledgement was lost is delivered once. With NoAcks it is RHDatagram. See radiohead.go.
//
// loralink is the line of the modems that Paho's MQTT-SN gateway has for LoRa (ty4tw/MQTT-SN-LoRa). One packet is with the modem at a time: the next goes when it has answered, or
// after 10 s. What found the channel busy is given to it again, up to four times. Its RSSI reaches a frame; its SNR does not, being no link quality on any scale that others have. A modem
// sends far slower than its port takes, as shipped 1,758 bits a second for a tenth of the time. With [Config].DeviceTx a second modem sends and both are heard: a line of two ports, of which either takes it down (twin.go). See loralink.go.
//
// Adding one is one file: a type that implements Framing, or a Machine for each end, and a line in the lists of framing.go. [Config].Far plays the far end:
// the bridge or the nodes, for simulators and tests.
//
// # Silence
//
// Silence is what a read observed: it waited the gap out and nothing came. It is not the time between two reads, which on a busy
// box says only when the reader was given the processor; a frame whose second half was read late is not torn. The driver is asked for a
// read that ends only while a decoder is in the middle of something; an idle line costs no wake-up.
//
// # Writing
//
// WriteFrames gives frames to the machine, whose queue is bounded in octets and in frames. One goroutine, owned by the link and waited for by Close,
// writes what the machine has next, acknowledgements first, no faster than the line carries them, so that what waits stands here, where it is counted
// and can be dropped, and not in the kernel, where a close would wait for it: 4 KB at 9600 baud are over four seconds. A write never blocks, where
// the system allows it.
//
// # Unplugging
//
// A read or write error means that the device is gone: Stats.Up turns false, what is queued is dropped and counted as down, and ReadFrames
// tries to open the same path again after 0.5 s, 1 s, 2 s, 4 s and then every 5 s. A path such as /dev/serial/by-id/… finds the adapter
// again whatever number it gets, and so does "auto:usb VID:PID SERIAL", which looks for it among the USB adapters each time.
// "tcp://host:port" is a line behind a network (tcp.go); it is not claimed, because the server has its own ways to refuse a second one.
//
// An open device is locked as by flock(2): a second gateway, root's too, is told that it is in use, where both would get a part of each exchange.
//
// # What it does not do
//
// No hardware flow control (the driver turns it off), no parity: 8N1, which is what every known client uses.
package serial
