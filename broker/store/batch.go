package store

import (
	"encoding/binary"
	"errors"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Clock is the store's time as the core keeps it, in nanoseconds: the last reading, and a pair of readings of it and of the wall clock.
type Clock struct{ Now, AnchorNow, AnchorWall int64 }

// Removed is an entry that has left its queue. Body is the number of its body, 0 when the entry held its message. A Seq that was never
// enqueued may stand among the others, with Body 0: it costs nothing and joins its neighbours.
type Removed struct{ Seq, Body uint64 }

// A Batch is a set of changes that become durable together. One goroutine fills it. Its methods neither fail nor touch the disk before Commit; they
// copy what they are given. Changes of one batch apply in the order of the calls. One batch is in use at a time: the next change is made when Commit of those
// before has returned.
type Batch struct {
	s       *Store
	b       *pebble.Batch
	key     []byte // scratch
	end     []byte // scratch
	value   []byte // scratch
	dead    []uint64
	dropped []uint32
	err     error // the first that Pebble gave; Commit returns it
}

const (
	// batchKeep is how many octets an idle batch keeps for its next use.
	batchKeep = 256 << 10
	// bodyStride is how many body numbers one write of the high-water mark covers.
	bodyStride = 1 << 16
)

// NewBatch returns an empty batch. It is meant to be used again after each Commit.
func (s *Store) NewBatch() *Batch {
	return &Batch{s: s, b: s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchKeep))}
}

// SetSession keeps a session, new or changed.
func (b *Batch) SetSession(session Session) {
	b.raiseNum(session.Num)
	b.key = appendNum(b.key[:0], kindSession, session.Num)
	b.value = appendSession(b.value[:0], &session)
	b.set()
}

// raiseNum persists that a session number was given.
func (b *Batch) raiseNum(num uint32) {
	b.s.mu.Lock()
	raised := num > b.s.highNum
	b.s.highNum = max(num, b.s.highNum)
	b.s.mu.Unlock()
	if raised {
		b.key = append(b.key[:0], keyHighNum...)
		b.value = binary.AppendUvarint(b.value[:0], uint64(num))
		b.set()
	}
}

// DropSession takes away the session and everything under it, and releases the bodies that its queue shared. Its number must not be used again.
func (b *Batch) DropSession(num uint32) {
	b.key = appendNum(b.key[:0], kindSession, num)
	b.drop()
	for _, kind := range sessionKinds {
		// The shared entries are left until Commit has read which bodies they used; without their session they do not count.
		if kind != kindShared {
			b.key = appendNum(b.key[:0], kind, num)
			b.end = after(append(b.end[:0], b.key...))
			b.dropRange()
		}
	}
	b.s.mu.Lock()
	delete(b.s.marks, num)
	b.s.mu.Unlock()
	b.dropped = append(b.dropped, num)
}

// SetSubscription keeps a subscription, new or changed.
func (b *Batch) SetSubscription(num uint32, sub Subscription) {
	b.key = append(appendNum(b.key[:0], kindFilter, num), sub.Filter...)
	b.value = appendSubscription(b.value[:0], &sub)
	b.set()
}

// DropSubscription takes a subscription away.
func (b *Batch) DropSubscription(num uint32, filter string) {
	b.key = append(appendNum(b.key[:0], kindFilter, num), filter...)
	b.drop()
}

// SetNote keeps a note of a front end's; nil takes it away.
func (b *Batch) SetNote(num uint32, name string, value []byte) {
	b.key = append(appendNum(b.key[:0], kindNote, num), name...)
	if value == nil {
		b.drop()
		return
	}
	b.value = append(b.value[:0], value...)
	b.set()
}

// AddInbound keeps a QoS 2 packet identifier that was taken from the client.
func (b *Batch) AddInbound(num uint32, id uint16) {
	b.key = appendInbound(b.key[:0], num, id)
	b.value = b.value[:0]
	b.set()
}

// DropInbound forgets a QoS 2 packet identifier.
func (b *Batch) DropInbound(num uint32, id uint16) {
	b.key = appendInbound(b.key[:0], num, id)
	b.drop()
}

// SetRetained keeps the retained message of a topic; an empty payload takes it away.
func (b *Batch) SetRetained(m *Message) {
	b.key = append(append(b.key[:0], kindRetained), m.Topic...)
	if len(m.Payload) == 0 {
		b.drop()
		return
	}
	b.value = appendMessage(b.value[:0], m, "")
	b.set()
}

// SetClock keeps the clock.
func (b *Batch) SetClock(c Clock) {
	b.key = append(b.key[:0], keyClock...)
	b.value = appendClock(b.value[:0], c)
	b.set()
}

// Empty reports whether there is nothing to commit.
func (b *Batch) Empty() bool { return b.b.Empty() && len(b.dead) == 0 }

// Commit makes the batch durable, all of it or nothing: when it returns nil, the disk has confirmed it. Then the batch is empty again. After
// an error the store must not be used any more; as a rule Options.Fatal was called before.
func (b *Batch) Commit() error {
	b.dropBodies()
	if b.err != nil || b.b.Empty() {
		return b.err
	}
	start := time.Now()
	if err := b.s.apply(b.b, pebble.Sync); err != nil {
		return err
	}
	b.s.commit.add(time.Since(start))
	b.b.Reset()
	if cap(b.value) > batchKeep {
		b.value = nil
	}
	return b.releaseDropped()
}

// set, drop and dropRange append an operation on the keys and the value that stand in the scratch slices.
func (b *Batch) set() { b.keep(b.b.Set(b.key, b.value, nil)) }

func (b *Batch) drop() { b.keep(b.b.Delete(b.key, nil)) }

func (b *Batch) dropRange() { b.keep(b.b.DeleteRange(b.key, b.end, nil)) }

func (b *Batch) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

// apply applies a batch of Pebble's. Where Pebble panics because it cannot write, the program ends with a sentence as it does elsewhere. After Close the
// error is pebble.ErrClosed.
func (s *Store) apply(b *pebble.Batch, o *pebble.WriteOptions) (err error) {
	defer func() {
		p := recover()
		e, ok := p.(error)
		switch {
		case p == nil:
		case ok && errors.Is(e, pebble.ErrClosed):
			err = e
		case ok && !errors.As(e, new(runtime.Error)):
			s.giveUp(e)
		default:
			panic(p)
		}
	}()
	if err := b.Commit(o); err != nil {
		return err
	}
	if s.disk.dead.Load() {
		return errDead
	}
	return nil
}
