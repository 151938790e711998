package mqttsn

import "fmt"

// WillTopicReq asks for the will topic (§5.4.6).
type WillTopicReq struct{}

// WillMsgReq asks for the will message (§5.4.8).
type WillMsgReq struct{}

// WillTopic answers WILLTOPICREQ (§5.4.7).
type WillTopic struct {
	Empty  bool // a message without body: delete will topic and will message
	QoS    QoS
	Retain bool
	Topic  string
}

// WillTopicUpd replaces the will topic (§5.4.22). Empty deletes will topic and will message.
type WillTopicUpd WillTopic

// WillMsg answers WILLMSGREQ (§5.4.9).
type WillMsg struct{ Data []byte }

// WillMsgUpd replaces the will message (§5.4.23).
type WillMsgUpd struct{ Data []byte }

// WillTopicResp answers WILLTOPICUPD (§5.4.24).
type WillTopicResp struct{ Code ReturnCode }

// WillMsgResp answers WILLMSGUPD (§5.4.25).
type WillMsgResp struct{ Code ReturnCode }

// parseWillTopic takes any body: none at all is the empty form, one octet is a name without characters.
func parseWillTopic(body []byte) WillTopic {
	if len(body) == 0 {
		return WillTopic{Empty: true}
	}
	f := flags(body[0])
	return WillTopic{QoS: f.qos(), Retain: f.has(flagRetain), Topic: string(body[1:])}
}

func parseWillTopicResp(body []byte) (WillTopicResp, error) {
	c, err := parseConnack(body)
	return WillTopicResp(c), err
}

func parseWillMsgResp(body []byte) (WillMsgResp, error) {
	c, err := parseConnack(body)
	return WillMsgResp(c), err
}

// Type returns TypeWillTopicReq.
func (WillTopicReq) Type() Type { return TypeWillTopicReq }

// Type returns TypeWillMsgReq.
func (WillMsgReq) Type() Type { return TypeWillMsgReq }

// Type returns TypeWillTopic.
func (WillTopic) Type() Type { return TypeWillTopic }

// Type returns TypeWillTopicUpd.
func (WillTopicUpd) Type() Type { return TypeWillTopicUpd }

// Type returns TypeWillMsg.
func (WillMsg) Type() Type { return TypeWillMsg }

// Type returns TypeWillMsgUpd.
func (WillMsgUpd) Type() Type { return TypeWillMsgUpd }

// Type returns TypeWillTopicResp.
func (WillTopicResp) Type() Type { return TypeWillTopicResp }

// Type returns TypeWillMsgResp.
func (WillMsgResp) Type() Type { return TypeWillMsgResp }

// Append appends 2 octets.
func (WillTopicReq) Append(b []byte) []byte { return appendBody(b, TypeWillTopicReq, nil) }

// Append appends 2 octets.
func (WillMsgReq) Append(b []byte) []byte { return appendBody(b, TypeWillMsgReq, nil) }

// Append appends the message; 2 octets when Empty.
func (p WillTopic) Append(b []byte) []byte { return appendWillTopic(b, TypeWillTopic, p) }

// Append appends the message; 2 octets when Empty.
func (p WillTopicUpd) Append(b []byte) []byte {
	return appendWillTopic(b, TypeWillTopicUpd, WillTopic(p))
}

// Append appends the message.
func (p WillMsg) Append(b []byte) []byte { return appendBody(b, TypeWillMsg, p.Data) }

// Append appends the message.
func (p WillMsgUpd) Append(b []byte) []byte { return appendBody(b, TypeWillMsgUpd, p.Data) }

// Append appends 3 octets.
func (p WillTopicResp) Append(b []byte) []byte { return appendCode(b, TypeWillTopicResp, p.Code) }

// Append appends 3 octets.
func (p WillMsgResp) Append(b []byte) []byte { return appendCode(b, TypeWillMsgResp, p.Code) }

func (WillTopicReq) String() string    { return "WILLTOPICREQ" }
func (WillMsgReq) String() string      { return "WILLMSGREQ" }
func (p WillTopic) String() string     { return "WILLTOPIC " + p.fields() }
func (p WillTopicUpd) String() string  { return "WILLTOPICUPD " + WillTopic(p).fields() }
func (p WillMsg) String() string       { return fmt.Sprintf("WILLMSG %d bytes", len(p.Data)) }
func (p WillMsgUpd) String() string    { return fmt.Sprintf("WILLMSGUPD %d bytes", len(p.Data)) }
func (p WillTopicResp) String() string { return "WILLTOPICRESP " + p.Code.String() }
func (p WillMsgResp) String() string   { return "WILLMSGRESP " + p.Code.String() }

func (p WillTopic) fields() string {
	if p.Empty {
		return "empty"
	}
	return fmt.Sprintf("qos=%d%s name=%s", p.QoS, word(" retain", p.Retain), name(p.Topic))
}

// appendBody appends a message whose body is data.
func appendBody(b []byte, t Type, data []byte) []byte {
	b, ok := appendHeader(b, t, len(data))
	if !ok {
		return b
	}
	return append(b, data...)
}

// appendWillTopic appends the common form of WILLTOPIC and WILLTOPICUPD.
func appendWillTopic(b []byte, t Type, p WillTopic) []byte {
	if p.Empty {
		return appendBody(b, t, nil)
	}
	b, ok := appendHeader(b, t, 1+len(p.Topic))
	if !ok {
		return b
	}
	f := flagsOf(p.QoS, 0).with(flagRetain, p.Retain)
	return append(append(b, byte(f)), p.Topic...)
}
