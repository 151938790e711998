package store

import (
	"encoding/binary"

	"midge/broker/mqtt"
)

// The first octet of a message and of an entry: QoS and Retain, and which optional fields follow. Unused bits are 0.
const (
	flagQoS        = 3 << 0
	flagRetain     = 1 << 2
	flagProperties = 1 << 3 // message
	flagPublisher  = 1 << 4 // message
	flagExpires    = 1 << 5 // message
	flagIDs        = 1 << 3 // entry
)

// The first octet of a session.
const (
	flagConnectionless = 1 << 0
	flagConnected      = 1 << 1
	flagWill           = 1 << 2
)

// The first octet of a subscription: QoS as above.
const (
	flagNoLocal           = 1 << 2
	flagRetainAsPublished = 1 << 3
	shiftRetainHandling   = 4 // two bits
)

// appendMessage appends a message. topic stands in for m.Topic, since a retained message has it in its key.
func appendMessage(b []byte, m *Message, topic string) []byte {
	flags := byte(m.QoS) & flagQoS
	if m.Retain {
		flags |= flagRetain
	}
	if m.Properties != nil && m.Properties.Present != 0 {
		flags |= flagProperties
	}
	if m.Publisher != "" {
		flags |= flagPublisher
	}
	if m.Expires != 0 {
		flags |= flagExpires
	}
	b = appendString(append(b, flags), topic)
	if flags&flagPublisher != 0 {
		b = appendString(b, m.Publisher)
	}
	if flags&flagExpires != 0 {
		b = binary.AppendVarint(b, m.Expires)
	}
	if flags&flagProperties != 0 {
		b = mqtt.AppendProperties(b, m.Properties, mqtt.TypePublish)
	}
	b = binary.AppendUvarint(b, uint64(len(m.Payload)))
	return append(b, m.Payload...)
}

// appendEntry appends what an entry has beside its message or the number of its body.
func appendEntry(b []byte, e *Entry) []byte {
	flags := byte(e.QoS) & flagQoS
	if e.Retain {
		flags |= flagRetain
	}
	if len(e.IDs) > 0 {
		flags |= flagIDs
	}
	b = binary.AppendUvarint(append(b, flags), e.Total)
	if len(e.IDs) > 0 {
		b = binary.AppendUvarint(b, uint64(len(e.IDs)))
		for _, id := range e.IDs {
			b = binary.AppendUvarint(b, uint64(id))
		}
	}
	return b
}

// appendOwn appends an entry that holds its message.
func appendOwn(b []byte, e *Entry) []byte {
	return appendMessage(appendEntry(b, e), &e.Message, e.Message.Topic)
}

// appendShared appends an entry whose message is a body.
func appendShared(b []byte, e *Entry) []byte {
	return binary.AppendUvarint(appendEntry(b, e), e.Body)
}

func appendSession(b []byte, s *Session) []byte {
	var flags byte
	if s.Connectionless {
		flags |= flagConnectionless
	}
	if s.Connected {
		flags |= flagConnected
	}
	if s.Will != nil {
		flags |= flagWill
	}
	b = appendString(append(b, flags), s.ClientID)
	b = appendString(b, s.Username)
	b = binary.AppendUvarint(b, uint64(s.Expiry))
	b = binary.AppendUvarint(b, s.Given)
	b = binary.AppendUvarint(b, s.Next)
	b = binary.AppendVarint(b, s.WillAt)
	b = binary.AppendVarint(b, s.ExpireAt)
	if s.Will != nil {
		b = binary.AppendVarint(b, s.Will.Delay)
		b = binary.AppendVarint(b, s.Will.Expiry)
		b = appendMessage(b, &s.Will.Message, s.Will.Message.Topic)
	}
	return b
}

// appendSubscription appends everything but the filter, which stands in the key.
func appendSubscription(b []byte, s *Subscription) []byte {
	flags := byte(s.QoS)&flagQoS | s.RetainHandling&3<<shiftRetainHandling
	if s.NoLocal {
		flags |= flagNoLocal
	}
	if s.RetainAsPublished {
		flags |= flagRetainAsPublished
	}
	return binary.AppendUvarint(append(b, flags), uint64(s.ID))
}

func appendClock(b []byte, c Clock) []byte {
	b = binary.AppendVarint(b, c.Now)
	b = binary.AppendVarint(b, c.AnchorNow)
	return binary.AppendVarint(b, c.AnchorWall)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
