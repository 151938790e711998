package bridge

import (
	"strconv"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// seed is the Store that Paho is given. It holds one PUBLISH, which the wire swallows; what it does is that Paho counts on from its identifier.
// "Each time a Client sends a new packet of one of these types it MUST assign it a currently unused Packet Identifier" [MQTT-2.3.1-2]: Paho, which begins
// with 1, knows nothing of those that the bridge has in flight.
type seed uint16

// Open does nothing.
func (s seed) Open() {}

// Close does nothing.
func (s seed) Close() {}

// Reset does nothing.
func (s seed) Reset() {}

// Put keeps nothing: the local broker knows what came in, and what goes out is not Paho's.
func (s seed) Put(string, packets.ControlPacket) {}

// Del does nothing.
func (s seed) Del(string) {}

// All lists the one packet.
func (s seed) All() []string { return []string{"o." + strconv.Itoa(int(s))} }

// Get returns it.
func (s seed) Get(string) packets.ControlPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.MessageID = 1, uint16(s)
	return p
}
