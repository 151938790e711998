package store

import (
	"bytes"
	"container/heap"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// each calls f with the newest value of every key in [lower, upper) that was not deleted, in key order. Key and value are lent. Of the tables, one block of each
// that overlaps the others is in memory at a time. An error is f's.
func (r *remains) each(lower, upper []byte, f func(key, value []byte) error) error {
	m := &merge{r: r, upper: upper, tombs: r.tombs}
	defer m.close()
	m.begin(lower)
	for {
		same := m.next()
		if same == nil {
			return nil
		}
		v, ok := pick(same, m.covering(same[0].Key))
		if !ok {
			continue
		}
		if err := f(v.Key, v.Value); err != nil {
			return err
		}
	}
}

// A merge goes over all that remains of a range of keys.
type merge struct {
	r       *remains
	upper   []byte
	waiting []*remainingTable // whose first key has not been reached, by that key
	lower   []byte
	open    cursors
	tombs   []tomb // whose start has not been reached
	active  []tomb // that may cover the current key
	same    []version
}

// A cursor stands at a version of one source.
type cursor struct {
	vs    []version // the rest of the block, or of the logs; not empty
	rt    *remainingTable
	table *table
	file  vfs.File
	next  int // block
	last  []byte
}

type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return bytes.Compare(c[i].vs[0].Key, c[j].vs[0].Key) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)        { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any {
	x := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return x
}

// begin puts the merge at the first key from lower on.
func (m *merge) begin(lower []byte) {
	m.lower = lower
	for _, rt := range m.r.tables {
		if bytes.Compare(rt.first, m.upper) < 0 && (rt.last == nil || bytes.Compare(rt.last, lower) >= 0) {
			m.waiting = append(m.waiting, rt)
		}
	}
	logs := m.r.logs
	logs = logs[sort.Search(len(logs), func(i int) bool { return bytes.Compare(logs[i].Key, lower) >= 0 }):]
	if len(logs) > 0 {
		heap.Push(&m.open, &cursor{vs: logs})
	}
}

// next returns all versions of the next key; nil at the end. They are valid until the next call.
func (m *merge) next() []version {
	m.same = m.same[:0]
	for {
		for len(m.waiting) > 0 && (len(m.open) == 0 || bytes.Compare(m.waiting[0].first, m.open[0].vs[0].Key) <= 0) {
			m.openTable(m.waiting[0])
			m.waiting = m.waiting[1:]
		}
		if len(m.open) == 0 {
			break
		}
		v := m.open[0].vs[0]
		if bytes.Compare(v.Key, m.upper) >= 0 || len(m.same) > 0 && !bytes.Equal(v.Key, m.same[0].Key) {
			break
		}
		m.same = append(m.same, v)
		m.advance()
	}
	if len(m.same) == 0 {
		return nil
	}
	return m.same
}

// openTable adds a table, at its first key from lower on.
func (m *merge) openTable(rt *remainingTable) {
	t, f, err := m.r.openTable(rt.name)
	if err != nil {
		m.r.fault(rt.name, "%v", err)
		return
	}
	c := &cursor{rt: rt, table: t, file: f}
	if m.load(c, m.lower) {
		heap.Push(&m.open, c)
		return
	}
	f.Close()
}

// load reads the next block of a table that has a key from lower on. False says that there is none.
func (m *merge) load(c *cursor, lower []byte) bool {
	for ; c.next < len(c.table.data); c.next++ {
		h := c.table.data[c.next]
		if h.Last != nil && bytes.Compare(h.Last, lower) < 0 {
			continue
		}
		vs := m.r.versions(c.rt, c.table, h)
		// Blocks that were found without an index may be none of the table's own; a table's keys ascend.
		if len(vs) == 0 || !ascend(vs) || c.last != nil && bytes.Compare(vs[0].Key, c.last) < 0 {
			continue
		}
		c.last = vs[len(vs)-1].Key
		vs = vs[sort.Search(len(vs), func(i int) bool { return bytes.Compare(vs[i].Key, lower) >= 0 }):]
		if len(vs) > 0 {
			c.vs = vs
			c.next++
			return true
		}
	}
	return false
}

func ascend(vs []version) bool {
	return slices.IsSortedFunc(vs, func(a, b version) int { return bytes.Compare(a.Key, b.Key) })
}

// advance moves the first cursor on.
func (m *merge) advance() {
	c := m.open[0]
	c.vs = c.vs[1:]
	if len(c.vs) == 0 && (c.table == nil || !m.load(c, m.lower)) {
		heap.Pop(&m.open)
		if c.file != nil {
			c.file.Close()
		}
		return
	}
	heap.Fix(&m.open, 0)
}

func (m *merge) close() {
	for _, c := range m.open {
		if c.file != nil {
			c.file.Close()
		}
	}
}

// covering returns the range tombstones over a key. Keys must come in ascending order.
func (m *merge) covering(key []byte) []tomb {
	for len(m.tombs) > 0 && bytes.Compare(m.tombs[0].Start, key) <= 0 {
		m.active = append(m.active, m.tombs[0])
		m.tombs = m.tombs[1:]
	}
	m.active = slices.DeleteFunc(m.active, func(x tomb) bool { return bytes.Compare(x.End, key) <= 0 })
	return m.active
}

// pick returns the newest of the versions of a key; false when that is a deletion, or a range tombstone over it is newer.
//
// Sequence numbers tell which is newer, but Pebble sets that of a key to 0 when no older version can be below it in the levels. Among files that were in use
// at the same time such a key is older than every other version. Among files of which some were replaced already (no manifest says so) it may be newer.
func pick(vs []version, tombs []tomb) (version, bool) {
	slices.SortFunc(vs, byNewest)
	v := vs[0]
	if zero := slices.IndexFunc(vs, func(x version) bool { return x.Seq == 0 }); zero > 0 && !surelyNewer(v.src, vs[zero].src) {
		// A repeat is better than a loss; and what a log had that is not the last is in tables by now.
		if !isSet(v) || v.src.isLog() && !v.src.live {
			v = vs[zero]
		}
	}
	if !isSet(v) {
		return v, false
	}
	for _, x := range tombs {
		if v.Seq > 0 && x.Seq > v.Seq || v.Seq == 0 && x.Seq > 0 && surelyNewer(x.src, v.src) {
			return v, false
		}
	}
	return v, true
}

// surelyNewer tells whether what has a sequence number in a is newer than what has number 0 in b: both were in use at one time, or a was begun after b.
func surelyNewer(a, b *origin) bool { return a.file >= b.file || a.live && b.live || a.last }

func (o *origin) isLog() bool { return len(o.name) > 4 && o.name[len(o.name)-4:] == ".log" }

func isSet(v version) bool {
	return v.Kind == pebble.InternalKeyKindSet || v.Kind == pebble.InternalKeyKindSetWithDelete
}
