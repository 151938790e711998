package bridge

import "time"

// Bounds and times of a bridge. Each is here with its reason; Config overrides those that an operator may want otherwise.
const (
	maxInflightDefault = 20          // messages unacknowledged upstream: what Mosquitto allows a client
	keepAliveDefault   = time.Minute // accepted by every upstream known to us

	backoffBase  = time.Second      // first wait between two connections, before jitter
	backoffCap   = time.Minute      // longest: an upstream that is back is found within it
	stableAfter  = time.Minute      // a connection that lived so long resets the back-off
	connectTime  = 30 * time.Second // for TCP, TLS and CONNACK together
	subackTime   = 30 * time.Second // for one SUBACK
	stallMin     = 30 * time.Second // no acknowledgement for so long, or for one keep-alive if that is longer, ends the connection
	pingSlack    = 15 * time.Second // Paho looks every 5 s whether a ping is due; the answer has 10 s
	quiesceTime  = 400 * time.Millisecond
	finishTime   = 200 * time.Millisecond // both together keep a stop within a second
	logAgainTime = 10 * time.Minute       // the same error is logged once in this time

	filtersPerSubscribe = 8       // AWS IoT Core takes no more in one SUBSCRIBE
	inboundBuffer       = 64      // messages between Paho's handler and the bridge's loop
	inboundPacketMax    = 4 << 20 // octets of one packet from upstream: Paho allocates what the header claims
	heldMax             = 1024    // messages from upstream that wait because the local broker is congested
	heldRetry           = time.Second
	busyPauseMax        = 20 * time.Millisecond // how long a local burst may keep the bridge from reading on
	pullBatch           = 32
	pullRounds          = 32 // batches in a row before upstream is listened to again

	writeMark  = 64 << 10         // octets waiting for the socket above which nothing new is pulled
	writeChunk = 16 << 10         // octets per write to the socket …
	writeTime  = 30 * time.Second // … and for each: 546 octets a second is the slowest link that works

	echoKeep  = 10 * time.Second // how long a sent message's echo is expected
	echoMax   = 1024             // digests kept, 32 octets each
	echoProof = 8                // messages without an echo after which the upstream is taken to send none
)
