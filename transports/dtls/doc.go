// Package dtls carries MQTT-SN over DTLS 1.2 (RFC 6347), one message in each record, through github.com/pion/dtls.
//
// [Listen] is the gateway's side, [Dial] the device's. Both ends prove who they are by a pre-shared key or by certificates; a gateway may offer both.
//
// # Sessions
//
// A peer is a DTLS session, not an address: its [transports.Addr] is a random number that it gets with its handshake. With Connection ID (RFC 9146) a
// session outlives a change of address and any length of sleep: a device behind a NAT goes on from wherever it wakes, without a new handshake. A
// device that does not offer the extension has to keep its address. One that has lost its session, but not its address, may shake hands anew from
// there: the old session stays until the new handshake is complete, since anybody could have sent a ClientHello (RFC 6347 §4.2.8). What a device
// sends right behind its Finished waits until the handshake is complete on this side too. A session ends when the peer says so, when the link is
// closed, or when [Config.Sessions] are there and this one was silent for longest.
//
// # A restart
//
// A session does not outlive the process. A device has to shake hands again, and its client id brings it back to what waits for it. To take a session
// up after a crash, its keys and record numbers would have to be on disk, and no number must be used twice: with the AEAD suites that shows the
// messages to whoever listens, and lets him forge others. pion's ResumeWithOptions asks that the first connection never sends again after its state was
// taken, which a crash cannot promise. Numbers could be reserved on disk in advance and skipped, but pion v3 takes the number from a state whose form
// is its own; its window against replays would begin where the state was taken, so that whoever has recorded what came after could send it once more;
// and a data directory that comes back from a backup would repeat numbers that were used since.
//
// Nothing is said to the sender of a record whose session is not here (it is counted, [ReasonSession]): an alert or a HelloRequest that no session
// protects must not be believed, or anybody could end sessions (RFC 6347 §4.1.2.7). A device notices because its PINGREQ or PUBLISH has no answer. When
// a process ends in order, each session is closed with an alert; a device that is asleep does not hear it.
//
// [Link.Identity] is the name that a peer has proven: its PSK identity, or the common name of its certificate.
//
// # Bounds
//
// handshakesMax handshakes are under way at once, each for handshakeTimeout at most. pion answers a first ClientHello with a cookie; beyond the bound the
// one that has waited longest for its cookie to come back gives way, so that forged addresses keep nobody out. Where all have answered theirs, whoever comes
// is not answered and tries again. What arrives faster than it is read is dropped and counted.
//
// # What it does not do
//
// It cannot broadcast: there is nobody to share a key with, so devices do not search on this link. DTLS 1.3 is not there yet.
package dtls
