package store

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// ErrLocked is what Open's error is when another process, or another Store of this one, has the directory.
var ErrLocked = errors.New("the store is in use")

// A lockedError is ErrLocked in one sentence that names the directory.
type lockedError struct{ dir string }

func (e *lockedError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by another midge", e.dir)
}
func (e *lockedError) Is(target error) bool { return target == ErrLocked }

// A NewerError says that the store was written by a later Midge, in a format that this one does not know.
type NewerError struct {
	Dir         string
	Found, Know uint64 // format versions
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("the store in %s has format %d; this midge knows formats up to %d: use the midge that wrote it, or a later one", e.Dir, e.Found, e.Know)
}

// A DamageError says that what is on disk is not what was written there.
type DamageError struct {
	File   string // its name within the directory; "" when it is not known
	Reason string // a phrase
	Err    error  // what Pebble said; nil when a key or value did not make sense
}

func (e *DamageError) Error() string {
	if e.File == "" {
		return "the store is damaged: " + e.Reason
	}
	return "the store is damaged: " + e.File + ": " + e.Reason
}

func (e *DamageError) Unwrap() error { return e.Err }

// damaged makes a DamageError of an error of Pebble's that says that octets are not as they were written. Others it returns as they are.
func damaged(err error) error {
	var d *DamageError
	if err == nil || errors.As(err, &d) || !pebble.IsCorruptionError(err) {
		return err
	}
	return damageOf(err)
}

// damagedAtOpen is damaged for errors of opening. There, whatever does not come from the operating system comes from what the files hold, and a file
// that the others name and that is not there is damage as well.
func damagedAtOpen(err error) error {
	var number syscall.Errno
	var d *DamageError
	switch {
	case err == nil, errors.As(err, &d):
		return err
	case pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist):
		return damageOf(err)
	case errors.As(err, &number), errors.Is(err, fs.ErrPermission):
		return err
	}
	return damageOf(err)
}

// reasonMax is how much is told of what a damaged file holds.
const reasonMax = 300

func damageOf(err error) error {
	reason, _, _ := strings.Cut(err.Error(), "\n") // what comes after is Pebble's for its developers
	file := storeFile.FindString(reason)
	if len(reason) > reasonMax {
		reason = strings.ToValidUTF8(reason[:reasonMax], "") + " …"
	}
	return &DamageError{File: file, Reason: reason, Err: err}
}

// storeFile finds the name of a file of Pebble's in a text.
var storeFile = regexp.MustCompile(`\d{6,}\.(sst|log|blob)|(MANIFEST|OPTIONS)-\d+|marker\.[a-z-]+(\.[0-9A-Za-z-]+)*`)

// damagedKey says that a key, or the value under it, does not make sense.
func damagedKey(key []byte, err error) error {
	return &DamageError{Reason: fmt.Sprintf("the record under key %x: %v", key, err)}
}
