// Package trace records what a link carries into a capture file that Wireshark and tshark read, whatever the link is: each frame is
// written as a UDP datagram between the gateway's port 1883 and a port of the peer, and the mqttsn dissector does the rest, once it is told of the
// port: tshark -d udp.port==1883,mqttsn.
//
// A UDP peer keeps its address and port; the gateway is 10.0.0.1 to it, or fd00::1 over IPv6. Any other peer (a serial line, a radio) gets an address in
// 10.128.0.0/9 that follows from its Addr, the same in every capture. What goes to everyone goes to 239.0.0.1.
//
// The file is a classic pcap with nanoseconds and link type RAW (pcap-savefile(5)): no Ethernet header.
//
// A [Link] writes its file itself, in tests; a [Capture] of a gateway that runs keeps some frames for a reader that may be slow.
package trace
