package mqtt

// QoS is a quality of service level of MQTT (MQTT 5 §4.3).
type QoS uint8

// The three levels of delivery.
const (
	AtMostOnce  QoS = 0
	AtLeastOnce QoS = 1
	ExactlyOnce QoS = 2
)

// Version is the protocol level octet of CONNECT.
type Version uint8

// The three protocol levels that Midge speaks.
const (
	V31  Version = 3
	V311 Version = 4
	V5   Version = 5
)

// ReasonCode is MQTT 5's one-octet result (MQTT 5 §2.4). Codes below 0x80 are success.
type ReasonCode uint8

// The reason codes of MQTT 5 table 2-6. Several octets have one meaning per packet; the
// second name of such an octet stands beside the first.
const (
	Success                             ReasonCode = 0x00
	NormalDisconnection                 ReasonCode = 0x00
	GrantedQoS0                         ReasonCode = 0x00
	GrantedQoS1                         ReasonCode = 0x01
	GrantedQoS2                         ReasonCode = 0x02
	DisconnectWithWill                  ReasonCode = 0x04
	NoMatchingSubscribers               ReasonCode = 0x10
	NoSubscriptionExisted               ReasonCode = 0x11
	ContinueAuthentication              ReasonCode = 0x18
	ReAuthenticate                      ReasonCode = 0x19
	UnspecifiedError                    ReasonCode = 0x80
	MalformedPacket                     ReasonCode = 0x81
	ProtocolError                       ReasonCode = 0x82
	ImplementationSpecificError         ReasonCode = 0x83
	UnsupportedProtocolVersion          ReasonCode = 0x84
	ClientIdentifierNotValid            ReasonCode = 0x85
	BadUserNameOrPassword               ReasonCode = 0x86
	NotAuthorized                       ReasonCode = 0x87
	ServerUnavailable                   ReasonCode = 0x88
	ServerBusy                          ReasonCode = 0x89
	Banned                              ReasonCode = 0x8A
	ServerShuttingDown                  ReasonCode = 0x8B
	BadAuthenticationMethod             ReasonCode = 0x8C
	KeepAliveTimeout                    ReasonCode = 0x8D
	SessionTakenOver                    ReasonCode = 0x8E
	TopicFilterInvalid                  ReasonCode = 0x8F
	TopicNameInvalid                    ReasonCode = 0x90
	PacketIdentifierInUse               ReasonCode = 0x91
	PacketIdentifierNotFound            ReasonCode = 0x92
	ReceiveMaximumExceeded              ReasonCode = 0x93
	TopicAliasInvalid                   ReasonCode = 0x94
	PacketTooLarge                      ReasonCode = 0x95
	MessageRateTooHigh                  ReasonCode = 0x96
	QuotaExceeded                       ReasonCode = 0x97
	AdministrativeAction                ReasonCode = 0x98
	PayloadFormatInvalid                ReasonCode = 0x99
	RetainNotSupported                  ReasonCode = 0x9A
	QoSNotSupported                     ReasonCode = 0x9B
	UseAnotherServer                    ReasonCode = 0x9C
	ServerMoved                         ReasonCode = 0x9D
	SharedSubscriptionsNotSupported     ReasonCode = 0x9E
	ConnectionRateExceeded              ReasonCode = 0x9F
	MaximumConnectTime                  ReasonCode = 0xA0
	SubscriptionIdentifiersNotSupported ReasonCode = 0xA1
	WildcardSubscriptionsNotSupported   ReasonCode = 0xA2
)

// Failed reports whether the code refuses what it answers.
func (r ReasonCode) Failed() bool { return r >= 0x80 }

// PropertyID is the identifier octet of a property (MQTT 5 table 2-4).
type PropertyID uint8

// The properties of MQTT 5 table 2-4.
const (
	PropPayloadFormat           PropertyID = 0x01
	PropMessageExpiry           PropertyID = 0x02
	PropContentType             PropertyID = 0x03
	PropResponseTopic           PropertyID = 0x08
	PropCorrelationData         PropertyID = 0x09
	PropSubscriptionID          PropertyID = 0x0B
	PropSessionExpiry           PropertyID = 0x11
	PropAssignedClientID        PropertyID = 0x12
	PropServerKeepAlive         PropertyID = 0x13
	PropAuthMethod              PropertyID = 0x15
	PropAuthData                PropertyID = 0x16
	PropRequestProblemInfo      PropertyID = 0x17
	PropWillDelay               PropertyID = 0x18
	PropRequestResponseInfo     PropertyID = 0x19
	PropResponseInfo            PropertyID = 0x1A
	PropServerReference         PropertyID = 0x1C
	PropReasonString            PropertyID = 0x1F
	PropReceiveMaximum          PropertyID = 0x21
	PropTopicAliasMaximum       PropertyID = 0x22
	PropTopicAlias              PropertyID = 0x23
	PropMaximumQoS              PropertyID = 0x24
	PropRetainAvailable         PropertyID = 0x25
	PropUserProperty            PropertyID = 0x26
	PropMaximumPacketSize       PropertyID = 0x27
	PropWildcardAvailable       PropertyID = 0x28
	PropSubscriptionIDAvailable PropertyID = 0x29
	PropSharedAvailable         PropertyID = 0x2A
)

// UserProperty is one name-value pair; names may repeat and order is kept.
type UserProperty struct{ Name, Value string }

// Properties are the properties of any MQTT 5 packet or of a will. A field means something
// only where Has reports its property present: several properties differ between absent and zero.
// A nil *Properties is the empty set.
type Properties struct {
	Present uint64 // bit n is set when the property with identifier n is present

	PayloadFormat       uint8  // 0 bytes, 1 UTF-8
	MessageExpiry       uint32 // seconds
	ContentType         string
	ResponseTopic       string
	CorrelationData     []byte
	SubscriptionIDs     []uint32 // may repeat in PUBLISH
	SessionExpiry       uint32   // seconds; 0xFFFFFFFF never
	AssignedClientID    string
	ServerKeepAlive     uint16 // seconds
	AuthMethod          string
	AuthData            []byte
	RequestProblemInfo  uint8
	WillDelay           uint32 // seconds
	RequestResponseInfo uint8
	ResponseInfo        string
	ServerReference     string
	ReasonString        string
	ReceiveMaximum      uint16
	TopicAliasMaximum   uint16
	TopicAlias          uint16
	MaximumQoS          uint8
	RetainAvailable     uint8
	User                []UserProperty
	MaximumPacketSize   uint32 // octets
	WildcardAvailable   uint8
	SubIDAvailable      uint8
	SharedAvailable     uint8
}

// Has reports whether the property is present. It holds for a nil receiver.
func (p *Properties) Has(id PropertyID) bool { return p != nil && p.Present&(1<<id) != 0 }

// Mark records that the property is present, after its field was set.
func (p *Properties) Mark(id PropertyID) { p.Present |= 1 << id }
