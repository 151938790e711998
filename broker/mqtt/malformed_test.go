package mqtt

import (
	"fmt"
	"strings"
	"testing"
)

// refusals are packets that must be refused, with the reason that a version 5 peer is told.
var refusals = []struct {
	name   string
	v      Version
	wire   string
	reason ReasonCode
	silent bool
}{
	{"CONNECT with a wrong protocol name", V5, "10 0004 'MQTU' 05 02 000a 00 0001 'p'", UnsupportedProtocolVersion, true},
	{"CONNECT with an empty protocol name", V5, "10 0000 05 02 000a 00 0001 'p'", UnsupportedProtocolVersion, true},
	{"CONNECT with level 6", V5, "10 0004 'MQTT' 06 02 000a 0001 'p'", UnsupportedProtocolVersion, false},
	{"CONNECT with level 3 under the new name", V5, "10 0004 'MQTT' 03 02 000a 0001 'p'", UnsupportedProtocolVersion, false},
	{"CONNECT with level 4 under the old name", V5, "10 0006 'MQIsdp' 04 02 000a 0001 'p'", UnsupportedProtocolVersion, false},
	{"CONNECT of a version 5 bridge", V5, "10 0004 'MQTT' 85 02 000a 00 0001 'p'", UnsupportedProtocolVersion, false},
	{"CONNECT with header flags", V5, "12 0004 'MQTT' 05 02 000a 00 0001 'p'", MalformedPacket, true},
	{"CONNECT with the reserved flag", V5, "10 0004 'MQTT' 05 03 000a 00 0001 'p'", MalformedPacket, true},
	{"CONNECT with will QoS 3", V5, "10 0004 'MQTT' 05 1e 000a 00 0001 'p' 00 0001 't' 0000", MalformedPacket, true},
	{"CONNECT with will QoS but no will", V5, "10 0004 'MQTT' 05 0a 000a 00 0001 'p'", MalformedPacket, true},
	{"CONNECT with will retain but no will", V311, "10 0004 'MQTT' 04 22 000a 0001 'p'", MalformedPacket, true},
	{"CONNECT with a password but no user", V311, "10 0004 'MQTT' 04 42 000a 0001 'p' 0001 'p'", MalformedPacket, true},
	{"CONNECT without the user it announces", V311, "10 0004 'MQTT' 04 82 000a 0001 'p'", MalformedPacket, true},
	{"CONNECT without the user it announces", V5, "10 0004 'MQTT' 05 82 000a 00 0001 'p'", MalformedPacket, true},
	{"CONNECT with a user it does not announce", V5, "10 0004 'MQTT' 05 02 000a 00 0001 'p' 0001 'u'", MalformedPacket, false},
	{"CONNECT with an empty client id to resume", V311, "10 0004 'MQTT' 04 00 000a 0000", ClientIdentifierNotValid, false},
	{"CONNECT with an empty client id", V31, "10 0006 'MQIsdp' 03 02 000a 0000", ClientIdentifierNotValid, false},
	{"CONNECT with NUL in the client id", V5, "10 0004 'MQTT' 05 02 000a 00 0001 00", ClientIdentifierNotValid, false},
	{"CONNECT with NUL in the client id", V311, "10 0004 'MQTT' 04 02 000a 0001 00", ClientIdentifierNotValid, true},
	{"CONNECT with an empty will topic", V5, "10 0004 'MQTT' 05 06 000a 00 0001 'p' 00 0000 0000", MalformedPacket, false},
	{"CONNECT with data but no method", V5, "10 0004 'MQTT' 05 02 000a 04 16 0001 'x' 0001 'p'", ProtocolError, false},

	{"CONNACK with unknown flags", V311, "20 02 00", MalformedPacket, true},
	{"CONNACK with return code 6", V311, "20 00 06", ProtocolError, true},
	{"CONNACK with header flags", V5, "21 00 00 00", MalformedPacket, false},

	{"PUBLISH at QoS 3", V311, "36 0001 't' 0001", MalformedPacket, true},
	{"PUBLISH with DUP at QoS 0", V5, "38 0001 't' 00", MalformedPacket, false},
	{"PUBLISH with id 0", V5, "32 0001 't' 0000 00", ProtocolError, false},
	{"PUBLISH without topic", V311, "30 0000 'x'", MalformedPacket, true},
	{"PUBLISH without topic and alias", V5, "30 0000 00 'x'", MalformedPacket, false},
	{"PUBLISH with NUL in the topic", V5, "30 0001 00 00", MalformedPacket, false},
	{"PUBLISH with a control character", V5, "30 0001 1f 00", MalformedPacket, false},
	{"PUBLISH with DEL", V5, "30 0001 7f 00", MalformedPacket, false},
	{"PUBLISH with a C1 control character", V5, "30 0002 c29f 00", MalformedPacket, false},
	{"PUBLISH with a surrogate", V5, "30 0003 eda080 00", MalformedPacket, false},
	{"PUBLISH with the non-character U+FFFF", V5, "30 0003 efbfbf 00", MalformedPacket, false},
	{"PUBLISH with the non-character U+FDD0", V5, "30 0003 efb790 00", MalformedPacket, false},
	{"PUBLISH with an overlong encoding", V5, "30 0002 c0af 00", MalformedPacket, false},
	{"PUBLISH with alias 0", V5, "30 0000 03 23 0000", ProtocolError, false},
	{"PUBLISH with payload format 2", V5, "30 0001 't' 02 01 02", ProtocolError, false},
	{"PUBLISH with response topic #", V5, "30 0001 't' 04 08 0001 '#'", ProtocolError, false},
	{"PUBLISH with an empty response topic", V5, "30 0001 't' 03 08 0000", ProtocolError, false},
	{"PUBLISH with subscription id 0", V5, "30 0001 't' 02 0b 00", ProtocolError, false},
	{"PUBLISH with a long form of subscription id 0", V5, "30 0001 't' 03 0b 80 00", MalformedPacket, false},
	{"PUBLISH with a subscription id of five octets", V5, "30 0001 't' 06 0b 8080808001", MalformedPacket, false},
	{"PUBLISH with an unknown property", V5, "30 0001 't' 02 04 00", MalformedPacket, false},
	{"PUBLISH with a property identifier of two octets", V5, "30 0001 't' 03 8101 00", MalformedPacket, false},
	{"PUBLISH with a property length beyond its end", V5, "30 0001 't' 03 01 00", MalformedPacket, false},
	{"PUBLISH with half a user property", V5, "30 0001 't' 04 26 0001 'k' 'more'", MalformedPacket, false},

	{"PUBACK with id 0", V5, "40 0000", ProtocolError, false},
	{"PUBACK with header flags", V5, "42 0001", MalformedPacket, false},
	{"PUBACK with an unknown reason", V5, "40 0001 ff", ProtocolError, false},
	{"PUBACK with a reason in version 3", V311, "40 0001 00", MalformedPacket, true},
	{"PUBREL without its flag", V311, "60 0001", MalformedPacket, true},
	{"PUBREL with a reason of PUBREC", V5, "62 0001 97", ProtocolError, false},
	{"PUBCOMP with octets behind the properties", V5, "70 0001 00 00 00", MalformedPacket, false},

	{"SUBSCRIBE without filter", V311, "82 0001", MalformedPacket, true},
	{"SUBSCRIBE without its flag", V5, "80 0001 00 0001 'a' 00", MalformedPacket, false},
	{"SUBSCRIBE with id 0", V5, "82 0000 00 0001 'a' 00", MalformedPacket, false},
	{"SUBSCRIBE with an empty filter", V5, "82 0001 00 0000 00", MalformedPacket, false},
	{"SUBSCRIBE with QoS 3", V5, "82 0001 00 0001 'a' 03", MalformedPacket, false},
	{"SUBSCRIBE with No Local in version 3", V311, "82 0001 0001 'a' 04", MalformedPacket, true},
	{"SUBSCRIBE with reserved options", V5, "82 0001 00 0001 'a' 40", MalformedPacket, false},
	{"SUBSCRIBE with retain handling 3", V5, "82 0001 00 0001 'a' 30", MalformedPacket, false},
	{"SUBSCRIBE with subscription id 0", V5, "82 0001 02 0b 00 0001 'a' 00", MalformedPacket, false},
	{"SUBSCRIBE with two subscription ids", V5, "82 0001 04 0b 01 0b 01 0001 'a' 00", MalformedPacket, false},
	{"SUBACK without codes", V5, "90 0001 00", MalformedPacket, false},
	{"SUBACK with code 3", V311, "90 0001 03", ProtocolError, true},
	{"SUBACK with a version 5 code", V311, "90 0001 87", ProtocolError, true},
	{"UNSUBSCRIBE without filter", V5, "a2 0001 00", MalformedPacket, false},
	{"UNSUBSCRIBE with an empty filter", V311, "a2 0001 0001 'a' 0000", MalformedPacket, true},
	{"UNSUBACK with codes in version 3", V311, "b0 0001 00", MalformedPacket, true},
	{"UNSUBACK with code 1", V5, "b0 0001 00 01", ProtocolError, false},

	{"PINGREQ with header flags", V5, "c1", MalformedPacket, false},
	{"PINGREQ with a body", V5, "c0 00", MalformedPacket, false},
	{"PINGRESP with a body", V311, "d0 00", MalformedPacket, true},
	{"DISCONNECT with a reason in version 3", V311, "e0 00", MalformedPacket, true},
	{"DISCONNECT with header flags", V5, "e2", MalformedPacket, false},
	{"AUTH in version 3", V311, "f0", ProtocolError, true},
	{"AUTH with another reason", V5, "f0 80", ProtocolError, false},
}

