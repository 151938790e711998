package store

import (
	"errors"
	"fmt"
	"io"
)

// Check verifies the store in a directory that no running midge uses, and changes nothing: the checksums of all files, that every record decodes, and that
// records which name each other are there. It writes a line for each fault and one that sums up. The error tells that there are faults, or why it could not check.
func Check(dir string, w io.Writer) error { return check(toolOptions(dir), w) }

func check(o Options, w io.Writer) error {
	c := &checker{w: w, sessions: map[uint32]bool{}, bodies: map[uint64]int{}}
	s := &Store{dir: o.Dir, fs: o.FS}
	s.defaults()
	if err := s.isThere(); err != nil {
		return err
	}
	if err := dirOf(o).locked(func() error { return c.files(o) }); err != nil {
		return err
	}
	if err := c.open(o); err != nil {
		return err
	}
	if c.err != nil {
		return c.err
	}
	if c.faults > 0 {
		fmt.Fprintf(w, "%d faults in %s\n", c.faults, o.Dir)
		return fmt.Errorf("the store in %s is damaged: %d faults", o.Dir, c.faults)
	}
	_, err := fmt.Fprintf(w, "no faults in %s: %v, %d shared bodies, in %d tables of %d blocks\n", o.Dir, c.n, len(c.bodies), c.tables, c.blocks)
	return err
}

// checker is the state of Check.
type checker struct {
	w              io.Writer
	err            error // of writing
	faults         int
	tables, blocks int
	n              Counts
	sessions       map[uint32]bool
	bodies         map[uint64]int // number → entries that use it; -1 = it is there
}

func (c *checker) fault(format string, args ...any) {
	c.faults++
	if _, err := fmt.Fprintf(c.w, format+"\n", args...); err != nil && c.err == nil {
		c.err = err
	}
}

// files reads every file.
func (c *checker) files(o Options) error {
	d := dirOf(o)
	r, err := gather(d.fs, d.dir)
	if err != nil {
		return err
	}
	for _, t := range r.tables {
		if err := c.table(r, t); err != nil {
			return err
		}
	}
	for _, f := range r.faults {
		c.fault("%v", f)
	}
	return nil
}

// table reads every block of a table.
func (c *checker) table(r *remains, rt *remainingTable) error {
	t, f, err := r.openTable(rt.name)
	if err != nil {
		return err
	}
	defer f.Close()
	c.tables++
	for _, h := range t.data {
		c.blocks++
		r.versions(rt, t, h)
	}
	for _, h := range t.others {
		c.blocks++
		if _, err := t.block(h); err != nil {
			r.fault(rt.name, "the block in %v: %v", h, err)
		}
	}
	return nil
}

// open reads every record.
func (c *checker) open(o Options) error {
	s, err := openToRead(o)
	var damage *DamageError
	switch {
	case errors.As(err, &damage):
		if c.faults == 0 || damage.File == damagedMark {
			c.fault("%v", err)
		}
		return nil
	case err != nil:
		return err
	}
	if err := c.records(s); err != nil {
		c.fault("%v", err)
	}
	return s.closeRead()
}

func (c *checker) records(s *Store) error {
	for _, pass := range []struct {
		kind byte
		f    func(key, value []byte) error
	}{
		{kindSession, c.session}, {kindFilter, c.subscription}, {kindInbound, c.inbound}, {kindNote, c.note}, {kindReceived, c.received},
		{kindOwn, c.own}, {kindShared, c.shared}, {kindBody, c.body}, {kindRetained, c.retained},
	} {
		err := s.scanKind(pass.kind, func(key, value []byte) error {
			if err := pass.f(key, value); err != nil {
				c.fault("the record under key %x: %v", key, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for number, uses := range c.bodies {
		if uses >= 0 {
			c.fault("the body %d is missing, and %d entries have it", number, uses)
		}
	}
	_, err := s.Clock()
	return errors.Join(err, s.knownKinds())
}

// knownKinds looks for keys that this format does not know.
func (s *Store) knownKinds() error {
	known := [256]bool{}
	for _, kind := range []byte{kindBody, kindClock, kindShared, kindFilter, kindHigh, kindInbound, kindNote, kindReceived, kindBefore, kindOwn, kindBehind, kindSession, kindRetained, kindVersion} {
		known[kind] = true
	}
	it, err := s.db.NewIter(nil)
	if err != nil {
		return damaged(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.SeekGE([]byte{it.Key()[0] + 1}) {
		if !known[it.Key()[0]] {
			return damagedKey(it.Key(), errors.New("this format has no such key"))
		}
	}
	return damaged(it.Error())
}

var errOrphan = errors.New("its session is missing")

// of returns an error unless the session is there.
func (c *checker) of(num uint32, err error) error {
	if err == nil && !c.sessions[num] {
		return errOrphan
	}
	return err
}

func (c *checker) session(key, value []byte) error {
	num, rest, err := cutNum(key)
	if err == nil && len(rest) > 0 {
		err = errLength
	}
	if err == nil {
		c.sessions[num] = true
		c.n.Sessions++
		_, err = decodeSession(value)
	}
	return err
}

func (c *checker) subscription(key, value []byte) error {
	num, _, err := cutNum(key)
	c.n.Subscriptions++
	_, e := decodeSubscription(value)
	return c.of(num, errors.Join(err, e))
}

func (c *checker) inbound(key, _ []byte) error {
	num, _, err := cutInbound(key)
	c.n.Identifiers++
	return c.of(num, err)
}

func (c *checker) note(key, _ []byte) error {
	num, _, err := cutNum(key)
	c.n.Notes++
	return c.of(num, err)
}

func (c *checker) received(key, _ []byte) error {
	num, _, err := cutSeq(key)
	c.n.Identifiers++
	return c.of(num, err)
}

func (c *checker) own(key, value []byte) error {
	num, _, err := cutSeq(key)
	c.n.Queued++
	_, _, e := decodeOwn(value)
	return c.of(num, errors.Join(err, e))
}

// shared takes an entry without a session for what a power cut during DropSession leaves.
func (c *checker) shared(key, value []byte) error {
	num, _, err := cutSeq(key)
	e, e2 := decodeShared(value)
	if err := errors.Join(err, e2); err != nil || !c.sessions[num] {
		return err
	}
	c.n.Queued++
	c.bodies[e.Body]++
	return nil
}

// body marks a body as there. One that no entry uses is no damage: an import that ended early leaves it.
func (c *checker) body(key, value []byte) error {
	number, err := cutBody(key)
	if err != nil {
		return err
	}
	if _, used := c.bodies[number]; used {
		c.bodies[number] = -1
	}
	_, err = decodeMessage(value)
	return err
}

func (c *checker) retained(_, value []byte) error {
	c.n.Retained++
	_, err := decodeMessage(value)
	return err
}
