package store

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker/mqtt"
)

var damageSeeds = flag.Int("damage.seeds", 30, "how many damaged stores TestDamagedStoresComeUp makes")

// A past is a store's files at one moment, with all that was ever written to it and what was in it.
type past struct {
	fs      *vfs.MemFS
	history map[string]map[string]bool // key → every value it ever had
	final   map[string]string
	regions []region
}

// A region is a part of a file, and a key of which a version stands in it.
type region struct {
	file     string
	from, to int64
	key      string
}

const testDir = "data"

func testOptions(fs vfs.FS) Options {
	return Options{Dir: testDir, FS: fs, Fatal: func(err error) { panic(fatal{err}) }}
}

// fatal is what Options.Fatal of the tests panics with.
type fatal struct{ err error }

// newPast fills a store at random, with flushes and compactions in between, and ends as a power cut would, or in good order.
func newPast(t testing.TB, rng *rand.Rand) *past {
	p := &past{fs: vfs.NewCrashableMem(), history: map[string]map[string]bool{}, final: map[string]string{}}
	s, err := Open(testOptions(p.fs))
	if err != nil {
		t.Fatal("a new store opens:", err)
	}
	w := &writer{rng: rng, next: map[uint32]uint64{}, queue: map[uint32][]Removed{}}
	for range 20 + rng.IntN(60) {
		b := s.NewBatch()
		w.fill(b)
		p.note(b)
		if err := b.Commit(); err != nil {
			t.Fatal("a batch commits:", err)
		}
		switch rng.IntN(12) {
		case 0:
			err = s.db.Flush()
		case 1:
			err = errors.Join(s.db.Flush(), s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false))
		}
		if err != nil {
			t.Fatal("a flush or compaction works:", err)
		}
	}
	if err := s.scan(nil, nil, func(key, value []byte) error { p.final[string(key)] = string(value); return nil }); err != nil {
		t.Fatal("the store reads:", err)
	}
	closeFirst := rng.IntN(2) == 0
	if closeFirst {
		s.Close()
	}
	crashed := p.fs.CrashClone(vfs.CrashCloneCfg{})
	if !closeFirst {
		s.Close()
	}
	p.fs = crashed
	p.locate(t)
	return p
}

// note keeps what a batch writes.
func (p *past) note(b *Batch) {
	for r := b.b.Reader(); ; {
		kind, key, value, ok, _ := r.Next()
		if !ok {
			return
		}
		if kind == pebble.InternalKeyKindSet {
			if p.history[string(key)] == nil {
				p.history[string(key)] = map[string]bool{}
			}
			p.history[string(key)][string(value)] = true
		}
	}
}

// locate finds out where each key stands.
func (p *past) locate(t testing.TB) {
	l, err := listFiles(p.fs, testDir)
	if err != nil {
		t.Fatal("the directory lists:", err)
	}
	r := &remains{fs: p.fs, dir: testDir, seen: map[Fault]bool{}}
	state := r.manifest(l)
	for _, n := range l.tables {
		if _, live := state.Live[n]; !live {
			continue
		}
		tab, f, err := r.openTable(tableName(n))
		if err != nil {
			t.Fatal("a table opens:", err)
		}
		for _, h := range tab.data {
			for _, v := range r.versions(&remainingTable{origin: origin{name: tableName(n)}}, tab, h) {
				p.region(v, region{tableName(n), int64(h.Off), int64(h.Off + h.Len + blockTrailer), ""})
			}
		}
		f.Close()
	}
	for _, n := range l.logs {
		if n < state.MinLog {
			continue
		}
		p.locateLog(t, r, n)
	}
	if len(r.faults) > 0 {
		t.Fatalf("nothing is damaged yet, but %v", r.faults)
	}
}

func (p *past) locateLog(t testing.TB, r *remains, n uint64) {
	f, err := r.open(logName(n))
	if err != nil {
		t.Fatal("a log opens:", err)
	}
	defer f.Close()
	from := len(p.regions)
	last := int64(-1)
	scan, err := scanLog(f, uint32(n), func(off int64, rec []byte) error {
		for i := from; i < len(p.regions) && last >= 0; i++ {
			p.regions[i].to = off
		}
		from, last = len(p.regions), off
		var one remains
		one.addRecord(&origin{}, rec)
		for _, v := range one.logs {
			p.region(v, region{logName(n), off, 0, ""})
		}
		return nil
	})
	if err != nil {
		t.Fatal("a log reads:", err)
	}
	for i := from; i < len(p.regions); i++ {
		p.regions[i].to = scan.End
	}
}

func (p *past) region(v version, r region) {
	r.key = string(v.Key)
	p.regions = append(p.regions, r)
}

// writer fills batches.
type writer struct {
	rng   *rand.Rand
	next  map[uint32]uint64
	queue map[uint32][]Removed
	body  uint64
	now   int64
}

const testSessions = 6

func (w *writer) fill(b *Batch) {
	for range 1 + w.rng.IntN(30) {
		num := uint32(1 + w.rng.IntN(testSessions))
		if w.next[num] == 0 {
			w.next[num] = 1
			b.SetSession(Session{Num: num, ClientID: fmt.Sprint("client", num), Expiry: 3600})
		}
		w.one(b, num)
	}
}

