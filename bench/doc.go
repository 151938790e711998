// Command bench runs Midge and other brokers in turn on the same work on loopback and prints one table.
//
// # Nouns
//
// A peer is a broker that can be started; a server is one started process of it. A work is what is measured
// (works.go); a run is one work on one fresh server; a figure is the median of the runs. Traffic is the
// general shape of a work: publishers that send until a deadline, subscribers that check what arrives. A ledger
// is a subscriber's book: what came once, twice, late or never, by publisher and sequence number.
//
// # Rules
//
// The generator shares the machine with the server, so it must cost little: packets are written by hand, QoS 0 goes
// out in writes of about 64 KB, one read is parsed to its end and answered with one write, nothing is allocated
// per message, and all but QoS 0 runs over descriptors that one goroutine serves by epoll or in turn. Writes block: a server that does not read its
// socket slows its publishers, and only what it took and did not deliver counts as lost.
//
// Each run has a server of its own, started for it and stopped after it, and servers take turns (A B C A B C), so that
// a machine that grows slower in an hour does so for all. The server's CPU time is read from the process clock of its
// process id at both ends of the window, so it counts all its threads and nothing else.
//
// # Durability
//
// A durable work (durable_works.go) has a table of its own. Its server keeps state in its directory, is killed and started again there. A
// sender remembers which of its messages were acknowledged, and only these can be lost. What a server writes is read from the kernel's
// count for its process, and the sync time of the device stands beside it.
//
// # What it does not do
//
// No latency, no TLS, no network but loopback, no MQTT 5, no other system than Linux. A generator in the same two cores is part
// of each throughput figure, equally for all; the CPU column is the one that carries over to another machine.
package main
