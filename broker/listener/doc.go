// Package listener is the front end for MQTT clients: it accepts connections and turns packets into verbs of broker
// sessions and back.
//
// # A connection
//
// A conn is one client's connection, whatever carries it. What one read returned is parsed whole, and runs of the same
// packet become one verb, so one read costs a handful of locks however many packets it held. Answers and deliveries leave through the
// connection's pump: at any moment at most one goroutine pulls the session with Next and writes what comes. Whoever gives a session
// something runs its pump; what does not go at once is left to those who have nothing else to do.
//
// # What carries it
//
// On Linux all plain sockets of a listener share one loop: epoll, one goroutine, no buffer and no goroutine for an idle connection. A loop that
// has just been busy waits a few milliseconds without telling Go's scheduler, because waking the runtime costs more than a
// message. Everything else (other systems, in-memory connections, later TLS) is a stream with a goroutine that reads.
//
// # Pace
//
// A publisher that outruns its subscribers is not read from for a bounded moment (Session.Publish tells). A client that
// does not read its socket stops only its own pump.
//
// # Time
//
// A timer is moved only when it fires: a connection that has been heard of since is given the rest.
//
// # Not here
//
// TLS, WebSocket and Unix sockets, authentication, topic aliases towards clients and shared subscriptions are to come.
package listener
