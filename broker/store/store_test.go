package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// open opens a store on fs and fails the test when that fails, or when the store gives up.
func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: "data", FS: fs, Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal("open:", err)
	}
	return s
}

// commit commits what f puts into a batch.
func commit(t testing.TB, s *Store, f func(b *Batch)) {
	t.Helper()
	b := s.NewBatch()
	f(b)
	if err := b.Commit(); err != nil {
		t.Fatal("commit:", err)
	}
	if !b.Empty() {
		t.Error("a batch is not empty after Commit")
	}
}

// dump is all that a store holds, as text: one line a record, in key order.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	check := func(err error) {
		if err != nil {
			t.Fatal("dump:", err)
		}
	}
	entries := make([]Entry, 1000)
	check(s.Sessions(func(x Session) error {
		fmt.Fprintf(&b, "session %d: %s\n", x.Num, text(x))
		n, err := s.Read(x.Num, 0, entries, 1<<30)
		check(err)
		for _, e := range entries[:n] {
			fmt.Fprintf(&b, "  entry %d total=%d qos=%d body=%d %s: %s\n", e.Seq, e.Total, e.QoS, e.Body, e.Message.Topic, e.Message.Payload)
		}
		return nil
	}))
	check(s.Subscriptions(func(num uint32, x Subscription) error {
		fmt.Fprintf(&b, "subscription %d: %s\n", num, text(x))
		return nil
	}))
	check(s.Inbound(func(num uint32, id uint16) error { fmt.Fprintf(&b, "inbound %d: %d\n", num, id); return nil }))
	check(s.Received(func(num uint32, seq uint64) error { fmt.Fprintf(&b, "received %d: %d\n", num, seq); return nil }))
	check(s.Notes(func(num uint32, name string, v []byte) error {
		fmt.Fprintf(&b, "note %d %s: %q\n", num, name, v)
		return nil
	}))
	check(s.Retained(func(m *Message) error { fmt.Fprintf(&b, "retained %s: %s\n", m.Topic, m.Payload); return nil }))
	c, err := s.Clock()
	check(err)
	if c != (Clock{}) {
		fmt.Fprintf(&b, "clock %v\n", c)
	}
	check(s.scanKind(kindBody, func(key, _ []byte) error {
		number, err := cutBody(key)
		fmt.Fprintf(&b, "body %d\n", number)
		return err
	}))
	return b.String()
}

func text(v any) string { return strings.TrimSpace(fmt.Sprintf("%+v", v)) }

func TestDirectoryThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: file})
	if want := "the data directory " + file + " is no directory"; err == nil || err.Error() != want {
		t.Errorf("a file in the place of the directory is one sentence: %q, want %q", err, want)
	}
}

func TestSecondStoreInOneDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Dir: dir})
	if want := "the data directory " + dir + " is in use by another midge"; !errors.Is(err, ErrLocked) || err.Error() != want {
		t.Errorf("a second Open says %q, want %q", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal("a closed store can be opened again:", err)
	}
	s.Close()
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: name})
	if d := new(DamageError); err == nil || errors.As(err, &d) || !strings.Contains(err.Error(), name) {
		t.Errorf("a directory that cannot be made is no damage and is named: %v", err)
	}
}

func TestCommitAfterClose(t *testing.T) {
	s := open(t, vfs.NewMem())
	b := s.NewBatch()
	session(b, 1)
	s.Close()
	if err := b.Commit(); !errors.Is(err, pebble.ErrClosed) {
		t.Errorf("a commit after Close fails, and nothing worse: %v", err)
	}
}

func TestInMemory(t *testing.T) {
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commit(t, s, func(b *Batch) { b.SetRetained(message("a", "1")) })
	if got := dump(t, s); got != "retained a: 1\n" {
		t.Error("a store in memory holds what was committed:", got)
	}
}

func TestVersions(t *testing.T) {
	for _, r := range []struct {
		what  string
		value []byte
		newer bool
	}{{"a later version", []byte{Version + 1}, true}, {"an earlier version than the first", []byte{0}, false}, {"no number", []byte{0x80}, false}} {
		fs := vfs.NewMem()
		s := open(t, fs)
		s.db.Set(keyVersion, r.value, pebble.Sync)
		s.Close()
		_, err := Open(Options{Dir: "data", FS: fs})
		newer, damage := new(NewerError), new(DamageError)
		if errors.As(err, &newer) != r.newer || errors.As(err, &damage) == r.newer {
			t.Errorf("%s: got %v", r.what, err)
		}
	}
}

func TestStoreWithoutVersionIsDamaged(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) { session(b, 1) })
	s.db.Delete(keyVersion, pebble.Sync)
	s.Close()
	_, err := Open(Options{Dir: "data", FS: fs})
	if d := new(DamageError); !errors.As(err, &d) {
		t.Errorf("records without a version are damage: got %v", err)
	}
}

func TestDamageMetWhileReadingIsRemembered(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	commit(t, s, func(b *Batch) { session(b, 1); b.Enqueue(1, own(1, "x")) })
	s.db.Set(appendSeq(nil, kindOwn, 1, 1), []byte{0xFF}, pebble.Sync)
	_, err := s.Read(1, 0, make([]Entry, 1), 100)
	if d := new(DamageError); !errors.As(err, &d) {
		t.Fatalf("an entry that makes no sense is damage: got %v", err)
	}
	s.Close()
	_, err = Open(Options{Dir: "data", FS: fs})
	if d := new(DamageError); !errors.As(err, &d) || d.File != "DAMAGED" || !strings.Contains(d.Reason, "key 71000000010000000000000001") {
		t.Errorf("the next Open tells it: got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commit(t, s, func(b *Batch) { b.SetNote(1, "n", bytes.Repeat([]byte("x"), 10_000)) })
	m := s.Metrics()
	var classes uint64
	for _, n := range m.CommitTimes {
		classes += n
	}
	if m.Commits != 1 || classes != 1 || m.CommitTime <= 0 {
		t.Errorf("one commit is one commit: %+v", m)
	}
	if m.LogBytes < 10_000 || m.UsedBytes == 0 || m.FreeBytes == 0 || m.DeviceBytes < m.FreeBytes {
		t.Errorf("octets are counted: %+v", m)
	}
}
