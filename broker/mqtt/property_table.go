package mqtt

import "strconv"

// kind is the data type of a property (MQTT 5 table 2-4).
type kind uint8

const (
	kindUnknown kind = iota // no such property
	kindFlag                // one octet; every one-octet property of MQTT 5 is 0 or 1
	kindTwo                 // Two Byte Integer
	kindFour                // Four Byte Integer
	kindVarint              // Variable Byte Integer
	kindText                // UTF-8 Encoded String
	kindBinary              // Binary Data
	kindPair                // UTF-8 String Pair
)

// inWill stands for the will properties of CONNECT where a packet type is asked for; type 0 is no packet.
const inWill PacketType = 0

// packets is a set of packet types, bit n for type n.
type packets uint16

func in(types ...PacketType) packets {
	var s packets
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

var (
	// inAnswers are the packets that may tell a reason in words.
	inAnswers = in(TypeConnack, TypePuback, TypePubrec, TypePubrel, TypePubcomp, TypeSuback, TypeUnsuback, TypeDisconnect, TypeAuth)
	inMessage = in(TypePublish, inWill)
	inAuth    = in(TypeConnect, TypeConnack, TypeAuth)
	inHello   = in(TypeConnect, TypeConnack)
	inConnack = in(TypeConnack)
	inConnect = in(TypeConnect)
)

// propertyInfo is one row of MQTT 5 table 2-4.
type propertyInfo struct {
	name    string // the specification's, in the spelling that command lines use
	kind    kind
	nonzero bool // "It is a Protocol Error to include … with the value 0"
	allowed packets
}

const lastProperty = PropSharedAvailable

// propertyTable is MQTT 5 table 2-4: which property has which type and belongs into which packet.
var propertyTable = [lastProperty + 1]propertyInfo{
	PropPayloadFormat:           {"payload-format-indicator", kindFlag, false, inMessage},
	PropMessageExpiry:           {"message-expiry-interval", kindFour, false, inMessage},
	PropContentType:             {"content-type", kindText, false, inMessage},
	PropResponseTopic:           {"response-topic", kindText, true, inMessage},
	PropCorrelationData:         {"correlation-data", kindBinary, false, inMessage},
	PropSubscriptionID:          {"subscription-identifier", kindVarint, true, in(TypePublish, TypeSubscribe)},
	PropSessionExpiry:           {"session-expiry-interval", kindFour, false, inHello | in(TypeDisconnect)},
	PropAssignedClientID:        {"assigned-client-identifier", kindText, false, inConnack},
	PropServerKeepAlive:         {"server-keep-alive", kindTwo, false, inConnack},
	PropAuthMethod:              {"authentication-method", kindText, false, inAuth},
	PropAuthData:                {"authentication-data", kindBinary, false, inAuth},
	PropRequestProblemInfo:      {"request-problem-information", kindFlag, false, inConnect},
	PropWillDelay:               {"will-delay-interval", kindFour, false, in(inWill)},
	PropRequestResponseInfo:     {"request-response-information", kindFlag, false, inConnect},
	PropResponseInfo:            {"response-information", kindText, false, inConnack},
	PropServerReference:         {"server-reference", kindText, false, in(TypeConnack, TypeDisconnect)},
	PropReasonString:            {"reason-string", kindText, false, inAnswers},
	PropReceiveMaximum:          {"receive-maximum", kindTwo, true, inHello},
	PropTopicAliasMaximum:       {"topic-alias-maximum", kindTwo, false, inHello},
	PropTopicAlias:              {"topic-alias", kindTwo, true, in(TypePublish)},
	PropMaximumQoS:              {"maximum-qos", kindFlag, false, inConnack},
	PropRetainAvailable:         {"retain-available", kindFlag, false, inConnack},
	PropUserProperty:            {"user-property", kindPair, false, 0xFFFF},
	PropMaximumPacketSize:       {"maximum-packet-size", kindFour, true, inHello},
	PropWildcardAvailable:       {"wildcard-subscription-available", kindFlag, false, inConnack},
	PropSubscriptionIDAvailable: {"subscription-identifier-available", kindFlag, false, inConnack},
	PropSharedAvailable:         {"shared-subscription-available", kindFlag, false, inConnack},
}

// wireOrder is the order in which properties are sent. Any order is legal; this one is by identifier, except that Maximum Packet Size
// stands before Receive Maximum, as Mosquitto sends CONNACK and its packet sequences compare it octet by octet.
var wireOrder = [...]PropertyID{
	PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData, PropSubscriptionID,
	PropSessionExpiry, PropAssignedClientID, PropServerKeepAlive, PropAuthMethod, PropAuthData, PropRequestProblemInfo,
	PropWillDelay, PropRequestResponseInfo, PropResponseInfo, PropServerReference, PropReasonString,
	PropTopicAliasMaximum, PropMaximumPacketSize, PropReceiveMaximum, PropTopicAlias, PropMaximumQoS, PropRetainAvailable,
	PropUserProperty, PropWildcardAvailable, PropSubscriptionIDAvailable, PropSharedAvailable,
}

// allowedMask[t] has bit n set when property n may stand in packet type t; it is the transpose of the table.
var allowedMask = func() (m [16]uint64) {
	for id, info := range propertyTable {
		for t := range m {
			if info.kind != kindUnknown && info.allowed&(1<<t) != 0 {
				m[t] |= 1 << id
			}
		}
	}
	return m
}()

// String is the specification's name in lower case with hyphens, e.g. "session-expiry-interval".
func (id PropertyID) String() string {
	if id.known() {
		return propertyTable[id].name
	}
	return "property " + strconv.Itoa(int(id))
}

func (id PropertyID) known() bool { return id <= lastProperty && propertyTable[id].kind != kindUnknown }

// AllowedIn reports whether the property may stand in a packet of the given type; in a will, ask for type 0.
func (id PropertyID) AllowedIn(t PacketType) bool {
	return id.known() && propertyTable[id].allowed&(1<<t) != 0
}

// PropertyByName finds a property by what String gives, e.g. "user-property".
func PropertyByName(name string) (PropertyID, bool) {
	for id, info := range propertyTable {
		if info.kind != kindUnknown && info.name == name {
			return PropertyID(id), true
		}
	}
	return 0, false
}

// flagField is the field of a one-octet property.
func (p *Properties) flagField(id PropertyID) *uint8 {
	switch id {
	case PropPayloadFormat:
		return &p.PayloadFormat
	case PropRequestProblemInfo:
		return &p.RequestProblemInfo
	case PropRequestResponseInfo:
		return &p.RequestResponseInfo
	case PropMaximumQoS:
		return &p.MaximumQoS
	case PropRetainAvailable:
		return &p.RetainAvailable
	case PropWildcardAvailable:
		return &p.WildcardAvailable
	case PropSubscriptionIDAvailable:
		return &p.SubIDAvailable
	default:
		return &p.SharedAvailable
	}
}

// twoField is the field of a Two Byte Integer.
func (p *Properties) twoField(id PropertyID) *uint16 {
	switch id {
	case PropServerKeepAlive:
		return &p.ServerKeepAlive
	case PropReceiveMaximum:
		return &p.ReceiveMaximum
	case PropTopicAliasMaximum:
		return &p.TopicAliasMaximum
	default:
		return &p.TopicAlias
	}
}

// fourField is the field of a Four Byte Integer.
func (p *Properties) fourField(id PropertyID) *uint32 {
	switch id {
	case PropMessageExpiry:
		return &p.MessageExpiry
	case PropSessionExpiry:
		return &p.SessionExpiry
	case PropWillDelay:
		return &p.WillDelay
	default:
		return &p.MaximumPacketSize
	}
}

// textField is the field of a UTF-8 Encoded String.
func (p *Properties) textField(id PropertyID) *string {
	switch id {
	case PropContentType:
		return &p.ContentType
	case PropResponseTopic:
		return &p.ResponseTopic
	case PropAssignedClientID:
		return &p.AssignedClientID
	case PropAuthMethod:
		return &p.AuthMethod
	case PropResponseInfo:
		return &p.ResponseInfo
	case PropServerReference:
		return &p.ServerReference
	default:
		return &p.ReasonString
	}
}

// binaryField is the field of Binary Data.
func (p *Properties) binaryField(id PropertyID) *[]byte {
	if id == PropCorrelationData {
		return &p.CorrelationData
	}
	return &p.AuthData
}
