package client

import "midge/mqttsn"

// Counters count since New.
type Counters struct {
	Sent     [mqttsn.NumTypes]uint64 // frames by mqttsn.Type, repetitions included
	Received [mqttsn.NumTypes]uint64 // well-formed frames by mqttsn.Type

	Retransmissions uint64 // frames sent again because no answer came
	Acknowledged    uint64 // publishes of QoS 1 and 2 that the gateway confirmed
	Refused         uint64 // publishes that the gateway refused for good
	Discarded       uint64 // publishes of QoS 2 whose fate a clean session hid
	Messages        uint64 // Message events
	Duplicates      uint64 // frames that repeated what was handled before
	Malformed       uint64 // frames that are no MQTT-SN message
	Unexpected      uint64 // well-formed frames that mean nothing in the present state
	WhileAsleep     uint64 // PUBLISH and REGISTER that came between two wake-ups: a gateway must not send them
	Losses          uint64 // Lost events
}
