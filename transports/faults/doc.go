// Package faults makes a good link bad, repeatably: it wraps any link and loses, repeats, delays, reorders and corrupts
// frames in both directions with given probabilities.
//
// Each direction draws from a generator of its own that is seeded from Faults.Seed, a fixed number of draws per frame, so what happens to the
// n-th frame of a direction depends on the seed and n alone, not on the other direction nor on time.
//
// What happens to a frame is decided by a machine (lane), driven by the time it is told. The shell around it owns two
// goroutines: one reads the inner link, one sends what was delayed. Both block on channels and timers only, so
// that a wrapped in-memory link runs under testing/synctest.
package faults
