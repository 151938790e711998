package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// An origin is the file that a version or a tombstone was found in.
type origin struct {
	name string
	file uint64 // its number; files and logs are numbered in the order in which they are begun
	live bool   // the manifest is whole and names it
	last bool   // it is the last log: nothing in it is in a table
}

// A Fault is something that did not read.
type Fault struct {
	File   string // name within the directory
	Reason string // a phrase
}

func (f Fault) String() string { return f.File + ": " + f.Reason }

// remains is what there is of a store whose Pebble files can not all be trusted: its tables, and what its logs hold in memory.
type remains struct {
	fs       vfs.FS
	dir      string
	tables   []*remainingTable
	logs     []version // by key
	tombs    []tomb    // by start
	faults   []Fault
	blocks   int             // data blocks that did not read
	firstSeq uint64          // of the first change in the logs; 0 = none
	missing  int             // tables that are gone
	seen     map[Fault]bool  // faults, so that each is told once
	quiet    map[string]bool // files whose faults mean nothing
}

// A remainingTable is a table that has blocks which read.
type remainingTable struct {
	origin
	first, last []byte // no key is below or above; last nil = not known
}

// files is a directory by kinds of file.
type files struct {
	tables, logs, manifests, options []uint64
	markers                          []string
	manifest                         uint64 // the one that its marker names
	marked                           bool
	version                          bool // there is a marker with the format version
}

var fileNames = regexp.MustCompile(`^(?:(\d{6,})\.(sst|log)|(MANIFEST|OPTIONS)-(\d{6,})|marker\.(.*))$`)

func listFiles(fs vfs.FS, dir string) (*files, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	l := &files{}
	best := -1
	for _, name := range names {
		m := fileNames.FindStringSubmatch(name)
		switch {
		case m == nil:
		case m[5] != "":
			l.marker(m[5], &best)
		default:
			number, err := strconv.ParseUint(m[1]+m[4], 10, 64)
			if err != nil {
				continue
			}
			kind := map[string]*[]uint64{"sst": &l.tables, "log": &l.logs, "MANIFEST": &l.manifests, "OPTIONS": &l.options}[m[2]+m[3]]
			*kind = append(*kind, number)
		}
	}
	for _, k := range []*[]uint64{&l.tables, &l.logs, &l.manifests, &l.options} {
		slices.Sort(*k)
	}
	return l, nil
}

// marker takes a file's name that is a value: NAME.ITERATION.VALUE, of which the highest iteration counts.
func (l *files) marker(text string, best *int) {
	l.markers = append(l.markers, text)
	name, rest, _ := strings.Cut(text, ".")
	iteration, value, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(iteration)
	if err != nil {
		return
	}
	l.version = l.version || name == "format-version"
	if digits, is := strings.CutPrefix(value, "MANIFEST-"); is && name == "manifest" && n > *best {
		if number, err := strconv.ParseUint(digits, 10, 64); err == nil {
			*best, l.manifest, l.marked = n, number, true
		}
	}
}

func tableName(n uint64) string    { return fmt.Sprintf("%06d.sst", n) }
func logName(n uint64) string      { return fmt.Sprintf("%06d.log", n) }
func manifestName(n uint64) string { return fmt.Sprintf("MANIFEST-%06d", n) }

// gather looks through a store's directory. What does not read is a fault, not an error: an error is the file system's when the directory can not be listed.
func gather(fs vfs.FS, dir string) (*remains, error) {
	r := &remains{fs: fs, dir: dir, seen: map[Fault]bool{}, quiet: map[string]bool{}}
	l, err := listFiles(fs, dir)
	if err != nil {
		return nil, err
	}
	state := r.manifest(l)
	r.gatherLogs(l, state)
	if n, lost := r.ahead(l, state, r.firstSeq); lost && state.Whole {
		r.fault(manifestName(l.manifest), "its end is missing: %s has changes that came after it", tableName(n))
		state.Whole = false
	}
	if state.gone(l) {
		state.Whole = false // perhaps they were replaced, and the manifest's end is missing
	}
	r.gatherTables(l, state)
	slices.SortStableFunc(r.logs, func(a, b version) int { return bytes.Compare(a.Key, b.Key) })
	slices.SortFunc(r.tombs, func(a, b tomb) int { return bytes.Compare(a.Start, b.Start) })
	slices.SortFunc(r.tables, func(a, b *remainingTable) int { return bytes.Compare(a.first, b.first) })
	return r, nil
}

