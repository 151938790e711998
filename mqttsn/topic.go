package mqttsn

// Topic ids that no one may give out (§5.3.11). A client's REGISTER and the SUBACK of a wildcard carry the first.
const (
	NoTopicID       uint16 = 0x0000
	ReservedTopicID uint16 = 0xFFFF
)

// ShortTopic returns the id field that stands for a name of exactly two octets (§3). Whether the octets make a valid
// topic name is for the caller to judge.
func ShortTopic(name string) (id uint16, ok bool) {
	if len(name) != 2 {
		return 0, false
	}
	return uint16(name[0])<<8 | uint16(name[1]), true
}

// ShortName returns the two octets of a short topic name.
func ShortName(id uint16) string { return string([]byte{byte(id >> 8), byte(id)}) }

// InlineTopic reads an extension in use before version 2.0: a PUBLISH at QoS −1 whose topic id type is Normal has the
// length of the topic name in the TopicId field and the name before the data. ok is false when p is not of that
// form. data aliases p.Data.
func InlineTopic(p Publish) (name string, data []byte, ok bool) {
	n := int(p.TopicID)
	if p.QoS != QoSMinusOne || p.TopicIDType != Normal || n == 0 || n > len(p.Data) {
		return "", nil, false
	}
	return string(p.Data[:n]), rest(p.Data[n:]), true
}
