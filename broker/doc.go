// Package broker is the core: sessions, subscriptions, retained messages, wills and the flow of QoS 0, 1 and 2.
//
// The core speaks MQTT 5 and nothing else, as values and never as packets. Every front end (an MQTT connection, a
// device behind a gateway, a bridge to another broker) is an accent of it: it opens a [Session] and pulls with
// [Session.Next] at its own pace. A sleeping device, an unreachable cloud and a slow subscriber are all the same to the
// core: a session that does not pull.
//
// # Nouns
//
// A [Message] is immutable from the moment it is published and shared by pointer by every queue that holds it. A
// session is what a client id owns: subscriptions, a queue, the messages in flight both ways, a will. A [Session]
// value is one front end's hold on it; when another front end opens the same client id, the old hold turns inert and every verb
// of it answers [ErrTakenOver].
//
// # Flow
//
// [Session.Publish] routes messages into the queues of the sessions that match and leaves the acknowledgement in the publisher's own
// session, where Next hands it out as soon as the message is safe. Next hands out acknowledgements first (PUBRELs of an earlier connection among
// them), then, after a reconnect, what was in flight, then the queue, as far as the Receive Maximum allows. It hands each delivery out once; whoever speaks a protocol that
// repeats keeps its own timers. [Session.Acked], [Session.Received] and [Session.Completed] bring the subscriber's
// answers; [Session.Release] is the publisher's PUBREL.
//
// # Rules
//
// One mutex guards everything; verbs take batches, so one read of a socket costs one lock. Nothing here starts a
// goroutine but [Broker.Run], does I/O or reads a clock: now is an argument. [Waker.Wake] is called after the mutex is
// released, once per session until it has been drained, and never for the session whose own verb is running: its caller pulls
// anyway.
//
// All bounds stand in limits.go; each refusal and each drop has a [DropReason] with a counter.
//
// # What is safe
//
// With a [Restore]d broker, sessions with an expiry, and connectionless ones, are durable: their copies at QoS > 0, subscriptions, identifiers and notes
// are in a store. What changes enters the journal; the committer seals the journal into one batch, has it synced without the lock, and then lets go of the
// acknowledgements that waited for it. A copy whose receiver is done with it before the sealing is never written (write elision), and its publisher
// is acknowledged at once. QoS 1 goes out before it is safe, as a repetition after a crash is allowed; QoS 2 only after.
//
// A durable session's copies are numbered; the packet identifier follows from the number, so it is the same after a restart. Of a session that does not
// pull only a few copies wait in memory; the rest is read back, in order and ahead of need, when its front end comes to it.
//
// The store's time runs on while the process lives and trusts no wall clock that has been caught lying, so that nothing expires because a box
// booted in 1970.
//
// # Groups
//
// A shared subscription makes its session a member of a group: each message is lent to one member, and what waits until a member has room is the group's
// backlog, which is a queue like a session's and on disk a session under the filter as its client id. See share.go.
//
// # Not here
//
// The core counts; the $SYS tree is made of its [Counters] elsewhere and comes back by [Broker.Announce].
package broker
