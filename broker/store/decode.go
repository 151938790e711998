package store

import (
	"encoding/binary"
	"errors"
	"math"

	"midge/broker/mqtt"
)

// What can be wrong with a value or a key.
var (
	errShort    = errors.New("it ends too early")
	errLength   = errors.New("its length is wrong")
	errLong     = errors.New("octets follow its end")
	errNumber   = errors.New("a number is out of range")
	errFlags    = errors.New("a flag is set that has no meaning")
	errQoS      = errors.New("its QoS is 3")
	errRetainAs = errors.New("its retain handling is 3")
	errMissing  = errors.New("it is missing, but a queue holds its number")
)

// A reader takes a value apart. The first fault stays, and everything read after it is zero; done tells. It never panics, whatever the octets are.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// done returns the first fault; that something is left over is one.
func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = errLong
	}
	return r.err
}

func (r *reader) octet() byte {
	if len(r.b) == 0 {
		r.fail(errShort)
		return 0
	}
	x := r.b[0]
	r.b = r.b[1:]
	return x
}

// flags reads an octet of which only the bits in allowed may be set.
func (r *reader) flags(allowed byte) byte {
	x := r.octet()
	if x&^allowed != 0 {
		r.fail(errFlags)
		return 0
	}
	return x
}

func (r *reader) uvarint() uint64 {
	x, n := binary.Uvarint(r.b)
	return x * r.taken(n)
}

func (r *reader) varint() int64 {
	x, n := binary.Varint(r.b)
	return x * int64(r.taken(n))
}

// taken moves over the n octets of a varint and returns 1, or 0 when there was none.
func (r *reader) taken(n int) uint64 {
	switch {
	case n == 0:
		r.fail(errShort)
		return 0
	case n < 0:
		r.fail(errNumber)
		return 0
	}
	r.b = r.b[n:]
	return 1
}

func (r *reader) uint32() uint32 {
	x := r.uvarint()
	if x > math.MaxUint32 {
		r.fail(errNumber)
		return 0
	}
	return uint32(x)
}

// octets reads a length and as many octets, which are a part of the value.
func (r *reader) octets() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail(errShort)
		return nil
	}
	x := r.b[:n:n]
	r.b = r.b[n:]
	return x
}

func (r *reader) qos(flags byte) mqtt.QoS {
	q := mqtt.QoS(flags & flagQoS)
	if q > mqtt.ExactlyOnce {
		r.fail(errQoS)
		return 0
	}
	return q
}

// rawMessage is a message whose texts and payload are parts of the value that it was read from.
type rawMessage struct {
	topic, publisher, payload []byte
	qos                       mqtt.QoS
	retain                    bool
	properties                *mqtt.Properties
	expires                   int64
}

func (r *reader) message() (m rawMessage) {
	flags := r.flags(flagQoS | flagRetain | flagProperties | flagPublisher | flagExpires)
	m.qos, m.retain = r.qos(flags), flags&flagRetain != 0
	m.topic = r.octets()
	if flags&flagPublisher != 0 {
		m.publisher = r.octets()
	}
	if flags&flagExpires != 0 {
		m.expires = r.varint()
	}
	if flags&flagProperties != 0 {
		m.properties = r.properties()
	}
	m.payload = r.octets()
	return m
}

func (r *reader) properties() *mqtt.Properties {
	if r.err != nil {
		return nil
	}
	p, rest, err := mqtt.ParseProperties(r.b, mqtt.TypePublish)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.b = rest
	return p
}

// octets is what the message counts for a reader: topic, payload and properties.
func (m *rawMessage) octets() int { return len(m.topic) + len(m.payload) + m.properties.Octets() }

// own returns the message with memory of its own. The payload is one part of a copy that holds nothing else; nil when it is empty.
func (m *rawMessage) own(names *interner) Message {
	return Message{
		Topic: names.topic.of(m.topic), Publisher: names.publisher.of(m.publisher),
		Payload: append([]byte(nil), m.payload...),
		QoS:     m.qos, Retain: m.retain, Properties: m.properties, Expires: m.expires,
	}
}

// An interner makes strings, and the same string again when the next text is that of the last: neighbours in a queue often share topic and publisher.
type interner struct{ topic, publisher lastText }

type lastText string

func (l *lastText) of(b []byte) string {
	if string(b) != string(*l) {
		*l = lastText(b)
	}
	return string(*l)
}

// entry reads what appendEntry wrote. Seq, Body and Message are not set.
func (r *reader) entry() (e Entry) {
	flags := r.flags(flagQoS | flagRetain | flagIDs)
	e.QoS, e.Retain = r.qos(flags), flags&flagRetain != 0
	e.Total = r.uvarint()
	if flags&flagIDs != 0 {
		e.IDs = r.ids()
	}
	return e
}

func (r *reader) ids() []uint32 {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.b)) { // each takes an octet at least
		r.fail(errShort)
		return nil
	}
	ids := make([]uint32, n)
	for i := range ids {
		ids[i] = r.uint32()
	}
	return ids
}

func decodeOwn(b []byte) (e Entry, m rawMessage, err error) {
	r := reader{b: b}
	e = r.entry()
	m = r.message()
	return e, m, r.done()
}

func decodeShared(b []byte) (e Entry, err error) {
	r := reader{b: b}
	e = r.entry()
	e.Body = r.uvarint()
	if r.err == nil && e.Body == 0 {
		r.fail(errNumber)
	}
	return e, r.done()
}

func decodeMessage(b []byte) (m rawMessage, err error) {
	r := reader{b: b}
	m = r.message()
	return m, r.done()
}

func decodeSession(b []byte) (s Session, err error) {
	r := reader{b: b}
	flags := r.flags(flagConnectionless | flagConnected | flagWill)
	s.Connectionless, s.Connected = flags&flagConnectionless != 0, flags&flagConnected != 0
	s.ClientID, s.Username = string(r.octets()), string(r.octets())
	s.Expiry = r.uint32()
	s.Given, s.Next = r.uvarint(), r.uvarint()
	s.WillAt, s.ExpireAt = r.varint(), r.varint()
	if flags&flagWill != 0 {
		w := &Will{Delay: r.varint(), Expiry: r.varint()}
		m := r.message()
		w.Message = m.own(new(interner))
		s.Will = w
	}
	return s, r.done()
}

func decodeSubscription(b []byte) (s Subscription, err error) {
	r := reader{b: b}
	flags := r.flags(flagQoS | flagNoLocal | flagRetainAsPublished | 3<<shiftRetainHandling)
	s.QoS = r.qos(flags)
	s.NoLocal, s.RetainAsPublished = flags&flagNoLocal != 0, flags&flagRetainAsPublished != 0
	s.RetainHandling = flags >> shiftRetainHandling
	if s.RetainHandling > 2 {
		r.fail(errRetainAs)
	}
	s.ID = r.uint32()
	return s, r.done()
}

func decodeClock(b []byte) (c Clock, err error) {
	r := reader{b: b}
	c = Clock{Now: r.varint(), AnchorNow: r.varint(), AnchorWall: r.varint()}
	return c, r.done()
}

// decodeNumber reads a value that is one number: the version and the high-water marks.
func decodeNumber(b []byte) (uint64, error) {
	r := reader{b: b}
	x := r.uvarint()
	return x, r.done()
}