func TestRefusals(t *testing.T) {
	for _, r := range refusals {
		t.Run(fmt.Sprintf("%s %s", r.v, r.name), func(t *testing.T) {
			wire := octets(t, r.wire)
			_, err := parse(wire[0], wire[2:], r.v)
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("the packet is refused: got %v", err)
			}
			if e.Reason != r.reason || e.Silent != r.silent {
				t.Errorf("the reason is %v and silent is %v: got %v, %v (%s)", r.reason, r.silent, e.Reason, e.Silent, e)
			}
			if !strings.HasPrefix(e.Text, PacketType(wire[0]>>4).String()+": ") {
				t.Errorf("the sentence begins with the packet's name: got %q", e.Text)
			}
		})
	}
}

// Not canonical, but to be accepted: what a strict reading of the specification allows and what MQTT 3.1 left open.
func TestOtherEncodingsAreAccepted(t *testing.T) {
	for _, r := range []struct {
		name string
		v    Version
		wire string
	}{
		{"CONNECT 3.1 with unused header and connect flags", V31, "14 0006 'MQIsdp' 03 01 000a 0001 'p'"},
		{"SUBSCRIBE 3.1 with DUP", V31, "8a 0001 0001 'a' 00"},
		{"UNSUBSCRIBE 3.1 with DUP", V31, "aa 0001 0001 'a'"},
		{"PUBREL 3.1 with DUP", V31, "6a 0001"},
		{"PUBACK with reason 0 spelt out", V5, "40 0001 00"},
		{"PUBACK with an empty property block", V5, "40 0001 00 00"},
		{"DISCONNECT with reason 0 spelt out", V5, "e0 00"},
		{"DISCONNECT with an empty property block", V5, "e0 82 00"},
		{"DISCONNECT with an unknown reason", V5, "e0 05"},
		{"PUBLISH with properties in another order", V5, "30 0001 't' 05 23 0001 01 01 'x'"},
		{"PUBLISH with U+FEFF in the topic", V5, "30 0003 efbbbf 00"},
	} {
		wire := octets(t, r.wire)
		p, err := parse(wire[0], wire[2:], r.v)
		if err != nil {
			t.Errorf("%s is accepted: got %v", r.name, err)
			continue
		}
		b := encode(p, r.v)
		if _, err := parse(b[0], b[2:], r.v); err != nil {
			t.Errorf("%s is sent on in a form that is accepted: got %v for % x", r.name, err, b)
		}
	}
}
