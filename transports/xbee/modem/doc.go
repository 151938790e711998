// Package modem simulates an XBee radio and the network behind it, for firmware-sim and for tests: an address table, API modes 0, 1 and 2, ZigBee and
// 802.15.4 frames, the answers to AT questions, and a report for each frame with a status, a delay and a loss that one chooses. Nodes may sleep, the modem may
// be reset, leave its network and have no room.
//
// A [Modem] is a transports.Link seen from the nodes; what is written to its host are API frames.
package modem
