package store

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ofStore reports whether a key is the store's own: its version, its fences, how far numbers were used.
func ofStore(key []byte) bool {
	return bytes.IndexByte([]byte{kindVersion, kindHigh, kindBefore, kindBehind}, key[0]) >= 0
}

// contents is everything in a store but what is its own.
func contents(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := s.scan(nil, nil, func(key, value []byte) error {
		if !ofStore(key) {
			all[string(key)] = string(value)
		}
		return nil
	}); err != nil {
		t.Fatal("the store reads:", err)
	}
	return all
}

// salvaged opens a damaged store and returns what is in it, and the report.
func salvaged(t *testing.T, fs vfs.FS) (map[string]string, *Report) {
	t.Helper()
	s, report, err := OpenOrSalvage(testOptions(fs), Salvage)
	if err != nil {
		t.Fatal("a damaged store comes up:", err)
	}
	defer s.Close()
	return contents(t, s), report
}

// marked is a store of which an earlier run said that it is damaged, although all of it reads, and what is in it.
func marked(t *testing.T) (*vfs.MemFS, map[string]string) {
	t.Helper()
	fs := fullStore(t)
	s := openTest(t, fs)
	all := contents(t, s)
	s.markDamaged(fmt.Errorf("a test says so"))
	if err := s.Close(); err != nil {
		t.Fatal("the store closes:", err)
	}
	return fs, all
}

func TestSalvageKeepsEverythingThatReadsAndTheOldFiles(t *testing.T) {
	fs, want := marked(t)
	got, report := salvaged(t, fs)
	if !maps.Equal(got, want) {
		t.Errorf("everything that reads is kept: %d records, want %d", len(got), len(want))
	}
	if report == nil || report.Kept.Sessions != 7 || report.Lost.total() != 0 || report.Dir != "data/damaged-1" {
		t.Fatalf("the report tells what was kept and lost: %+v", report)
	}
	if text := report.String(); !strings.Contains(text, "DAMAGED: an earlier run met damage: a test says so") || !strings.Contains(text, "kept are 7 sessions") {
		t.Errorf("the report is one sentence with the reason: %s", text)
	}
	if names, err := fs.List("data/damaged-1"); err != nil || len(names) < 4 {
		t.Errorf("the damaged files are kept aside: %v %v", names, err)
	}
	var b bytes.Buffer
	if err := stats(testOptions(fs), &b); err != nil || !strings.Contains(b.String(), " octets in damaged-1, which midge does not need\n") {
		t.Errorf("stats tell whose card fills up what lies aside: %v\n%s", err, b.String())
	}
	if _, report := salvaged(t, fs); report != nil {
		t.Errorf("a store that was salvaged is not salvaged again: %v", report)
	}
}

func TestRefuseLeavesADamagedStoreAlone(t *testing.T) {
	fs, _ := marked(t)
	before, _ := fs.List(testDir)
	_, report, err := OpenOrSalvage(testOptions(fs), Refuse)
	damage, is := err.(*DamageError)
	if !is || report != nil || damage.File != damagedMark || !strings.Contains(damage.Reason, "a test says so") {
		t.Errorf("the error names file and reason: %v", err)
	}
	if after, _ := fs.List(testDir); len(after) != len(before) {
		t.Errorf("nothing is changed: %v, before %v", after, before)
	}
}

// TestSalvageGoesOnAfterAPowerCut cuts a salvage off at many places: the next start ends with all that reads, and with a report or a trace of one.
func TestSalvageGoesOnAfterAPowerCut(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 9))
		fs, want := marked(t)
		type left struct {
			fs      *vfs.MemFS
			percent int
		}
		var cuts []left
		c := &cutFS{MemFS: fs, rng: rng, chance: 0.15, cut: func(fs *vfs.MemFS, percent int) { cuts = append(cuts, left{fs, percent}) }}
		salvaged(t, c)
		if len(cuts) < 10 {
			t.Errorf("seed %d: a salvage is cut at many places, not %d", seed, len(cuts))
		}
		for i, cut := range cuts {
			got, report := salvaged(t, cut.fs)
			if !maps.Equal(got, want) {
				t.Errorf("seed %d, cut %d of %d, %d %% of what was not synced: %d records, want %d", seed, i, len(cuts), cut.percent, len(got), len(want))
			}
			if _, err := loadReport(cut.fs, testDir); report == nil && err != nil {
				t.Errorf("seed %d, cut %d: that it was salvaged is not forgotten: %v", seed, i, err)
			}
		}
	}
}
