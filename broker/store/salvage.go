package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A salvage makes a new store of what remains of a damaged one. Everything happens within the data directory, since the one above it may belong to somebody
// else, or be another device. The steps, of which each can be taken up again after a power cut:
//
//  1. The new store is made in the directory `salvaging`. If there is one from an earlier try, it goes.
//  2. It is whole: it becomes `salvaged`.
//  3. The damaged files move to `damaged-N`, the first N that is free. It is in the report within `salvaged`.
//  4. They have all moved: `salvaged` becomes `moving-in`.
//  5. Its files move up, the markers last, and `moving-in` goes.
const (
	dirSalvaging = "salvaging"
	dirSalvaged  = "salvaged"
	dirMovingIn  = "moving-in"
	dirDamaged   = "damaged-"
)

// OpenOrSalvage opens the store like Open. If it is damaged and onDamage is Salvage, the damaged files are kept aside, everything readable is carried over
// into a new store, and the report tells what was kept and lost; it is nil when there was nothing to do. With Refuse the error is *DamageError.
//
// A salvage needs as much room on the disk as what is carried over; where there is less, small things come first and the report says so.
func OpenOrSalvage(o Options, onDamage OnDamage) (*Store, *Report, error) {
	report, err := takeUp(o)
	if err != nil {
		return nil, nil, err
	}
	for try := 0; ; try++ {
		s, err := openAndProbe(o)
		var damage *DamageError
		if err == nil || !errors.As(err, &damage) || onDamage != Salvage || try == salvageTries {
			return s, report, err
		}
		report, err = salvage(o, damage, try == salvageTries-1)
		if err != nil {
			return nil, nil, fmt.Errorf("salvage the damaged store in %s: %w", o.Dir, err)
		}
	}
}

// salvageTries is how often a store is salvaged at one start: what comes out of it ought to open. The last try starts with nothing.
const salvageTries = 3

