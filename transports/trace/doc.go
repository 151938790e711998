// Package trace records what a link carries into a capture file that Wireshark and tshark read, whatever the link is: each frame is
// written as a UDP datagram over IPv4 between the gateway's port 1883 and a port of the peer, and the mqtt-sn dissector does the rest.
//
// A UDP peer over IPv4 keeps its address and port. Any other peer (a serial line, a radio, IPv6) gets an address in 10.0.0.0/8 that follows
// from its Addr, the same in every capture. Broadcasts go to 239.0.0.1.
//
// The file is a classic pcap with nanoseconds and link type RAW (pcap-savefile(5)): no Ethernet header.
package trace
