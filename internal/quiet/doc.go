// Package quiet lets loops wait for packets, read and write without Go's scheduler making much of it.
//
// What a small packet costs is not the kernel's work but who wakes for it. Where a system call is announced to the scheduler, it wakes its
// monitor, which then looks every 20 µs and ever more seldom, for 10 ms. Where a goroutine becomes ready, it wakes a thread to look for more.
//
//   - [Poll] waits for a descriptor, and [Timer] for a time, in Go's own poller: one thread wakes, and no other.
//   - [Read] and [Write] are raw system calls: on a descriptor that does not block there is nothing to announce.
//   - A loop to which much comes does better still: it waits by a raw system call, for [HoldMost], and holds its processor (a P) while it
//     does. [Pace] knows when that is worth it. The scheduler's signals end such a wait early, but only after 10 ms of need, so at least one
//     processor is always left for the rest of the program: whoever wants to hold one asks [Hold].
package quiet