func (w *writer) one(b *Batch, num uint32) {
	m := Message{Topic: fmt.Sprint("t/", w.rng.IntN(50)), Payload: w.payload(), QoS: mqtt.AtLeastOnce, Publisher: "p"}
	switch w.rng.IntN(14) {
	case 0:
		b.SetSession(Session{Num: num, ClientID: fmt.Sprint("client", num), Expiry: 3600, Next: w.next[num], Username: fmt.Sprint(w.rng.IntN(9))})
	case 1:
		b.SetSubscription(num, Subscription{Filter: fmt.Sprint("f/", w.rng.IntN(20)), QoS: mqtt.QoS(w.rng.IntN(3))})
	case 2:
		b.DropSubscription(num, fmt.Sprint("f/", w.rng.IntN(20)))
	case 3:
		b.SetNote(num, fmt.Sprint("note", w.rng.IntN(3)), w.payload())
	case 4:
		b.AddInbound(num, uint16(w.rng.IntN(30)))
	case 5:
		b.DropInbound(num, uint16(w.rng.IntN(30)))
	case 6:
		b.SetRetained(&m)
	case 7:
		w.now += int64(w.rng.IntN(1e9))
		b.SetClock(Clock{Now: w.now})
	case 8, 9:
		w.shared(b, &m)
	case 10:
		n := w.rng.IntN(len(w.queue[num]) + 1)
		b.Remove(num, w.queue[num][:n])
		w.queue[num] = w.queue[num][n:]
	default:
		e := Entry{Seq: w.next[num], QoS: 1, Message: m}
		b.Enqueue(num, &e)
		w.queue[num] = append(w.queue[num], Removed{Seq: e.Seq})
		w.next[num]++
	}
}

func (w *writer) shared(b *Batch, m *Message) {
	var nums []uint32
	for num := range w.next {
		nums = append(nums, num)
	}
	slices.Sort(nums)
	w.body++
	b.AddBody(w.body, len(nums), m)
	for _, num := range nums {
		b.Enqueue(num, &Entry{Seq: w.next[num], QoS: 1, Body: w.body})
		w.queue[num] = append(w.queue[num], Removed{Seq: w.next[num], Body: w.body})
		w.next[num]++
	}
}

func (w *writer) payload() []byte {
	b := make([]byte, 1+w.rng.IntN(600))
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return b
}

// A wound is a damaged part of a file.
type wound struct {
	file     string
	from, to int64
}

// hurt damages files at random.
func (p *past) hurt(t testing.TB, rng *rand.Rand) (wounds []wound) {
	names, _ := p.fs.List(testDir)
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "LOCK" })
	for range 1 + rng.IntN(4) {
		name := names[rng.IntN(len(names))]
		path := p.fs.PathJoin(testDir, name)
		b, err := readAll(p.fs, path)
		if err != nil {
			continue // it is gone already
		}
		size := int64(len(b))
		w := wound{file: name, to: size}
		switch kind := rng.IntN(8); {
		case kind == 0 || size == 0:
			p.fs.Remove(path)
			wounds = append(wounds, w)
			continue
		case kind == 1:
			clear(b)
		case kind == 2:
			w.from = rng.Int64N(size)
			b = b[:w.from]
		case kind == 3:
			w.from = rng.Int64N(size)
			w.to = min(size, w.from+1+rng.Int64N(5000))
			clear(b[w.from:w.to])
		default:
			w.from = rng.Int64N(size)
			w.to = w.from + 1
			b[w.from] ^= 1 << rng.IntN(8)
		}
		if err := writeSynced(p.fs, path, b); err != nil {
			t.Fatal("a damaged file is written:", err)
		}
		wounds = append(wounds, w)
	}
	return wounds
}

func readAll(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	if len(b) > 0 {
		_, err = f.ReadAt(b, 0)
	}
	return b, err
}

// safe returns the keys of which nothing stands in a damaged part of a file.
func (p *past) safe(wounds []wound) map[string]bool {
	safe := map[string]bool{}
	for _, r := range p.regions {
		if _, there := p.final[r.key]; there {
			safe[r.key] = true
		}
	}
	for _, r := range p.regions {
		if slices.ContainsFunc(wounds, func(w wound) bool { return w.file == r.file && w.from < r.to && r.from < w.to }) {
			delete(safe, r.key)
		}
	}
	return safe
}

// TestDamagedStoresComeUp damages stores at random. Whatever was done to them, they come up; what stands in undamaged parts is there; nothing is there that never was.
func TestDamagedStoresComeUp(t *testing.T) {
	for seed := range uint64(*damageSeeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			p := newPast(t, rng)
			wounds := p.hurt(t, rng)
			p.check(t, wounds)
			if t.Failed() {
				t.Logf("wounds: %+v", wounds)
			}
		})
	}
}

