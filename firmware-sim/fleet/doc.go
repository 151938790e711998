// Package fleet simulates MQTT-SN devices: a seeded fleet of sensors that publish readings and take commands, over any link, for
// the demo, for load and for system tests.
//
// # Nouns
//
// A device is the machine of midge/mqttsn/client with something to say: it publishes sensors/DEVICE/QUANTITY every interval,
// listens on sensors/DEVICE/set, and answers each command with sensors/DEVICE/state and the value that it took. A sleeper is
// a device that spends most of its time asleep: it wakes after every sleep duration, by turns with PINGREQ, which only collects
// commands, and with CONNECT, which also publishes a reading. A station is a device together with its way to the
// gateway: a link of its own (UDP: one socket, one port), or one line for all, on which more than one device
// speak through the envelope of a forwarder (MQTT-SN 1.2 §5.5) with the device's number as WirelessNodeId, or with addresses where the line has them.
//
// # Readings
//
// Each payload tells a value, the device and its sequence number, see [ParsePayload], so that whoever receives it can check loss,
// repetition and order. The number counts all messages of one device, whatever their topic and QoS.
//
// # What follows from the seed
//
// Everything that a device decides: who sleeps, when it starts, what it measures, the QoS of a mixed fleet, how long it waits before it
// reconnects. The faults of each link are seeded too. The clock and the gateway are not, so two runs over
// real links differ; under testing/synctest with in-memory links they do not, up to what the scheduler orders within one instant.
//
// # Goroutines, locks, time
//
// Devices are plain structs behind one mutex. One goroutine reads each link and drives its devices; one more serves all
// deadlines. So a fleet on UDP costs a goroutine, a socket and some 10 KB for each device, and [Config.Devices] is bounded by
// [DevicesMax]; a line costs one goroutine for all of its devices. Only the shells read the clock.
//
// # What it does not do
//
// No gateway search, no DTLS. The lines of a fleet are opened once; a UDP socket survives a gateway that is away, a
// serial line reopens by itself.
package fleet
