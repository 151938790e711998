// Package guard is the configuration's [auth] at work: who may come in through which door, and what whoever is in may do.
//
// # The nouns
//
//   - A [Door] is one listener, or the links together, with the [Rules] that hold there. It answers listeners (listener.Authenticator) and gives sessions their
//     access rules.
//   - [Rules] are whether anonymous clients may come in, a password file and an ACL file. They never change; a reload gives a door others.
//   - The [Guard] is what all doors share: failed log-ins are counted for the process as a whole, and so is what is logged of them.
//
// # A log-in
//
// It needs no decision that takes time unless a password is to be checked. Then it stands in a line with the other log-ins of its address, four of
// which are looked at together: whoever opens a thousand connections to guess waits behind himself and not before others. At the head of the line it
// waits for what auth.Throttle imposes after failures, two seconds at most, beyond which it is refused as «server busy»; and then at the gate of
// package auth, which bounds memory. What has not been decided in time is refused as «server busy» too. A refusal says «not authorized» whatever was
// wrong, as Mosquitto's does.
//
// # After a reload
//
// Access rules look at their door's Rules anew with every question, so new ones hold at once for everyone, connected or not. Who may stay is asked by
// listener.Server.Review: a client that gave a password stays while its record is what it was, an anonymous one while anonymous clients may come in.
//
// # Locks
//
// An access is asked under the core's lock, and by nobody else; it takes no lock and does not block. The Guard's lock is held for moments and nothing is called under it.
package guard
