package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/cockroachdb/pebble/v2"
)

// Export writes what is in the store in a directory that no running midge uses, one JSON object a line; see line for the fields. It changes nothing.
func Export(dir string, w io.Writer) error { return export(toolOptions(dir), w) }

func export(o Options, w io.Writer) (err error) {
	s, err := openToRead(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closeRead()) }()
	clock, err := s.Clock()
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	e := &exporter{s: s, w: json.NewEncoder(b), now: clock.Now}
	e.w.SetEscapeHTML(false)
	if err := e.all(); err != nil {
		return err
	}
	return b.Flush()
}

// exporter is the state of Export.
type exporter struct {
	s   *Store
	w   *json.Encoder
	now int64
}

func (e *exporter) all() error {
	return inTurn(
		func() error { return e.put(line{Kind: "store", Format: Version, Now: e.now}) },
		func() error { return e.s.scanKind(kindBody, e.body) },
		func() error { return e.s.Sessions(e.session) },
		func() error { return e.s.scanKind(kindRetained, e.retained) },
	)
}

// inTurn calls functions until one fails.
func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) body(key, value []byte) error {
	number, err := cutBody(key)
	if err != nil {
		return damagedKey(key, err)
	}
	m, err := decodeMessage(value)
	if err != nil {
		return damagedKey(key, err)
	}
	return e.put(line{Kind: "body", Body: number, Message: toMessage(&m, m.topic, e.now)})
}

func (e *exporter) retained(key, value []byte) error {
	m, err := decodeMessage(value)
	if err != nil {
		return damagedKey(key, err)
	}
	return e.put(line{Kind: "retained", Message: toMessage(&m, key[1:], e.now)})
}

// session writes a session and all that is under it.
func (e *exporter) session(x Session) error {
	l := line{
		Kind: "session", Client: x.ClientID, Username: x.Username, Expiry: x.Expiry, Connectionless: x.Connectionless, Connected: x.Connected,
		Given: x.Given, Next: x.Next, WillIn: relative(x.WillAt, e.now), ExpireIn: relative(x.ExpireAt, e.now),
	}
	if w := x.Will; w != nil {
		m := rawOf(&w.Message)
		l.Will = &willLine{Delay: span(w.Delay), Expiry: span(w.Expiry), Message: toMessage(&m, m.topic, e.now)}
	}
	if err := e.put(l); err != nil {
		return err
	}
	for _, part := range []struct {
		kind byte
		f    func(l *line, rest, value []byte) error
	}{
		{kindFilter, subscriptionLine},
		{kindNote, noteLine},
		{kindInbound, inboundLine},
		{kindReceived, receivedLine},
	} {
		lower, upper := numRange(part.kind, x.Num)
		err := e.s.scan(lower, upper, func(key, value []byte) error {
			l := line{Client: x.ClientID}
			if err := part.f(&l, key[numSize:], value); err != nil {
				return damagedKey(key, err)
			}
			return e.put(l)
		})
		if err != nil {
			return err
		}
	}
	return e.queue(x)
}

func rawOf(m *Message) rawMessage {
	return rawMessage{
		topic: []byte(m.Topic), publisher: []byte(m.Publisher), payload: m.Payload, qos: m.QoS, retain: m.Retain, properties: m.Properties, expires: m.Expires,
	}
}

func subscriptionLine(l *line, filter, value []byte) error {
	s, err := decodeSubscription(value)
	l.Kind, l.Filter, l.QoS, l.ID = "subscription", string(filter), uint8(s.QoS), s.ID
	l.NoLocal, l.RetainAsPublished, l.RetainHandling = s.NoLocal, s.RetainAsPublished, s.RetainHandling
	return err
}

func noteLine(l *line, name, value []byte) error {
	l.Kind, l.Name, l.Value = "note", string(name), toBlob(value)
	return nil
}

func inboundLine(l *line, rest, _ []byte) error {
	_, id, err := cutInbound(append(make([]byte, numSize), rest...))
	l.Kind, l.ID = "inbound", uint32(id)
	return err
}

func receivedLine(l *line, rest, _ []byte) error {
	_, seq, err := cutSeq(append(make([]byte, numSize), rest...))
	l.Kind, l.Seq = "received", seq
	return err
}

// queue writes a queue in its order, own and shared entries, also those with a mark.
func (e *exporter) queue(x Session) error {
	own, err := e.side(kindOwn, x.Num)
	if err != nil {
		return err
	}
	defer own.Close()
	shared, err := e.side(kindShared, x.Num)
	if err != nil {
		return err
	}
	defer shared.Close()
	for own.Valid() || shared.Valid() {
		it := own
		if !own.Valid() || shared.Valid() && bytes.Compare(shared.Key()[numSize:], own.Key()[numSize:]) < 0 {
			it = shared
		}
		if err := e.message(x.ClientID, it); err != nil {
			return err
		}
		it.Next()
	}
	return damaged(errors.Join(own.Error(), shared.Error()))
}

// side returns an iterator at the first entry of one kind.
func (e *exporter) side(kind byte, num uint32) (*pebble.Iterator, error) {
	lower, upper := numRange(kind, num)
	it, err := e.s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, damaged(err)
	}
	it.First()
	return it, nil
}

func (e *exporter) message(client string, it *pebble.Iterator) error {
	_, seq, err := cutSeq(it.Key())
	if err != nil {
		return damagedKey(it.Key(), err)
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return damaged(err)
	}
	l := line{Kind: "message", Client: client, Seq: seq}
	var entry Entry
	if it.Key()[0] == kindOwn {
		var m rawMessage
		entry, m, err = decodeOwn(value)
		l.Message = toMessage(&m, m.topic, e.now)
	} else {
		entry, err = decodeShared(value)
		l.Body = entry.Body
	}
	if err != nil {
		return damagedKey(it.Key(), err)
	}
	l.QoS, l.Retain, l.IDs = uint8(entry.QoS), entry.Retain, entry.IDs
	return e.put(l)
}

// put writes a line. JSON holds UTF-8 only, and so does MQTT in names.
func (e *exporter) put(l line) error {
	texts := []string{l.Client, l.Username, l.Filter, l.Name}
	for _, m := range []*messageLine{l.Message, l.Will.message()} {
		if m != nil {
			texts = append(texts, m.Topic, m.Publisher)
		}
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return fmt.Errorf("the %s of client %q has a name that is not UTF-8: %q", l.Kind, l.Client, text)
		}
	}
	return e.w.Encode(l)
}

func (w *willLine) message() *messageLine {
	if w == nil {
		return nil
	}
	return w.Message
}
