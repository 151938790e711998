package mqtt

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// propertyRows are every property with one value: its octets and the field it fills.
var propertyRows = []struct {
	id   PropertyID
	wire string
	set  func(p *Properties)
}{
	{PropPayloadFormat, "01 01", func(p *Properties) { p.PayloadFormat = 1 }},
	{PropMessageExpiry, "02 01020304", func(p *Properties) { p.MessageExpiry = 0x01020304 }},
	{PropContentType, "03 0003 'a/b'", func(p *Properties) { p.ContentType = "a/b" }},
	{PropResponseTopic, "08 0003 'r/t'", func(p *Properties) { p.ResponseTopic = "r/t" }},
	{PropCorrelationData, "09 0003 00ff80", func(p *Properties) { p.CorrelationData = []byte{0, 0xFF, 0x80} }},
	{PropSubscriptionID, "0b 8002", func(p *Properties) { p.SubscriptionIDs = []uint32{256} }},
	{PropSessionExpiry, "11 ffffffff", func(p *Properties) { p.SessionExpiry = 0xFFFFFFFF }},
	{PropAssignedClientID, "12 0002 'id'", func(p *Properties) { p.AssignedClientID = "id" }},
	{PropServerKeepAlive, "13 0102", func(p *Properties) { p.ServerKeepAlive = 0x0102 }},
	{PropAuthMethod, "15 0005 'SCRAM'", func(p *Properties) { p.AuthMethod = "SCRAM" }},
	{PropAuthData, "16 0001 00", func(p *Properties) { p.AuthData = []byte{0} }},
	{PropRequestProblemInfo, "17 01", func(p *Properties) { p.RequestProblemInfo = 1 }},
	{PropWillDelay, "18 00000001", func(p *Properties) { p.WillDelay = 1 }},
	{PropRequestResponseInfo, "19 01", func(p *Properties) { p.RequestResponseInfo = 1 }},
	{PropResponseInfo, "1a 0001 'x'", func(p *Properties) { p.ResponseInfo = "x" }},
	{PropServerReference, "1c 0001 'x'", func(p *Properties) { p.ServerReference = "x" }},
	{PropReasonString, "1f 0002 'é'", func(p *Properties) { p.ReasonString = "é" }},
	{PropReceiveMaximum, "21 ffff", func(p *Properties) { p.ReceiveMaximum = 0xFFFF }},
	{PropTopicAliasMaximum, "22 0001", func(p *Properties) { p.TopicAliasMaximum = 1 }},
	{PropTopicAlias, "23 0001", func(p *Properties) { p.TopicAlias = 1 }},
	{PropMaximumQoS, "24 01", func(p *Properties) { p.MaximumQoS = 1 }},
	{PropRetainAvailable, "25 01", func(p *Properties) { p.RetainAvailable = 1 }},
	{PropUserProperty, "26 0001 'k' 0001 'v'", func(p *Properties) { p.User = []UserProperty{{"k", "v"}} }},
	{PropMaximumPacketSize, "27 00000001", func(p *Properties) { p.MaximumPacketSize = 1 }},
	{PropWildcardAvailable, "28 01", func(p *Properties) { p.WildcardAvailable = 1 }},
	{PropSubscriptionIDAvailable, "29 01", func(p *Properties) { p.SubIDAvailable = 1 }},
	{PropSharedAvailable, "2a 01", func(p *Properties) { p.SharedAvailable = 1 }},
}

// where renders the packets of MQTT 5 table 2-4 in which the property stands.
func where(id PropertyID) string {
	s := ""
	for t := inWill; t <= TypeAuth; t++ {
		if id.AllowedIn(t) && t == inWill {
			s += " Will"
		} else if id.AllowedIn(t) {
			s += " " + t.String()
		}
	}
	return s
}

// Table 2-4 read off a second time, by property class.
func TestPropertiesStandWhereTheSpecificationPutsThem(t *testing.T) {
	everywhere := " Will CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
	for want, ids := range map[string][]PropertyID{
		" Will PUBLISH":               {PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData},
		" PUBLISH SUBSCRIBE":          {PropSubscriptionID},
		" Will":                       {PropWillDelay},
		" PUBLISH":                    {PropTopicAlias},
		" CONNECT":                    {PropRequestProblemInfo, PropRequestResponseInfo},
		" CONNECT CONNACK":            {PropReceiveMaximum, PropTopicAliasMaximum, PropMaximumPacketSize},
		" CONNECT CONNACK AUTH":       {PropAuthMethod, PropAuthData},
		" CONNECT CONNACK DISCONNECT": {PropSessionExpiry},
		" CONNACK DISCONNECT":         {PropServerReference},
		" CONNACK": {PropAssignedClientID, PropServerKeepAlive, PropResponseInfo, PropMaximumQoS, PropRetainAvailable,
			PropWildcardAvailable, PropSubscriptionIDAvailable, PropSharedAvailable},
		" CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH": {PropReasonString},
		everywhere: {PropUserProperty},
	} {
		for _, id := range ids {
			if got := where(id); got != want {
				t.Errorf("%v stands in%s: got%s", id, want, got)
			}
		}
	}
}

// packetTypesWithProperties are all packets with a property block, and the will.
var packetTypesWithProperties = []PacketType{inWill, TypeConnect, TypeConnack, TypePublish, TypePuback, TypePubrec, TypePubrel,
	TypePubcomp, TypeSubscribe, TypeSuback, TypeUnsubscribe, TypeUnsuback, TypeDisconnect, TypeAuth}

