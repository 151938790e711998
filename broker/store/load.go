package store

import (
	"context"
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// load reads what the store itself keeps in memory: the high-water marks, the marks of received entries, and how many use each body.
func (s *Store) load() error {
	num, err := s.number(keyHighNum)
	if err != nil {
		return err
	}
	if num > math.MaxUint32 {
		return damagedKey(keyHighNum, errNumber)
	}
	s.highNum = uint32(num)
	if s.highBody, err = s.number(keyHighBody); err != nil {
		return err
	}
	if err := s.Received(func(num uint32, seq uint64) error {
		s.mark(num, seq, 0)
		return nil
	}); err != nil {
		return err
	}
	return s.loadRefs()
}

// checkVersion compares the format of what is there with ours. A store that holds nothing is new and gets ours.
func (s *Store) checkVersion() (isNew bool, err error) {
	v, err := s.get(keyVersion)
	if err != nil {
		return false, err
	}
	if v == nil {
		return true, s.begin()
	}
	found, err := decodeNumber(v)
	switch {
	case err != nil:
		return false, damagedKey(keyVersion, err)
	case found > Version:
		return false, &NewerError{Dir: s.dir, Found: found, Know: Version}
	case found < Version:
		return false, s.migrate(found, Version, s.steps)
	}
	return false, nil
}

// begin gives a new store its version and its fences.
func (s *Store) begin() error {
	if err := s.scan(nil, nil, func(key, _ []byte) error { return damagedKey(keyVersion, errors.New("it is missing")) }); err != nil {
		return err
	}
	b := s.db.NewBatch()
	b.Set(keyVersion, []byte{Version}, nil)
	b.Set(keyClock, appendClock(nil, Clock{}), nil)
	for _, kind := range fences {
		b.Set([]byte{kind}, nil, nil)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	return s.db.Compact(context.Background(), []byte{0}, []byte{0xFF}, false) // fences stand in the last level
}

// loadRefs counts the entries of every shared body. Entries without a session, which a power cut during DropSession leaves, are dropped with the
// bodies that only they use.
func (s *Store) loadRefs() error {
	sessions := map[uint32]bool{}
	lower, upper := kindRange(kindSession)
	if err := s.scan(lower, upper, func(key, _ []byte) error {
		num, rest, err := cutNum(key)
		if err != nil || len(rest) > 0 {
			return errLength
		}
		sessions[num] = true
		return nil
	}); err != nil {
		return err
	}
	b := s.NewBatch()
	defer b.b.Close()
	lower, upper = kindRange(kindShared)
	if err := s.scan(lower, upper, func(key, value []byte) error {
		num, seq, err := cutSeq(key)
		if err != nil {
			return err
		}
		e, err := decodeShared(value)
		if err != nil {
			return err
		}
		s.refs[e.Body]++
		if !sessions[num] {
			b.key = append(b.key[:0], key...)
			b.drop()
			b.release(e.Body)
		}
		if m := s.marks[num]; m != nil {
			if _, ok := m[seq]; ok {
				m[seq] = e.Body
			}
		}
		return nil
	}); err != nil {
		return err
	}
	b.dropBodies()
	return b.b.Commit(pebble.NoSync)
}

// Sessions calls f with every session, in the order of their numbers. An error of f ends it and is returned, here and in the methods below;
// so does *DamageError when something does not make sense.
func (s *Store) Sessions(f func(Session) error) error {
	return s.scanKind(kindSession, func(key, value []byte) error {
		num, rest, err := cutNum(key)
		if err != nil || len(rest) > 0 {
			return damagedKey(key, errLength)
		}
		session, err := decodeSession(value)
		if err != nil {
			return damagedKey(key, err)
		}
		session.Num = num
		return f(session)
	})
}

// Subscriptions calls f with every subscription, by session and filter.
func (s *Store) Subscriptions(f func(num uint32, sub Subscription) error) error {
	return s.scanKind(kindFilter, func(key, value []byte) error {
		num, filter, err := cutNum(key)
		if err != nil {
			return damagedKey(key, err)
		}
		sub, err := decodeSubscription(value)
		if err != nil {
			return damagedKey(key, err)
		}
		sub.Filter = string(filter)
		return f(num, sub)
	})
}

// Inbound calls f with every QoS 2 packet identifier that was taken and not released, by session.
func (s *Store) Inbound(f func(num uint32, id uint16) error) error {
	return s.scanKind(kindInbound, func(key, _ []byte) error {
		num, id, err := cutInbound(key)
		if err != nil {
			return damagedKey(key, err)
		}
		return f(num, id)
	})
}

// Received calls f with the place of every entry that its subscriber has and that waits for PUBCOMP, by session. Read does not return those.
func (s *Store) Received(f func(num uint32, seq uint64) error) error {
	return s.scanKind(kindReceived, func(key, _ []byte) error {
		num, seq, err := cutSeq(key)
		if err != nil {
			return damagedKey(key, err)
		}
		return f(num, seq)
	})
}

// Notes calls f with every note, by session and name. The value belongs to f.
func (s *Store) Notes(f func(num uint32, name string, value []byte) error) error {
	return s.scanKind(kindNote, func(key, value []byte) error {
		num, name, err := cutNum(key)
		if err != nil {
			return damagedKey(key, err)
		}
		return f(num, string(name), append([]byte{}, value...))
	})
}

// Retained calls f with every retained message, by topic. The message belongs to f.
func (s *Store) Retained(f func(*Message) error) error {
	var names interner
	return s.scanKind(kindRetained, func(key, value []byte) error {
		raw, err := decodeMessage(value)
		if err != nil {
			return damagedKey(key, err)
		}
		raw.topic = key[1:]
		m := raw.own(&names)
		return f(&m)
	})
}

// Clock returns what SetClock kept last; zero when it never was.
func (s *Store) Clock() (Clock, error) {
	v, err := s.get(keyClock)
	if v == nil || err != nil {
		return Clock{}, err
	}
	c, err := decodeClock(v)
	if err != nil {
		return Clock{}, damagedKey(keyClock, err)
	}
	return c, nil
}

// LastNum returns the highest session number that was ever given; 0 for none.
func (s *Store) LastNum() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.highNum
}

// LastBody returns a number above which no body number was ever used. Up to 65,536 of those below it may be unused.
func (s *Store) LastBody() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.highBody
}

// scanKind calls f with every key of a kind. Key and value are only lent.
func (s *Store) scanKind(kind byte, f func(key, value []byte) error) error {
	lower, upper := kindRange(kind)
	return s.scan(lower, upper, f)
}

func (s *Store) scan(lower, upper []byte, f func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return damaged(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return damaged(err)
		}
		if err := f(it.Key(), value); err != nil {
			return err
		}
	}
	return damaged(it.Error())
}

// get returns a copy of the value of a key, nil when there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, damaged(err)
	}
	defer closer.Close()
	return append([]byte{}, v...), nil
}

// number returns the value of a key that holds one number, 0 when there is none.
func (s *Store) number(key []byte) (uint64, error) {
	v, err := s.get(key)
	if v == nil || err != nil {
		return 0, err
	}
	x, err := decodeNumber(v)
	if err != nil {
		return 0, damagedKey(key, err)
	}
	return x, nil
}
