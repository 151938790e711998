package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// OnDamage says what to do about a damaged store.
type OnDamage string

const (
	// Salvage keeps the damaged files aside and carries over into a new store everything in them that reads.
	Salvage OnDamage = "salvage"
	// Refuse leaves everything as it is and returns *DamageError.
	Refuse OnDamage = "refuse"
)

// inspect looks at a store's directory before Pebble opens it, for damage that Pebble would not see or would make worse: it takes a directory without the marker
// that names the manifest for a new one and deletes what is in it; it takes a changed bit anywhere in a manifest, or in the last 32 KB of the last
// log, for the end of the file; and it does not miss a log. Whatever a power cut leaves passes. The error is *DamageError, or the file system's.
//
// A log whose last chunks are gone without a trace (NULs, or a file that ends earlier) looks exactly as after a power cut before they were synced: this can not be seen.
func inspect(fs vfs.FS, dir string) error {
	l, err := listFiles(fs, dir)
	if err != nil {
		return fmt.Errorf("look through the data directory %s: %w", dir, err)
	}
	i := &inspector{remains{fs: fs, dir: dir}}
	if !l.marked {
		return i.unmarked(l)
	}
	f, err := i.open(manifestName(l.manifest))
	if err != nil {
		return err
	}
	defer f.Close()
	state, err := readManifest(f)
	if err != nil {
		return err
	}
	if gap, bad := state.log.damage(true, false); bad {
		return &DamageError{File: manifestName(l.manifest), Reason: gap.String()}
	}
	if !state.Whole {
		return &DamageError{File: manifestName(l.manifest), Reason: "a record of it does not decode"}
	}
	for n := range state.Live {
		if _, there := slices.BinarySearch(l.tables, n); !there {
			return &DamageError{File: tableName(n), Reason: errNoFile.Error()}
		}
		if err := i.table(n); err != nil {
			return err
		}
	}
	return i.logs(l, state)
}

type inspector struct{ remains }

func (i *inspector) open(name string) (vfs.File, error) {
	f, err := i.remains.open(name)
	if errors.Is(err, errNoFile) {
		return nil, &DamageError{File: name, Reason: err.Error()}
	}
	return f, err
}

// unmarked looks at a directory without the marker that names the manifest: a new one, one whose making was cut off, or a damaged one.
func (i *inspector) unmarked(l *files) error {
	if len(l.tables) > 0 {
		return &DamageError{File: "marker.manifest", Reason: "the file is missing, but there are tables"}
	}
	for _, n := range l.logs {
		log, err := i.log(n)
		if err != nil {
			return err
		}
		if log.records > 0 {
			return &DamageError{File: "marker.manifest", Reason: "the file is missing, but there are logs"}
		}
	}
	return nil
}

// table looks at the end of a table: Pebble would find a file of NULs while the broker runs already. A device that does not read it is met by whoever needs the table.
func (i *inspector) table(n uint64) error {
	f, err := i.open(tableName(n))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	t := &table{f: f, size: uint64(info.Size())}
	if _, _, _, err := t.footer(); errors.Is(err, errNotTable) || errors.Is(err, errChecksum) {
		return &DamageError{File: tableName(n), Reason: "its footer: " + err.Error()}
	}
	return nil
}

// An inspectedLog is what inspect has to know of a log.
type inspectedLog struct {
	scan        *logScan
	records     int
	first, next uint64 // sequence numbers: of the first change, and after the last
}

func (i *inspector) log(n uint64) (*inspectedLog, error) {
	f, err := i.open(logName(n))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	log := &inspectedLog{}
	log.scan, err = scanLog(f, uint32(n), func(_ int64, rec []byte) error {
		head, ok := batchrepr.ReadHeader(rec)
		if !ok {
			return &DamageError{File: logName(n), Reason: "a record of it does not decode"}
		}
		if log.records == 0 {
			log.first = uint64(head.SeqNum)
		}
		log.records++
		log.next = uint64(head.SeqNum) + uint64(head.Count)
		return nil
	})
	return log, err
}

// logs looks at the logs that are not in tables.
func (i *inspector) logs(l *files, state *manifestState) error {
	needed := slices.DeleteFunc(slices.Clone(l.logs), func(n uint64) bool { return n < state.MinLog })
	// Pebble writes its options at the end of opening, when a log is there; from then on there always is one.
	if len(needed) == 0 && len(l.options) > 0 && l.options[len(l.options)-1] > l.manifest {
		return &DamageError{File: logName(state.MinLog), Reason: "it is missing, or the one after it"}
	}
	first, next := uint64(0), uint64(0)
	for k, n := range needed {
		log, err := i.log(n)
		if err != nil {
			return err
		}
		if gap, bad := log.scan.damage(false, k < len(needed)-1); bad {
			return &DamageError{File: logName(n), Reason: gap.String()}
		}
		if log.records == 0 {
			continue
		}
		if next > 0 && log.first > next {
			return &DamageError{File: logName(n), Reason: fmt.Sprintf("%d changes before it are missing, and so is a log", log.first-next)}
		}
		if first == 0 {
			first = log.first
		}
		next = log.next
	}
	if n, lost := i.ahead(l, state, first); lost {
		return &DamageError{File: manifestName(l.manifest), Reason: fmt.Sprintf("its end is missing: %s has changes that came after it", tableName(n))}
	}
	return nil
}
