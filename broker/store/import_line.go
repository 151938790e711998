package store

import (
	"errors"
	"fmt"
	"math"

	"midge/broker/mqtt"
)

// store takes the clock into a store that has none.
func (i *importer) store(l *line) error {
	if l.Format > Version {
		return fmt.Errorf("it has format %d; this midge knows formats up to %d", l.Format, Version)
	}
	if i.now != 0 || l.Now <= 0 {
		return nil
	}
	i.now = l.Now
	i.key, i.value = append(i.key[:0], keyClock...), appendClock(i.value[:0], Clock{Now: l.Now})
	return i.set()
}

func (i *importer) body(l *line) error {
	if _, before := i.bodies[l.Body]; before || l.Body == 0 || l.Body > math.MaxUint64-i.begin {
		return errors.New("its number is missing, too high, or was there before")
	}
	m, err := l.Message.message(i.now)
	if err != nil {
		return err
	}
	i.bodies[l.Body] = octetsOf(&m)
	i.maxBody = max(i.maxBody, i.begin+l.Body)
	i.key, i.value = appendBody(i.key[:0], i.begin+l.Body), appendMessage(i.value[:0], &m, m.Topic)
	_, err = decodeMessage(i.value)
	return errors.Join(err, i.set())
}

// octetsOf is what a message counts for in a queue.
func octetsOf(m *Message) int {
	raw := rawOf(m)
	return raw.octets()
}

func (i *importer) session(l *line) error {
	switch num, there := i.there[l.Client]; {
	case l.Client == "":
		return errors.New("it has no client")
	case i.clients[l.Client]:
		return fmt.Errorf("the client %q was there before", l.Client)
	case there && !i.replace:
		return fmt.Errorf("the client %q has a session in this store already; with replace it gives way", l.Client)
	case there:
		if err := i.drop(num); err != nil {
			return err
		}
	}
	if len(i.clients) == 0 {
		if err := i.reserve(); err != nil {
			return err
		}
	}
	i.clients[l.Client] = true
	i.num++
	i.client, i.total, i.seq = l.Client, 0, 0
	x := Session{
		Num: i.num, ClientID: l.Client, Username: l.Username, Expiry: l.Expiry, Connectionless: l.Connectionless, Connected: l.Connected, Given: l.Given, Next: l.Next,
	}
	var e1, e2, e3 error
	x.WillAt, e1 = absolute(l.WillIn, i.now)
	x.ExpireAt, e2 = absolute(l.ExpireIn, i.now)
	x.Will, e3 = l.Will.will(i.now)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	i.key, i.value = appendNum(i.key[:0], kindSession, x.Num), appendSession(i.value[:0], &x)
	_, err := decodeSession(i.value)
	return errors.Join(err, i.set())
}

func (w *willLine) will(now int64) (*Will, error) {
	if w == nil {
		return nil, nil
	}
	m, e1 := w.Message.message(now)
	delay, e2 := absolute(w.Delay, 0)
	expiry, e3 := absolute(w.Expiry, 0)
	return &Will{Message: m, Delay: delay, Expiry: expiry}, errors.Join(e1, e2, e3)
}

// drop takes a session away with all under it. Its shared entries go at the next Open, which finds no session to them.
func (i *importer) drop(num uint32) error {
	err := i.b.Delete(appendNum(nil, kindSession, num), nil)
	for _, kind := range sessionKinds {
		if kind != kindShared {
			lower, upper := numRange(kind, num)
			err = errors.Join(err, i.b.DeleteRange(lower, upper, nil))
		}
	}
	return err
}

// of says that the line is not one of the session before it.
func (i *importer) of(l *line) error {
	if l.Client == "" || l.Client != i.client {
		return fmt.Errorf("it does not follow the session of its client %q", l.Client)
	}
	return nil
}

func (i *importer) subscription(l *line) error {
	if err := i.of(l); err != nil {
		return err
	}
	switch {
	case l.Filter == "":
		return errors.New("it has no filter")
	case l.QoS > 2:
		return errQoS
	case l.RetainHandling > 2:
		return errRetainAs
	}
	s := Subscription{
		Filter: l.Filter, QoS: mqtt.QoS(l.QoS), NoLocal: l.NoLocal, RetainAsPublished: l.RetainAsPublished, RetainHandling: l.RetainHandling, ID: l.ID,
	}
	i.key = append(appendNum(i.key[:0], kindFilter, i.num), s.Filter...)
	i.value = appendSubscription(i.value[:0], &s)
	return i.set()
}

func (i *importer) note(l *line) error {
	if err := i.of(l); err != nil {
		return err
	}
	i.key = append(appendNum(i.key[:0], kindNote, i.num), l.Name...)
	i.value = append(i.value[:0], l.Value.octets()...)
	return i.set()
}

func (i *importer) inbound(l *line) error {
	if err := i.of(l); err != nil {
		return err
	}
	if l.ID == 0 || l.ID > 0xffff {
		return errNumber
	}
	i.key, i.value = appendInbound(i.key[:0], i.num, uint16(l.ID)), i.value[:0]
	return i.set()
}

func (i *importer) received(l *line) error {
	if err := i.of(l); err != nil {
		return err
	}
	if l.Seq == 0 {
		return errNumber
	}
	i.key, i.value = appendSeq(i.key[:0], kindReceived, i.num, l.Seq), i.value[:0]
	return i.set()
}

func (i *importer) message(l *line) error {
	if err := i.of(l); err != nil {
		return err
	}
	shared, known := i.bodies[l.Body]
	switch {
	case l.Seq <= i.seq:
		return fmt.Errorf("its seq %d does not come after %d", l.Seq, i.seq)
	case l.QoS > 2:
		return errQoS
	case (l.Body != 0) == (l.Message != nil):
		return errors.New("it needs a message or the number of a body, and not both")
	case l.Body != 0 && !known:
		return fmt.Errorf("there is no body %d before it", l.Body)
	}
	i.seq = l.Seq
	e := Entry{Seq: l.Seq, QoS: mqtt.QoS(l.QoS), Retain: l.Retain, IDs: l.IDs}
	if l.Body != 0 {
		i.total += uint64(shared + Overhead)
		e.Body, e.Total = i.begin+l.Body, i.total
		i.key, i.value = appendSeq(i.key[:0], kindShared, i.num, e.Seq), appendShared(i.value[:0], &e)
		return i.set()
	}
	var err error
	if e.Message, err = l.Message.message(i.now); err != nil {
		return err
	}
	i.total += uint64(octetsOf(&e.Message) + Overhead)
	e.Total = i.total
	i.key, i.value = appendSeq(i.key[:0], kindOwn, i.num, e.Seq), appendOwn(i.value[:0], &e)
	_, _, err = decodeOwn(i.value)
	return errors.Join(err, i.set())
}

func (i *importer) retained(l *line) error {
	m, err := l.Message.message(i.now)
	switch {
	case err != nil:
		return err
	case len(m.Payload) == 0:
		return errors.New("it has no payload")
	}
	i.key, i.value = append(append(i.key[:0], kindRetained), m.Topic...), appendMessage(i.value[:0], &m, "")
	_, err = decodeMessage(i.value)
	return errors.Join(err, i.set())
}