func (r *remains) fault(file, format string, args ...any) {
	f := Fault{File: file, Reason: fmt.Sprintf(format, args...)}
	if !r.seen[f] && !r.quiet[file] {
		r.seen[f] = true
		r.faults = append(r.faults, f)
	}
}

// manifest reads the manifest that counts: the one with the marker, else the last that there is. It returns an empty state, which is not whole, when none reads.
func (r *remains) manifest(l *files) *manifestState {
	tries := slices.Clone(l.manifests)
	slices.Reverse(tries)
	if l.marked {
		tries = slices.Insert(slices.DeleteFunc(tries, func(n uint64) bool { return n == l.manifest }), 0, l.manifest)
	} else {
		r.fault("marker.manifest", "the file is missing")
	}
	for i, n := range tries {
		state, err := r.readManifest(n)
		if err != nil {
			r.fault(manifestName(n), "%v", err)
			continue
		}
		if gap, bad := state.log.damage(true, false); bad {
			r.fault(manifestName(n), "%v", gap)
		}
		if state.Next > 0 {
			state.Whole = state.Whole && (i == 0 && l.marked || !l.marked)
			return state
		}
		r.fault(manifestName(n), "nothing in it reads")
	}
	return &manifestState{}
}

func (r *remains) readManifest(n uint64) (*manifestState, error) {
	f, err := r.open(manifestName(n))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readManifest(f)
}

