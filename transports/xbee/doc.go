// Package xbee carries MQTT-SN over an XBee radio: ZigBee or 802.15.4 firmware, API mode 1 or 2, on a serial line as midge/transports/serial opens it.
//
// # Nouns
//
// An API frame is what host and radio exchange, see frame.go and packet.go; a [Parser] finds them. The machine, a serial.Machine, is all that is
// known of one radio. A node is known by its 64-bit address, which is its Addr; the 16-bit one that ZigBee gives it is only remembered to spare the
// radio a search, and forgotten when a frame fails.
//
// # The inquiry
//
// When the port opens, and when the radio reports a reset, it is asked how it is set: AP first, by a frame that is the same in both API modes, then
// AO, VR, HV, MM (which only 802.15.4 firmware knows), NP and AI. Until AP is known a frame is taken if it is good in one of the modes. A radio that
// does not answer is asked in command mode; if it answers there it is transparent (AP=0). In this and other cases the link is down with a sentence
// that says what to do, and the radio is asked again every ten seconds. Nothing is ever set in a radio. A ZigBee radio without a network (AI, or 0x8A
// with 0x03) is down until it has one.
//
// # In flight
//
// Each frame has a Frame ID from 1 to 255 and is reported by the radio (0x8B, 0x89) after milliseconds or after more than a minute, when its node
// sleeps. Nothing waits for that: the radio has four frames at once, of which none counts for more than a second, and a node is sent one at a time,
// but for six seconds at most. A frame that failed is counted by its reason and not sent again, MQTT-SN does that; except that one for which the
// radio had no room is offered again after a pause that doubles from 0.1 to 5 s, five times, and the radio is given fewer at once until it delivers.
// A frame that was too long (0x74) lowers the MTU to the next length that radios have.
//
// # What it does not do
//
// It uses neither CTS nor RTS: the window keeps the radio's buffer from running over. It does not send in explicit frames (0x11), nor with APS security.
package xbee
