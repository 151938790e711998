// Package sys makes the $SYS tree: what the broker says of itself, under the topics that Mosquitto has for it.
//
// A [Tree] is a machine: figures and the time go in, topics with their values come out, those that have changed. Whoever drives it publishes them,
// retained, at the pace of its interval.
package sys