func (r *remains) open(name string) (vfs.File, error) {
	f, err := r.fs.Open(r.fs.PathJoin(r.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoFile
	}
	return f, err
}

var errNoFile = errors.New("the file is missing")

// openTable opens a table. The file is to be closed.
func (r *remains) openTable(name string) (*table, vfs.File, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return openTable(f, info.Size()), f, nil
}

// ahead looks for a table that the manifest does not know although it must: changes in it are neither in tables that the manifest knows nor in the logs, whose
// first change is given (0 = none). Then the end of the manifest is lost. A power cut leaves tables that it does not know, too, but then what is in them is also
// where it was before.
func (r *remains) ahead(l *files, state *manifestState, logs uint64) (table uint64, found bool) {
	for _, n := range l.tables {
		if _, live := state.Live[n]; live || state.Dead[n] || n < l.manifest {
			continue // one that was begun before the manifest and is not in it was replaced before
		}
		t, f, err := r.openTable(tableName(n))
		if err != nil {
			continue
		}
		low, high := t.seqs()
		f.Close()
		if high > state.MaxSeq && (logs == 0 || low < logs) {
			return n, true
		}
	}
	return 0, false
}

// gone tells whether a table that the manifest knows is not there.
func (m *manifestState) gone(l *files) bool {
	for n := range m.Live {
		if _, there := slices.BinarySearch(l.tables, n); !there {
			return true
		}
	}
	return false
}

// gatherTables looks at the tables that the manifest knows, and at those that it says nothing of, if they were begun later than it: the edits about them may be lost.
// If it is not whole, it looks at every table but those that the manifest says were replaced.
func (r *remains) gatherTables(l *files, state *manifestState) {
	for _, n := range l.tables {
		_, live := state.Live[n]
		if live || !state.Dead[n] && (!state.Whole || n > l.manifest) {
			r.quiet[tableName(n)] = !live && state.Whole // a power cut leaves tables half written
			r.gatherTable(&remainingTable{origin: origin{name: tableName(n), file: n, live: live && state.Whole}})
		}
	}
	for n, size := range state.Live {
		if _, there := slices.BinarySearch(l.tables, n); !there {
			r.missing++
			r.fault(tableName(n), "the file is missing (%d octets)", size)
		}
	}
}

func (r *remains) gatherTable(rt *remainingTable) {
	t, f, err := r.openTable(rt.name)
	if err != nil {
		r.fault(rt.name, "%v", err)
		return
	}
	defer f.Close()
	for _, text := range t.faults {
		r.fault(rt.name, "%s", text)
	}
	for _, x := range t.tombs {
		x.src = &rt.origin
		r.tombs = append(r.tombs, x)
	}
	for _, h := range t.data {
		if vs := r.versions(rt, t, h); len(vs) > 0 {
			rt.first = vs[0].Key
			rt.last = t.data[len(t.data)-1].Last
			r.tables = append(r.tables, rt)
			return
		}
	}
}

// versions reads a data block; nil when it does not read.
func (r *remains) versions(rt *remainingTable, t *table, h handle) []version {
	b, err := t.block(h)
	if err == nil {
		var vs []version
		if vs, err = versions(b, &rt.origin); err == nil {
			return vs
		}
	}
	before := len(r.faults)
	r.fault(rt.name, "the block in %v: %v", h, err)
	r.blocks += len(r.faults) - before
	return nil
}

// gatherLogs reads every log that is not in tables.
func (r *remains) gatherLogs(l *files, state *manifestState) {
	logs := slices.DeleteFunc(slices.Clone(l.logs), func(n uint64) bool { return n < state.MinLog })
	for i, n := range logs {
		last := i == len(logs)-1
		src := &origin{name: logName(n), file: n, live: state.Whole, last: last}
		if err := r.gatherLog(src, !last); err != nil {
			r.fault(src.name, "%v", err)
		}
	}
}

func (r *remains) gatherLog(src *origin, strict bool) error {
	f, err := r.open(src.name)
	if err != nil {
		return err
	}
	defer f.Close()
	scan, err := scanLog(f, uint32(src.file), func(off int64, rec []byte) error {
		if !r.addRecord(src, rec) {
			r.fault(src.name, "the record at octet %d does not decode", off)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if gap, bad := scan.damage(false, strict); bad {
		r.fault(src.name, "%v", gap)
	}
	return nil
}

// addRecord adds what a record of a log, which is a batch, holds. It returns false when not all of it decodes.
func (r *remains) addRecord(src *origin, rec []byte) (whole bool) {
	defer func() {
		if recover() != nil {
			whole = false // Pebble's reader of batches panics on some octets
		}
	}()
	head, ok := batchrepr.ReadHeader(rec)
	if !ok {
		return false
	}
	rec = bytes.Clone(rec)
	count, seq := 0, uint64(head.SeqNum)
	if r.firstSeq == 0 || seq < r.firstSeq {
		r.firstSeq = seq
	}
	for batch := batchrepr.Read(rec); ; seq++ {
		kind, key, value, ok, err := batch.Next()
		if !ok {
			return err == nil && count == int(head.Count)
		}
		count++
		switch kind {
		case pebble.InternalKeyKindLogData:
			seq-- // takes no number, and does not count
			count--
		case pebble.InternalKeyKindRangeDelete:
			r.tombs = append(r.tombs, tomb{Start: key, End: value, Seq: seq, src: src})
		default:
			r.logs = append(r.logs, version{Key: key, Seq: seq, Kind: kind, Value: value, src: src})
		}
	}
}

// size is how many octets the directory's files have.
func dirSize(fs vfs.FS, dir string) (total int64) {
	names, _ := fs.List(dir)
	for _, name := range names {
		if info, err := fs.Stat(fs.PathJoin(dir, name)); err == nil && !info.IsDir() {
			total += info.Size()
		}
	}
	return total
}

// byNewest orders versions of one key, the newest first, and those whose order is not told by their numbers by their files.
func byNewest(a, b version) int {
	return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(b.src.file, a.src.file))
}