// openAndProbe opens a store and reads what the core reads at its start. A panic of Pebble's over what a file holds is damage.
func openAndProbe(o Options) (s *Store, err error) {
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, &DamageError{Reason: fmt.Sprintf("opening it failed: %v", p)}
		}
	}()
	if s, err = Open(o); err != nil {
		return nil, err
	}
	if err := s.probe(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// probe reads everything that the core reads at its start.
func (s *Store) probe() error {
	var nums []uint32
	_, clockErr := s.Clock()
	err := errors.Join(clockErr,
		s.Sessions(func(x Session) error { nums = append(nums, x.Num); return nil }),
		s.Subscriptions(func(uint32, Subscription) error { return nil }),
		s.Inbound(func(uint32, uint16) error { return nil }),
		s.Received(func(uint32, uint64) error { return nil }),
		s.Notes(func(uint32, string, []byte) error { return nil }),
		s.Retained(func(*Message) error { return nil }))
	for _, num := range nums {
		if err != nil {
			break
		}
		_, _, _, _, err = s.Span(num)
	}
	return err
}

// salvageDir is the store's directory and its file system, as Open would take them.
type salvageDir struct {
	fs   vfs.FS
	dir  string
	opts Options
}

func dirOf(o Options) *salvageDir {
	s := &Store{dir: o.Dir, fs: o.FS}
	s.defaults()
	return &salvageDir{fs: s.fs, dir: s.dir, opts: o}
}

func (d *salvageDir) path(name string) string { return d.fs.PathJoin(d.dir, name) }

func (d *salvageDir) has(name string) bool {
	_, err := d.fs.Stat(d.path(name))
	return err == nil
}

// locked calls f with the directory locked.
func (d *salvageDir) locked(f func() error) error {
	s := &Store{dir: d.dir, fs: d.fs}
	lock, err := s.lock()
	if err != nil {
		return err
	}
	return errors.Join(f(), lock.Close())
}

// takeUp goes on with a salvage that a power cut has ended, from where nothing can be read anew. It returns its report, or nil.
func takeUp(o Options) (report *Report, err error) {
	d := dirOf(o)
	if o.Dir == "" || !d.has(dirSalvaged) && !d.has(dirMovingIn) {
		return nil, nil
	}
	err = d.locked(func() (err error) {
		if !d.has(dirMovingIn) {
			report, err = d.moveOut()
		} else {
			report, _ = loadReport(d.fs, d.path(dirMovingIn))
		}
		return errors.Join(err, d.moveIn())
	})
	if report == nil {
		report, _ = loadReport(d.fs, d.dir) // it moves among the last
	}
	return report, err
}

// salvage makes a new store of a damaged one; an empty one if nothing is to be read.
func salvage(o Options, damage *DamageError, empty bool) (report *Report, err error) {
	d := dirOf(o)
	err = d.locked(func() error {
		err := d.build(damage, empty)
		if errors.Is(err, errPanic) && !empty {
			err = d.build(damage, true) // a box comes up, even if our reading of what it has is at fault
		}
		if err != nil {
			return err
		}
		if report, err = d.moveOut(); err != nil {
			return err
		}
		return d.moveIn()
	})
	return report, err
}

var errPanic = errors.New("reading what remains failed")

// build does steps 1 and 2.
func (d *salvageDir) build(damage *DamageError, empty bool) (err error) {
	defer func() {
		if p := recover(); p != nil && !empty {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	sub := d.path(dirSalvaging)
	if err := d.fs.RemoveAll(sub); err != nil {
		return err
	}
	report := &Report{At: time.Now().UTC().Truncate(time.Second), Dir: d.path(d.freeName())}
	from := &remains{}
	if !empty {
		if from, err = gather(d.fs, d.dir); err != nil {
			return err
		}
	}
	if err := d.fill(sub, from, report); err != nil {
		return err
	}
	report.Blocks, report.Tables = from.blocks, from.missing
	report.Faults = withCause(from.faults, damage)
	if err := report.save(d.fs, sub); err != nil {
		return err
	}
	if err := syncDir(d.fs, sub); err != nil {
		return err
	}
	return d.rename(dirSalvaging, dirSalvaged)
}

// withCause puts what Open complained of first, unless a fault tells of the same file.
func withCause(faults []Fault, damage *DamageError) []Fault {
	for i, f := range faults {
		if f.File == damage.File {
			return append([]Fault{f}, slices.Delete(slices.Clone(faults), i, i+1)...)
		}
	}
	file := damage.File
	if file == "" {
		file = "a file"
	}
	return append([]Fault{{File: file, Reason: damage.Reason}}, faults...)
}

// fill makes a store in sub of what remains.
func (d *salvageDir) fill(sub string, from *remains, report *Report) (err error) {
	s := &Store{dir: sub, fs: d.fs, log: d.opts.Log, fatal: d.opts.Fatal, tune: d.opts.tune}
	s.defaults()
	if err := d.fs.MkdirAll(sub, 0o755); err != nil {
		return err
	}
	s.disk = &disk{FS: s.fs, patience: patience{log: s.log, files: s.fs, dir: s.dir, closing: make(chan struct{})}}
	o := s.pebbleOptions(nil)
	db, err := pebble.Open(sub, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	o.EnsureDefaults()
	to := newFresh(db, o, d.fs, sub, d.room())
	defer to.abort()
	return newCarrier(from, to, report).carry()
}

// roomKept is how much a salvage leaves free for the store to work in.
const roomKept = 16 << 20

// room is how many octets the new store may have. Where the disk does not say, or has a multiple of what is there, there is no bound.
func (d *salvageDir) room() uint64 {
	u, err := d.fs.GetDiskUsage(d.dir)
	if err != nil || u.TotalBytes == 0 || u.AvailBytes > 2*uint64(dirSize(d.fs, d.dir))+roomKept {
		return 0
	}
	if u.AvailBytes < 2*roomKept {
		return max(u.AvailBytes/2, 1)
	}
	return u.AvailBytes - roomKept
}

// freeName is the first damaged-N that is not taken.
func (d *salvageDir) freeName() string {
	for n := 1; ; n++ {
		if name := dirDamaged + strconv.Itoa(n); !d.has(name) {
			return name
		}
	}
}

// moveOut does steps 3 and 4.
func (d *salvageDir) moveOut() (*Report, error) {
	report, err := loadReport(d.fs, d.path(dirSalvaged))
	if err != nil {
		return nil, err
	}
	if err := d.moveAll(d.dir, report.Dir, isStoreFile); err != nil {
		return report, err
	}
	return report, d.rename(dirSalvaged, dirMovingIn)
}

// moveIn does step 5.
func (d *salvageDir) moveIn() error {
	from := d.path(dirMovingIn)
	if err := d.moveAll(from, d.dir, func(name string) bool { return isStoreFile(name) && !isLast(name) }); err != nil {
		return err
	}
	if err := d.moveAll(from, d.dir, isStoreFile); err != nil {
		return err
	}
	if err := d.fs.RemoveAll(from); err != nil {
		return err
	}
	return syncDir(d.fs, d.dir)
}

// isLast tells which files move in last: those by which the others are found.
func isLast(name string) bool { return strings.HasPrefix(name, "marker.") }

// isStoreFile tells whether a file in the data directory is the store's: all but the lock, the ballast and what is not a file of ours.
func isStoreFile(name string) bool {
	return fileNames.MatchString(name) || name == damagedMark || name == reportName || name == "CURRENT" || strings.HasSuffix(name, ".dbtmp") || strings.HasSuffix(name, ".blob")
}

// moveAll moves files from one directory to another, which it makes. A file is in its new place for good before it leaves the old one.
func (d *salvageDir) moveAll(from, to string, which func(name string) bool) error {
	if err := d.fs.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := syncDir(d.fs, d.dir); err != nil {
		return err
	}
	names, err := d.fs.List(from)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !which(name) })
	linked := names[:0:0]
	for _, name := range names {
		old, fresh := d.fs.PathJoin(from, name), d.fs.PathJoin(to, name)
		if err := d.fs.Link(old, fresh); err == nil || errors.Is(err, os.ErrExist) {
			linked = append(linked, name)
		} else if err := d.fs.Rename(old, fresh); err != nil { // a file system without links
			return err
		}
	}
	if err := syncDir(d.fs, to); err != nil {
		return err
	}
	for _, name := range linked {
		if err := d.fs.Remove(d.fs.PathJoin(from, name)); err != nil {
			return err
		}
	}
	return syncDir(d.fs, from)
}

// rename renames a directory within the data directory, synced.
func (d *salvageDir) rename(from, to string) error {
	if err := d.fs.Rename(d.path(from), d.path(to)); err != nil {
		return err
	}
	return syncDir(d.fs, d.dir)
}