// TestTablesOfNULsAreSalvagedAtOnce makes NULs of each table in turn: nobody has to start the box twice.
func TestTablesOfNULsAreSalvagedAtOnce(t *testing.T) {
	tables := 0
	for seed := range uint64(4) {
		p := newPast(t, rand.New(rand.NewPCG(seed, 7)))
		l, err := listFiles(p.fs, testDir)
		if err != nil {
			t.Fatal("the directory lists:", err)
		}
		live := (&remains{fs: p.fs, dir: testDir, seen: map[Fault]bool{}}).manifest(l).Live
		for n, size := range live {
			tables++
			fs := p.fs.CrashClone(vfs.CrashCloneCfg{})
			if err := writeSynced(fs, fs.PathJoin(testDir, tableName(n)), make([]byte, size)); err != nil {
				t.Fatal("a damaged file is written:", err)
			}
			s, report, err := OpenOrSalvage(testOptions(fs), Salvage)
			if err != nil {
				t.Fatalf("seed %d: a store with %s full of NULs comes up: %v", seed, tableName(n), err)
			}
			if report == nil || !strings.Contains(report.String(), tableName(n)) {
				t.Errorf("seed %d: the report names %s: %v", seed, tableName(n), report)
			}
			s.Close()
		}
	}
	if tables < 10 {
		t.Errorf("there are tables to damage, and not only %d", tables)
	}
}

// comeUp opens a damaged store as a box does that is started again whenever it fails.
func (p *past) comeUp(t testing.TB) (s *Store, reports []*Report) {
	for range 4 {
		s, report, err := p.run(t)
		if report != nil {
			reports = append(reports, report)
		}
		var damage *DamageError
		switch {
		case err == nil:
			return s, reports
		case !errors.As(err, &damage):
			t.Fatalf("a damaged store comes up, whatever was done to it: %v", err)
		}
	}
	t.Fatal("a damaged store comes up after a few starts")
	return nil, nil
}

// run opens the store and reads and rewrites all of it, which is what a run comes to in the end. An error is damage that was met after opening: the process has ended.
func (p *past) run(t testing.TB) (s *Store, report *Report, err error) {
	o := testOptions(p.fs)
	died := make(chan error, 10)
	o.Fatal = func(err error) { died <- err; select {} }
	type result struct {
		s      *Store
		report *Report
		err    error
	}
	done := make(chan result, 1)
	go func() {
		s, report, err := OpenOrSalvage(o, Salvage)
		if err != nil {
			done <- result{nil, nil, fmt.Errorf("OpenOrSalvage: %w", err)}
			return
		}
		if err := s.scan(nil, nil, func(_, _ []byte) error { return nil }); err != nil {
			s.markDamaged(err)
			died <- err
			return
		}
		done <- result{s, report, errors.Join(s.db.Flush(), s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false))}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatalf("a damaged store comes up, whatever was done to it: %v", r.err)
		}
		return r.s, r.report, nil
	case err := <-died:
		p.fs = p.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		return nil, nil, damageOf(err)
	}
}

// check opens what is left and holds it against what was.
func (p *past) check(t *testing.T, wounds []wound) {
	s, reports := p.comeUp(t)
	defer s.Close()
	got := map[string]string{}
	if err := s.scan(nil, nil, func(key, value []byte) error { got[string(key)] = string(value); return nil }); err != nil {
		t.Fatal("what was salvaged reads:", err)
	}
	for key, value := range got {
		if !ofStore([]byte(key)) && key[0] != kindClock && !p.history[key][value] {
			t.Errorf("nothing is invented: key %x has the value %x, which it never had", key, value)
		}
	}
	safe := p.safe(wounds)
	// Without the list of files, one that was replaced before the power cut counts like the others, and an older value may come out.
	listLost := slices.ContainsFunc(wounds, func(w wound) bool {
		return strings.HasPrefix(w.file, "MANIFEST") || strings.HasPrefix(w.file, "marker.manifest")
	})
	for key := range safe {
		value, there := got[key]
		switch {
		case ofStore([]byte(key)):
		case !there && p.needsOnly(key, safe), there && value != p.final[key] && !listLost:
			t.Errorf("what is in no damaged part is kept: key %x has the value %.20x, want %.20x", key, value, p.final[key])
		}
	}
	b := s.NewBatch()
	b.SetSession(Session{Num: s.LastNum() + 1, ClientID: "new"})
	if err := b.Commit(); err != nil {
		t.Error("the store takes new sessions:", err)
	}
	for _, r := range reports {
		if t.Failed() {
			t.Logf("%v %v", r, r.Faults)
		}
		if r.String() == "" || len(r.Faults) == 0 {
			t.Error("a report tells what was wrong")
		}
	}
}

// needsOnly tells whether all that a key needs to be of use is safe: its session, its body.
func (p *past) needsOnly(key string, safe map[string]bool) bool {
	k := []byte(key)
	switch k[0] {
	case kindFilter, kindInbound, kindNote, kindReceived, kindOwn, kindShared:
		session := append([]byte{kindSession}, k[1:numSize]...)
		if !safe[string(session)] {
			return false
		}
	case kindBody:
		return false // only if an entry has it
	}
	if k[0] == kindShared {
		e, err := decodeShared([]byte(p.final[key]))
		return err == nil && safe[string(appendBody(nil, e.Body))]
	}
	return true
}
