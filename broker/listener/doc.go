// Package listener is the front end for MQTT clients: it accepts connections and turns packets into verbs of broker
// sessions and back.
//
// # A connection
//
// One goroutine per connection reads. What one read returned is parsed whole, runs of the same packet become one verb, and
// so one read costs a handful of locks however many packets it held. The answers and deliveries leave through the
// connection's pump: at any moment at most one goroutine pulls the session with Next and writes what comes. The
// reader pumps its own connection after each batch; a delivery from elsewhere starts a goroutine that pumps until nothing is left. An
// idle connection holds neither a buffer nor a second goroutine: buffers are lent when the socket has something.
//
// # Pace
//
// A publisher that outruns its subscribers is not read from for a bounded moment (Session.Publish tells). A client that
// does not read its socket stops only its own pump.
//
// # Time
//
// The read deadline is set once and moved only when it fires: a connection that has been heard of since is given the rest.
//
// # Not here
//
// TLS, WebSocket and Unix sockets, authentication, topic aliases towards clients and shared subscriptions are to come.
package listener
