package store

import (
	"encoding/binary"
	"errors"
	"time"
)

// A carrier takes what remains of a damaged store into a new one. In memory it has session numbers, client identifiers and the numbers of shared
// bodies; everything else streams.
type carrier struct {
	from     *remains
	to       *fresh
	report   *Report
	sessions map[uint32]bool   // those that are kept
	holders  map[string]uint32 // client identifier → the session that has it
	stale    map[uint32]bool   // sessions that a later one of the same client replaced
	orphans  map[uint32]bool   // sessions whose record is gone, but something of theirs is left
	bodies   map[uint64]bool   // bodies that kept entries use; true = it is kept
	marks    map[mark]bool     // entries that their subscriber has
	highNum  uint32
	highBody uint64
	proven   int64 // a time that has been, by the store's clock
}

type mark struct {
	num uint32
	seq uint64
}

func newCarrier(from *remains, to *fresh, report *Report) *carrier {
	return &carrier{
		from: from, to: to, report: report, sessions: map[uint32]bool{}, holders: map[string]uint32{}, stale: map[uint32]bool{},
		orphans: map[uint32]bool{}, bodies: map[uint64]bool{}, marks: map[mark]bool{},
	}
}

// carry carries everything over. Small things come first, so that they have room.
func (c *carrier) carry() error {
	for _, step := range []func() error{
		c.fences,
		c.scanSessions,
		c.of(kindSession, c.session),
		c.of(kindFilter, c.subscription),
		c.of(kindInbound, c.inbound),
		c.of(kindNote, c.note),
		c.of(kindReceived, c.received),
		c.of(kindRetained, c.retained),
		c.of(kindShared, c.wantBody),
		c.of(kindBody, c.body),
		c.of(kindShared, c.shared),
		c.of(kindOwn, c.own),
		c.single(keyClock, c.clock),
		c.single(keyHighBody, c.high),
		c.single(keyHighNum, c.high),
		c.finish,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// of is a step that goes over the keys of one kind.
func (c *carrier) of(kind byte, f func(key, value []byte) error) func() error {
	return func() error {
		lower, upper := kindRange(kind)
		if err := c.from.each(lower, upper, f); err != nil {
			return err
		}
		return c.to.end()
	}
}

// single is a step for one key, which f is told of with a nil value when it is not there.
func (c *carrier) single(key []byte, f func(key, value []byte) error) func() error {
	return func() error {
		met := false
		err := c.from.each(key, append(key[:len(key):len(key)], 0), func(key, value []byte) error {
			met = true
			return f(key, append([]byte{}, value...))
		})
		if err == nil && !met {
			err = f(key, nil)
		}
		return err
	}
}

// set writes a key, as one of the things that kept counts.
func (c *carrier) set(key, value []byte, kept, lost *int) error {
	if !c.to.hasRoom(len(key) + len(value)) {
		*lost++
		return nil
	}
	*kept++
	return c.to.set(key, value)
}

// belongs tells whether a session is kept. What belongs to one that is not is lost, unless the session was replaced.
func (c *carrier) belongs(num uint32, lost *int) bool {
	c.highNum = max(c.highNum, num)
	switch {
	case c.sessions[num]:
		return true
	case c.stale[num]:
		return false
	case !c.orphans[num]:
		c.orphans[num] = true
		c.report.Lost.Sessions++
	}
	*lost++
	return false
}

// scanSessions finds out which session of each client is its last: of one that was replaced the tombstone may be lost.
func (c *carrier) scanSessions() error {
	lower, upper := kindRange(kindSession)
	return c.from.each(lower, upper, func(key, value []byte) error {
		num, rest, err := cutNum(key)
		s, e := decodeSession(value)
		if errors.Join(err, e) != nil || len(rest) > 0 {
			c.report.Lost.Sessions++
			if err == nil {
				c.orphans[num] = true
			}
			return nil
		}
		if before, has := c.holders[s.ClientID]; has {
			delete(c.sessions, before)
			c.stale[before] = true
		}
		c.holders[s.ClientID] = num
		c.sessions[num] = true
		return nil
	})
}

func (c *carrier) session(key, value []byte) error {
	num, _, err := cutNum(key)
	if err != nil || !c.sessions[num] {
		return nil
	}
	c.highNum = max(c.highNum, num)
	s, _ := decodeSession(value)
	if s.ExpireAt != 0 {
		c.proven = max(c.proven, s.ExpireAt-int64(s.Expiry)*int64(time.Second))
	}
	if s.WillAt != 0 && s.Will != nil {
		c.proven = max(c.proven, s.WillAt-s.Will.Delay)
	}
	return c.set(key, value, &c.report.Kept.Sessions, &c.report.Lost.Sessions)
}

func (c *carrier) subscription(key, value []byte) error {
	lost := &c.report.Lost.Subscriptions
	num, _, err := cutNum(key)
	if _, e := decodeSubscription(value); errors.Join(err, e) != nil {
		*lost++
		return nil
	}
	if !c.belongs(num, lost) {
		return nil
	}
	return c.set(key, value, &c.report.Kept.Subscriptions, lost)
}

func (c *carrier) inbound(key, value []byte) error {
	lost := &c.report.Lost.Identifiers
	num, _, err := cutInbound(key)
	if err != nil {
		*lost++
		return nil
	}
	if !c.belongs(num, lost) {
		return nil
	}
	return c.set(key, value, &c.report.Kept.Identifiers, lost)
}

func (c *carrier) note(key, value []byte) error {
	lost := &c.report.Lost.Notes
	num, _, err := cutNum(key)
	if err != nil {
		*lost++
		return nil
	}
	if !c.belongs(num, lost) {
		return nil
	}
	return c.set(key, value, &c.report.Kept.Notes, lost)
}

func (c *carrier) received(key, value []byte) error {
	lost := &c.report.Lost.Identifiers
	num, seq, err := cutSeq(key)
	if err != nil {
		*lost++
		return nil
	}
	if !c.belongs(num, lost) {
		return nil
	}
	c.marks[mark{num, seq}] = true
	return c.set(key, value, &c.report.Kept.Identifiers, lost)
}

func (c *carrier) retained(key, value []byte) error {
	lost := &c.report.Lost.Retained
	if _, err := decodeMessage(value); err != nil {
		*lost++
		return nil
	}
	return c.set(key, value, &c.report.Kept.Retained, lost)
}

// wantBody notes which body an entry uses. Entries without a session are no sign of a loss: DropSession takes them away later than the session.
func (c *carrier) wantBody(key, value []byte) error {
	num, _, err := cutSeq(key)
	e, e2 := decodeShared(value)
	if errors.Join(err, e2) == nil && c.sessions[num] {
		c.bodies[e.Body] = false
	}
	return nil
}

func (c *carrier) body(key, value []byte) error {
	number, err := cutBody(key)
	if err != nil {
		return nil
	}
	c.highBody = max(c.highBody, number)
	if _, err := decodeMessage(value); err != nil {
		return nil // its entries are counted
	}
	if _, wanted := c.bodies[number]; !wanted || !c.to.hasRoom(len(key)+len(value)) {
		return nil
	}
	c.bodies[number] = true
	return c.to.set(key, value)
}

func (c *carrier) shared(key, value []byte) error {
	lost := &c.report.Lost.Queued
	num, seq, err := cutSeq(key)
	e, e2 := decodeShared(value)
	switch {
	case errors.Join(err, e2) != nil:
		*lost++
		return nil
	case !c.sessions[num]:
		return nil
	case !c.bodies[e.Body]:
		if !c.marks[mark{num, seq}] { // with a mark the message is no longer needed
			*lost++
		}
		return nil
	}
	return c.set(key, value, &c.report.Kept.Queued, lost)
}

func (c *carrier) own(key, value []byte) error {
	lost := &c.report.Lost.Queued
	num, _, err := cutSeq(key)
	if _, _, e := decodeOwn(value); errors.Join(err, e) != nil {
		*lost++
		return nil
	}
	if !c.belongs(num, lost) {
		return nil
	}
	return c.set(key, value, &c.report.Kept.Queued, lost)
}

// clock keeps the clock; where it is lost, a later clock must not be behind what the records prove.
func (c *carrier) clock(key, value []byte) error {
	if value != nil {
		if _, err := decodeClock(value); err == nil {
			return c.to.put(key, value)
		}
	}
	if c.proven == 0 && value == nil {
		return nil // it never was set, or nothing depends on it
	}
	c.report.Clock = true
	return c.to.put(key, appendClock(nil, Clock{Now: c.proven}))
}

// high takes over a high-water mark.
func (c *carrier) high(key, value []byte) error {
	x, err := decodeNumber(value)
	if value == nil || err != nil {
		return nil
	}
	if key[1] == kindSession {
		c.highNum = max(c.highNum, uint32(min(x, 1<<32-1)))
	} else {
		c.highBody = max(c.highBody, x)
	}
	return nil
}

func (c *carrier) fences() error {
	for _, kind := range fences {
		if err := c.to.set([]byte{kind}, nil); err != nil {
			return err
		}
		if err := c.to.end(); err != nil {
			return err
		}
	}
	return nil
}

func (c *carrier) finish() error {
	c.report.NoRoom = c.to.short
	if err := c.to.put(keyHighNum, binary.AppendUvarint(nil, uint64(c.highNum))); err != nil {
		return err
	}
	if err := c.to.put(keyHighBody, binary.AppendUvarint(nil, c.highBody)); err != nil {
		return err
	}
	return c.to.put(keyVersion, []byte{Version})
}
