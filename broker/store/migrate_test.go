package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// upperTopics is a made-up step from 0 to 1: it writes retained topics in capitals, under new keys.
func upperTopics(key, value []byte, b *pebble.Batch) error {
	upper := []byte("t" + strings.ToUpper(string(key[1:])))
	if key[0] != kindRetained || string(upper) == string(key) {
		return nil
	}
	return errors.Join(b.Set(upper, value, nil), b.Delete(key, nil))
}

// oldStore has n retained messages of 10 KB in format 0.
func oldStore(t *testing.T, n int) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := openTest(t, fs)
	for i := range n {
		b := s.NewBatch()
		b.SetRetained(&Message{Topic: fmt.Sprintf("topic/%03d", i), Payload: make([]byte, 10_000)})
		if err := b.Commit(); err != nil {
			t.Fatal("a batch commits:", err)
		}
	}
	if err := s.db.Set(keyVersion, []byte{0}, pebble.Sync); err != nil {
		t.Fatal("the version is put back:", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal("the store closes:", err)
	}
	return fs
}

func openTest(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(testOptions(fs))
	if err != nil {
		t.Fatal("the store opens:", err)
	}
	return s
}

func (s *Store) topics(t *testing.T) (small, capital int) {
	t.Helper()
	if err := s.Retained(func(m *Message) error {
		if m.Topic == strings.ToUpper(m.Topic) {
			capital++
		} else {
			small++
		}
		return nil
	}); err != nil {
		t.Fatal("retained messages read:", err)
	}
	return small, capital
}

func TestAnOlderStoreIsMigrated(t *testing.T) {
	fs := oldStore(t, 300)
	o := testOptions(fs)
	o.steps = steps{0: upperTopics}
	s, err := Open(o)
	if err != nil {
		t.Fatal("a store of format 0 opens with a step to 1:", err)
	}
	defer s.Close()
	if small, capital := s.topics(t); small != 0 || capital != 300 {
		t.Errorf("the step changes every record: %d old ones, %d new ones", small, capital)
	}
	if v, err := s.number(keyVersion); v != Version || err != nil {
		t.Errorf("the store has the new version, not %d (%v)", v, err)
	}
	if p, err := s.get(keyProgress); p != nil || err != nil {
		t.Errorf("nothing of the step is left behind, but %x (%v)", p, err)
	}
}

func TestMigrationGoesOnAfterAPowerCut(t *testing.T) {
	cut := errors.New("power cut")
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 2))
		fs := oldStore(t, 300)
		for starts := 0; ; starts++ {
			o := testOptions(fs)
			left := 50 + rng.IntN(250)
			o.steps = steps{0: func(key, value []byte, b *pebble.Batch) error {
				if left == 0 {
					return cut
				}
				left--
				return upperTopics(key, value, b)
			}}
			s, err := Open(o)
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			if err == nil {
				s.Close()
				break
			}
			if !errors.Is(err, cut) || starts > 50 {
				t.Fatalf("seed %d: a migration ends after some power cuts, but after %d: %v", seed, starts, err)
			}
		}
		s := openTest(t, fs)
		if small, capital := s.topics(t); small != 0 || capital != 300 {
			t.Errorf("seed %d: after power cuts every record is as the step makes it: %d old ones, %d new ones", seed, small, capital)
		}
		s.Close()
	}
}

func TestFormatsWithoutAStepAreRefused(t *testing.T) {
	fs := oldStore(t, 1)
	var damage *DamageError
	if _, err := Open(testOptions(fs)); !errors.As(err, &damage) {
		t.Errorf("a format that never was is damage, not %v", err)
	}
	o := testOptions(fs)
	o.steps = steps{0: upperTopics}
	s, err := Open(o)
	if err != nil {
		t.Fatal("the store opens:", err)
	}
	if err := s.db.Set(keyVersion, []byte{Version + 1}, pebble.Sync); err != nil {
		t.Fatal("the version is raised:", err)
	}
	s.Close()
	var newer *NewerError
	if _, _, err := OpenOrSalvage(testOptions(fs), Salvage); !errors.As(err, &newer) {
		t.Errorf("a newer format is refused and not salvaged: %v", err)
	}
}
