// Package demo is `midge demo`: a whole Midge with simulated devices, on one machine, with nothing to install or configure.
//
// [Run] builds a node (broker on TCP, gateway on UDP and on a virtual serial line, all on loopback, all state in memory), lets two fleets of
// midge/firmware-sim/fleet talk to it over the real links, and shows what happens. Any MQTT client and any MQTT-SN device may join
// in; devices from outside appear beside the simulated ones, because what is shown is what the gateway knows.
//
// # Nouns
//
// A stage is all that runs. A view is what is shown of it at one moment. On a terminal a screen draws the view in place, on the terminal's second page, so that
// the first is as it was when the demo ends; elsewhere plain lines tell each event and, every five seconds, the sums. A watch finds
// the events by comparing what the gateway told a moment ago with what it tells now. View and watch are machines.
//
// # Rules
//
// One goroutine writes to the output. Whatever came from the wire is escaped before it is shown. When the context ends the fleets say goodbye first,
// and the node ends after them, all within a second.
//
// # What it does not do
//
// The virtual serial line needs a pseudo-terminal that only Linux gives here; elsewhere the demo runs on UDP alone and says so.
package demo