func TestEveryPropertyInEveryPacket(t *testing.T) {
	if len(propertyRows) != len(wireOrder) {
		t.Fatalf("every property has a row: got %d of %d", len(propertyRows), len(wireOrder))
	}
	for _, r := range propertyRows {
		one := fields(t, r.wire)
		value := props(r.set, r.id)
		for _, in := range packetTypesWithProperties {
			t.Run(fmt.Sprintf("%v in %v", r.id, in), func(t *testing.T) {
				block := append([]byte{byte(len(one))}, one...)
				if !r.id.AllowedIn(in) {
					wantFault(t, "a property that does not belong here is refused", block, in, ProtocolError)
					if b := AppendProperties(nil, value, in); !bytes.Equal(b, []byte{0}) {
						t.Errorf("a property that does not belong here is not sent: got % x", b)
					}
					return
				}
				got, rest, err := ParseProperties(append(block, 0xAA), in)
				if err != nil || !reflect.DeepEqual(got, value) || !bytes.Equal(rest, []byte{0xAA}) {
					t.Fatalf("the property is decoded and nothing more: got %+v, rest % x, %v", got, rest, err)
				}
				if b := AppendProperties(nil, got, in); !bytes.Equal(b, block) || propertiesSize(got, in) != len(block) {
					t.Errorf("the property is encoded as it was: got % x, want % x", b, block)
				}
				for n := 1; n < len(one); n++ {
					cut := append([]byte{byte(n)}, one[:n]...)
					if r.id == PropSubscriptionID && n == 1 || n > 0 {
						wantFault(t, fmt.Sprintf("cut to %d octets it is malformed", n), cut, in, MalformedPacket)
					}
				}
				twice := append(append([]byte{byte(2 * len(one))}, one...), one...)
				if r.id == PropUserProperty || r.id == PropSubscriptionID && in == TypePublish {
					p, _, err := ParseProperties(twice, in)
					if err != nil || len(p.User)+len(p.SubscriptionIDs) != 2 {
						t.Errorf("this property may repeat: got %+v, %v", p, err)
					}
					return
				}
				wantFault(t, "a second one is refused", twice, in, ProtocolError)
			})
		}
	}
}

// wantFault expects a refusal with the reason, which for SUBSCRIBE and UNSUBSCRIBE is always MalformedPacket.
func wantFault(t *testing.T, what string, block []byte, in PacketType, reason ReasonCode) {
	t.Helper()
	if in == TypeSubscribe || in == TypeUnsubscribe {
		reason = MalformedPacket
	}
	p, _, err := ParseProperties(block, in)
	if e, ok := err.(*Error); !ok || e.Reason != reason || p != nil {
		t.Errorf("%s with %v: got %+v, %v for % x", what, reason, p, err, block)
	}
}

func TestPropertyValues(t *testing.T) {
	for _, id := range wireOrder {
		in := inWill
		for !id.AllowedIn(in) {
			in++
		}
		switch info := propertyTable[id]; info.kind {
		case kindFlag:
			wantFault(t, id.String()+" of 2 is refused", []byte{2, byte(id), 2}, in, ProtocolError)
		case kindTwo:
			checkZero(t, id, []byte{3, byte(id), 0, 0}, in)
		case kindFour:
			checkZero(t, id, []byte{5, byte(id), 0, 0, 0, 0}, in)
		case kindVarint:
			checkZero(t, id, []byte{2, byte(id), 0}, in)
		case kindText:
			checkZero(t, id, []byte{3, byte(id), 0, 0}, in)
			wantFault(t, id.String()+" with NUL is refused", []byte{4, byte(id), 0, 1, 0}, in, MalformedPacket)
		case kindPair:
			wantFault(t, "a name with NUL is refused", []byte{6, byte(id), 0, 1, 0, 0, 0}, in, MalformedPacket)
			wantFault(t, "a value with NUL is refused", []byte{6, byte(id), 0, 0, 0, 1, 0}, in, MalformedPacket)
		}
	}
}

func checkZero(t *testing.T, id PropertyID, block []byte, in PacketType) {
	t.Helper()
	if propertyTable[id].nonzero {
		wantFault(t, id.String()+" of 0 is refused", block, in, ProtocolError)
		return
	}
	if p, _, err := ParseProperties(block, in); err != nil || !p.Has(id) {
		t.Errorf("%v of 0 is accepted and is present: got %+v, %v", id, p, err)
	}
}

func TestPropertiesOwnTheirMemory(t *testing.T) {
	wire := octets(t, "30 0001 't' (props) 12 03 0001 'c' 09 0002 'xy' 26 0001 'k' 0001 'v' 01 01 'p'")
	p, err := ParsePublish(wire[0], wire[2:], V5)
	if err != nil {
		t.Fatal(err)
	}
	for i := range wire {
		wire[i] = 0xFF
	}
	if p.Props.ContentType != "c" || string(p.Props.CorrelationData) != "xy" || p.Props.User[0] != (UserProperty{"k", "v"}) {
		t.Errorf("properties outlive the read buffer: got %+v", p.Props)
	}
	if p.Topic[0] != 0xFF || p.Payload[0] != 0xFF {
		t.Errorf("topic and payload are parts of the read buffer: got %q, %q", p.Topic, p.Payload)
	}
}

func TestNilPropertiesAreEmpty(t *testing.T) {
	var p *Properties
	if p.Has(PropUserProperty) {
		t.Error("nothing is present in a nil set")
	}
	if b := AppendProperties(nil, p, TypePublish); !bytes.Equal(b, []byte{0}) {
		t.Errorf("a nil set is an empty block: got % x", b)
	}
}
