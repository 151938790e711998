package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func checked(fs vfs.FS) (string, error) {
	var b bytes.Buffer
	err := check(testOptions(fs), &b)
	return b.String(), err
}

func TestCheckPassesWhatPowerCutsLeave(t *testing.T) {
	for seed := range uint64(20) {
		p := newPast(t, rand.New(rand.NewPCG(seed, 3)))
		if text, err := checked(p.fs); err != nil {
			t.Errorf("seed %d: a power cut is no damage: %v\n%s", seed, err, text)
		}
	}
}

func TestCheckFindsEveryChangedOctet(t *testing.T) {
	fs := fullStore(t)
	s := openTest(t, fs)
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal("the store is flushed:", err)
	}
	if text, err := checked(fs); err != nil || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "no faults in data: 7 sessions") {
		t.Fatalf("a whole store gets one line that sums up: %v\n%s", err, text)
	}
	l, err := listFiles(fs, testDir)
	if err != nil || len(l.tables) == 0 {
		t.Fatal("there is a table:", err)
	}
	last := l.tables[len(l.tables)-1]
	name := fs.PathJoin(testDir, tableName(last))
	whole, err := readAll(fs, name)
	if err != nil {
		t.Fatal("the table reads:", err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		b := bytes.Clone(whole)
		at := rng.IntN(len(b))
		b[at] ^= 1 << rng.IntN(8)
		if err := writeSynced(fs, name, b); err != nil {
			t.Fatal("the table is written:", err)
		}
		text, err := checked(fs)
		if err == nil || !strings.Contains(text, tableName(last)) {
			t.Errorf("a change at octet %d of %d is found, and the file named: %v\n%s", at, len(b), err, text)
		}
	}
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	for _, row := range []struct {
		name string
		kind byte
		want string
	}{
		{"session", kindSession, "its session is missing"},
		{"body", kindBody, " is missing, and "},
	} {
		fs := fullStore(t)
		s := openTest(t, fs)
		var last []byte
		err := s.scanKind(row.kind, func(key, _ []byte) error { last = bytes.Clone(key); return nil })
		if err := errors.Join(err, s.db.Delete(last, pebble.Sync), s.Close()); err != nil {
			t.Fatal("a record is deleted:", err)
		}
		if text, err := checked(fs); err == nil || !strings.Contains(text, row.want) {
			t.Errorf("without a %s Check says %q, not %v\n%s", row.name, row.want, err, text)
		}
	}
}

func TestStatsTellWhatIsThere(t *testing.T) {
	fs := fullStore(t)
	var b bytes.Buffer
	if err := stats(testOptions(fs), &b); err != nil {
		t.Fatal("stats are told:", err)
	}
	for _, want := range []string{"sessions                  7\n", "queue of   messages  octets\n", `"full"     2`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("stats contain %q:\n%s", want, b.String())
		}
	}
}
