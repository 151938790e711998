// Package auth answers who a client is and what it may do, from files in Mosquitto's formats, and slows those who guess.
//
// # The nouns
//
//   - [Passwords] is a password file: who may log in. [Passwords.Verify] checks one log-in.
//   - [ACL] is an access control file; [ACL.For] makes from it the [Access] of one client, which answers "may it read this topic, may it
//     write this topic" for every message, without allocating.
//   - [Throttle] remembers failed log-ins per address, per user and of clients that were let in before, and says how long the next [Attempt] has to wait.
//   - [Encode] makes the hash of a new password; with [ValidUser] and [SplitRecord] it is what a tool needs that edits password files.
//
// # Rules
//
// Passwords, ACL and Access never change once made: any goroutine may use them, and a reload makes new ones beside the old.
// A file with a fault is refused as a whole, with every fault in it, each a [Problem] with its line: half a file of
// permissions is nobody's intention.
//
// A nil *ACL and a nil *Access allow everything, as no file does. A nil *Passwords knows nobody.
//
// [Throttle] is a machine without a lock: its owner locks.
//
// Checking a password is slow by intention and may need much memory. Verify therefore waits for its turn at a gate that all
// password files of the process share: at most 64 MiB of Argon2 memory (or one hash that wants more) and at most eight verifications are
// under way at once, so that a thousand devices that reconnect together exhaust neither a small box's memory nor its processors. What
// the collector has not taken back yet comes on top: in a storm of 300 log-ins the process grew by 138 MB at its peak and not by 5.9 GB.
//
// # What differs from Mosquitto
//
// Mosquitto 2.0 drops a password record that it cannot decode, takes one of two records of a user, and goes on; here the file is
// refused. So is one with an Argon2 hash that wants more than 256 MiB, with more than ten million PBKDF2 iterations, or with control
// characters in names and filters. Both salt lengths of Mosquitto are read, 12 bytes and 64, and what lies near.
// A client id or user name that begins with '$' opens no '$' topics through a pattern that begins with %c or %u.
//
// # What it does not do
//
// It opens no connection and knows no session: who asks, when, and what happens to one who may not, is for the front ends and the
// broker. TLS identities are names too: what a front end has from a certificate it passes to [ACL.For].
package auth
