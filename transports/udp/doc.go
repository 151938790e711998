// Package udp carries MQTT-SN in UDP datagrams, one message each (MQTT-SN 1.2 §1, §5.1).
//
// [Listen] is the gateway's side: one socket for any number of devices, told apart by address and port. [Dial] is the
// device's side: a connected socket with one peer.
//
// # Addresses
//
// ":1883" listens on IPv4 and IPv6, "0.0.0.0:1883" on IPv4 only, "[::]:1883" on IPv6 only, anything else on that
// address. In an Addr stand the IP (4 or 16 octets; IPv4 seen through an IPv6 socket is IPv4), the port (2) and, for
// link-local IPv6, the index of the interface (4): a mesh device is answered on the interface it was heard on.
//
// # Batches
//
// What costs in a small datagram is the system call. On Linux one recvmmsg takes what has arrived and one sendmmsg
// sends what is to go, without an allocation per frame (golang.org/x/net's ReadBatch allocates an address per datagram,
// which is why these two calls are made here). Other systems take one datagram per call.
//
// # Groups
//
// Discovery (§6.1) is by multicast. Each group of Config.Groups is joined on every interface that the
// address stands for: all of them for a wildcard, else only the one that has the address, so that a gateway on
// 127.0.0.1 is not heard on the LAN. Interfaces that appear later are joined at the next broadcast. A broadcast goes to every group out of every such interface,
// from the gateway's own port, because devices take the source of a GWINFO or ADVERTISE as the gateway's address. A
// group on the port of a wildcard address is read from the main socket; otherwise it has a socket of its own, whose
// goroutine hands what it hears to ReadFrames. The link's own broadcasts, looped back by the kernel so that devices on the same host hear them, are dropped.
// 255.255.255.255 in the place of a group is sent to out of each interface, for devices that know no multicast; their own broadcasts are heard on a wildcard address.
//
// # Failure
//
// No datagram and no ICMP answer ends the link. There is no send queue but the kernel's: when that is full, frames are
// dropped and counted.
//
// # What it does not do
//
// It answers from the address that the routing table chooses, which on a host with several addresses in one
// network may not be the one that the device wrote to. On Windows a group must have the link's port and the link a
// wildcard address, which the error of Listen says, and broadcasts are not told from other frames.
package udp
