// Package bridge is the front end to another broker: a session of the local broker on one side, an MQTT 3.1.1 client
// (github.com/eclipse/paho.mqtt.golang) on the other.
//
// # Nouns
//
// A [Bridge] holds one connection upstream and carries the [Topic] lines of its [Config] over it. Out is to the other broker, in is from
// it. The local session "$bridge/<name>" is the outbox: a bridge has no queue of its own. While there is no connection the session is held
// and not pulled, so messages wait in it under the bounds of every session. A link is one connection; its Paho
// client is used once and thrown away. The wire is the net.Conn under it. The flight is what was sent and is not yet acknowledged.
//
// # What is promised
//
// Out: the local session is told that a message has arrived when upstream has sent PUBACK or PUBCOMP, and not before. At QoS 1 that is
// at least once. At QoS 2 it is exactly once as long as upstream keeps the session; when CONNACK says that it has none, what was in
// flight is sent again from the start and counted as uncertain. Order per publisher and topic is kept, across connections and restarts too:
// what was in flight is sent again in its old order, and nothing new goes out before that has been handed over.
//
// In: upstream gets PUBACK or PUBREC when the local broker has given its own, and PUBCOMP when the local broker has let the identifier
// go. At QoS 2 a repetition is recognised by the identifier, on this connection, on later ones and after a restart, until PUBREL; a new session
// upstream frees all identifiers. A message that the local broker has no room for is held, unacknowledged, and offered again every second.
//
// Retained messages: out, the retained set goes out when a line is new to the session and not again after each loss of the
// link. In, Retain passes as it was received; a broker that ignores the bridge bit clears it on live messages.
//
// # Over a power cut
//
// The bridge keeps nothing of its own: the local session is kept by the broker, and the bridge says there what upstream has said, in the same
// words and under the same packet identifiers.
//
//	session hands out PUBLISH 7, once it is safe ->  PUBLISH 7 to upstream
//	Received(7)                                  <-  PUBREC 7
//	session hands out PUBREL 7, once that is safe -> PUBREL 7
//	Completed(7)                                 <-  PUBCOMP 7
//
// After a restart the session hands out again what is not finished, under the old identifiers: as PUBLISH, which upstream recognises as a repetition
// if it had it, or as PUBREL. So no table of identifiers has to be written before a message may go out, and each message at QoS 2 costs the disk no more than
// it does for any other subscriber. The other way it is the same: upstream's identifiers are those of Publish and Release.
//
// A message that upstream has confirmed with PUBREC is upstream's own. This side then keeps it only in memory, until PUBCOMP: should upstream lose its session
// in between, it is sent again, but not if this side restarts as well.
//
// # Loops
//
// The local session has No Local, so what came in never goes out again. For the other way the bridge sets the bridge bit of the protocol level
// (0x84), on which Mosquitto and its relatives send no echo; upstreams that refuse it are asked with plain level 4. For upstreams that accept
// the bit and echo all the same, the type echoes drops the first copy of each message sent; its limits stand there. Nothing of it outlives a restart.
//
// # Where Paho's guarantees end, and what is done about it
//
//   - It chooses the identifiers of what it publishes, completes a token without an error when a message is merely sent again, forgets that PUBREC
//     came, and answers PUBREC and PUBREL before anybody was asked. So it connects, subscribes, receives and pings; what goes out the bridge writes into
//     the wire itself, which also tells it of every acknowledgement. PUBREL and PUBCOMP of Paho's own end in the wire.
//   - It knows nothing of the identifiers in use that way. It counts on from half way round, and so does the bridge for its own message.
//   - It panics on a SUBACK with too many codes and allocates what a header claims. The wire refuses both.
//   - Its own reconnection is exponential without jitter, and resumes beside new messages. Both are off.
//   - Its ping timer and its write errors stop its workers while a caller of Subscribe or Ack is between them, which may then wait for long. The
//     wire keeps failures to itself until the loop has let go.
//
// # Rules
//
// One goroutine, the loop, calls the session and Paho; nobody else does. It never waits for the network: writes end in the wire's buffer, and
// above a mark nothing new is pulled. Paho's handler hands messages to the loop through a bounded channel and may wait there. That
// cannot lock up: the loop waits for nothing that Paho reads, its acknowledgements need only Paho's writing side, and a
// broken wire ends the handler's wait. When local receivers are behind, the loop takes nothing from the channel for a bounded moment, Paho
// stops reading, and TCP slows the upstream; the bound keeps acknowledgements, which come the same way, from waiting for ever.
//
// PUBREL and a lost session are noticed by the wire ahead of the messages that are still on their way through Paho. Each carries the
// number of PUBLISH packets that came before it, and the loop acts on it after that many messages.
//
// State, counters and errors are in [Status]. All bounds stand in limits.go.
//
// # Not here
//
// When the local session is lost, because the broker keeps nothing on disk or its store was damaged, identifiers begin anew: what was in flight at QoS 2 may
// be repeated or missing, and upstream may take a new message for the repetition of an old one if it still holds the same identifier
// unreleased.
//
// There is no MQTT 5 upstream, and no second address. Upstream is not unsubscribed from filters that a configuration has no longer: messages on those are
// acknowledged and counted as unmapped.
package bridge
