// Package listener is the front end for MQTT clients: it accepts connections and turns packets into verbs of broker
// sessions and back.
//
// # Ways in
//
// A Listener accepts connections under a Policy, which may be replaced while it is served: a connection keeps the one that it came in under, but for
// what a reload must change. What stands before the first packet (a PROXY header, TLS, the request for a WebSocket) is awaited by a goroutine, within
// the ten seconds that a CONNECT may take. Files of certificates are read whole into a TLS, which never changes: reading them again makes another
// Policy, or an error and nothing changes.
//
// # A connection
//
// What carries a connection's octets is a wire: on Linux a plain socket in an epoll loop that all connections of a listener share, otherwise a
// stream with a goroutine that reads. What one read returned is parsed whole, runs of the same packet become one verb, and
// so one read costs a handful of locks however many packets it held. The answers and deliveries leave through the
// connection's pump: at any moment at most one goroutine pulls the session with Next and writes what comes. The
// reader pumps its own connection after each batch. A delivery from elsewhere is pumped to a socket by whoever gave it, a few rounds long,
// and the loop does the rest; for a stream it starts a goroutine that pumps until nothing is left. An
// idle connection holds no buffer, and no goroutine but a stream's reader: buffers are lent when the socket has something.
//
// # Coming in
//
// The listener's Authenticator decides about a CONNECT. Where that takes time, a password to be checked, it is asked in a goroutine and the connection is not read from
// until it has answered: nobody else in the loop waits. An answer that does not come within the time for CONNECT is a refusal. With an authentication method (MQTT 5) AUTH
// goes to and fro instead.
//
// # Locks
//
// wmu guards writing and may be held while a write to a stream waits; amu guards the answers that wait and is held for moments only, so a
// reader never waits for a client that does not listen. In this order, then the core's. A socket's descriptor is closed by its loop alone, under wmu.
//
// # Pace
//
// A publisher that outruns its subscribers is not read from for a bounded moment (Session.Publish tells). A client that
// does not read its socket stops its own pump, and when it goes on asking, its own reader (answersMax). After Config.Stall without taking anything it is
// cut off.
//
// # MQTT 5
//
// What a client takes and wants to be told (meet) is read from CONNECT once. Topic aliases towards it are the pump's, as they have to be learned in the order
// of what is written. Which refusals are explained in words is in reason.go.
//
// # The end
//
// When the server ends a connection, what was right is still answered, DISCONNECT follows where there is one, and our side of the stream is
// closed. The client has half a second to close its own (lingerWait): closing a socket with unread input resets the connection, and that may destroy what
// is on its way.
//
// # Time
//
// A timer is moved only when it fires: a connection that has been heard of since is given the rest.
package listener
