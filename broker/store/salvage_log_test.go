package store

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// logFile is a log in memory, as Pebble writes it when each record is synced, and where each record ends.
func logFile(t testing.TB, num uint32, sizes ...int) (b []byte, ends []int64) {
	t.Helper()
	var buf syncBuffer
	w := newLog(record.NewLogWriter, &buf, num)
	for i, size := range sizes {
		var synced sync.WaitGroup
		synced.Add(1)
		var err error
		end, err2 := w.SyncRecord(bytes.Repeat([]byte{byte(i + 1)}, size), &synced, &err)
		synced.Wait()
		if err != nil || err2 != nil {
			t.Fatal("a record is written:", err, err2)
		}
		ends = append(ends, end)
	}
	if err := w.Close(); err != nil {
		t.Fatal("the log is closed:", err)
	}
	return buf.Bytes(), ends
}

// newLog gives the number the type that Pebble does not let others name.
func newLog[N ~uint64](make func(io.Writer, N, record.LogWriterConfig) *record.LogWriter, w io.Writer, num uint32) *record.LogWriter {
	return make(w, N(num), record.LogWriterConfig{
		WriteWALSyncOffsets: func() bool { return true },
		WALFsyncLatency:     prometheus.NewHistogram(prometheus.HistogramOpts{}), // without it Pebble does not note what is synced
	})
}

type syncBuffer struct{ bytes.Buffer }

func (*syncBuffer) Sync() error  { return nil }
func (*syncBuffer) Close() error { return nil }

// scanned returns which records read, by their first octet.
func scanned(t testing.TB, b []byte, num uint32) (records []byte, scan *logScan) {
	t.Helper()
	scan, err := scanLog(bytes.NewReader(b), num, func(_ int64, rec []byte) error {
		if len(rec) == 0 || !bytes.Equal(rec, bytes.Repeat(rec[:1], len(rec))) {
			t.Errorf("a record comes out as it was written, not as %.40x", rec)
		}
		records = append(records, rec[0])
		return nil
	})
	if err != nil {
		t.Fatal("whatever a log holds is no error:", err)
	}
	return records, scan
}

func TestScanLogReadsWhatPebbleWrites(t *testing.T) {
	b, _ := logFile(t, 7, 1, 100, 40_000, 32*1024, 100_000, 5)
	records, scan := scanned(t, b, 7)
	if !bytes.Equal(records, []byte{1, 2, 3, 4, 5, 6}) || len(scan.Gaps) > 0 || !scan.Closed {
		t.Errorf("a whole log gives its records and no gap: %v %+v", records, scan)
	}
	if records, scan := scanned(t, b, 8); len(records) > 0 || scan.Closed {
		t.Errorf("chunks of another log are not this one's: %v", records)
	}
}

func TestScanLogLosesOnlyWhatIsDamaged(t *testing.T) {
	sizes := slices.Repeat([]int{300}, 400)
	whole, ends := logFile(t, 7, sizes...)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := bytes.Clone(whole)
		at := ends[rng.IntN(len(sizes)-unsyncedMax-2)] - 1 - rng.Int64N(300)
		b[at] ^= 1 << rng.IntN(8)
		records, scan := scanned(t, b, 7)
		if len(records) < len(sizes)-1 {
			t.Errorf("a changed bit at octet %d takes away one record, not %d", at, len(sizes)-len(records))
		}
		if _, bad := scan.damage(false, false); !bad {
			t.Errorf("a changed bit at octet %d is damage: %+v", at, scan)
		}
	}
}

func TestACutLogIsNotDamaged(t *testing.T) {
	whole, _ := logFile(t, 7, 300, 5000, 300, 60_000, 300)
	old, _ := logFile(t, 3, slices.Repeat([]int{500}, 200)...)
	for cut := 0; cut < len(whole); cut += 211 {
		recycled := append(bytes.Clone(whole[:cut]), old[min(cut, len(old)):]...)
		for name, b := range map[string][]byte{"nothing": whole[:cut], "NULs": append(bytes.Clone(whole[:cut]), make([]byte, 5000)...), "an older log": recycled} {
			_, scan := scanned(t, b, 7)
			if gap, bad := scan.damage(false, false); bad {
				t.Errorf("a log that a power cut ended at octet %d, with %s behind it, is not damaged: %v", cut, name, gap)
			}
		}
	}
}

func TestAChangedBitInTheLastRecordIsDamage(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	defer s.Close()
	b := s.NewBatch()
	b.SetSession(Session{Num: 1, ClientID: "valve7", Username: strings.Repeat("u", 80)})
	var buf syncBuffer
	w := newLog(record.NewLogWriter, &buf, 7)
	begin, err := w.WriteRecord(b.b.Repr())
	if err != nil {
		t.Fatal("a record is written:", err)
	}
	end, err := w.WriteRecord(b.b.Repr())
	if err != nil || w.Close() != nil {
		t.Fatal("a record is written:", err)
	}
	whole := buf.Bytes()[:end] // as it is before the log is closed
	for at := int(begin); at < len(whole); at++ {
		for bit := range 8 {
			if at == int(begin)+6 && bit < 3 {
				continue // the kind becomes that of another chunk of a record
			}
			b := bytes.Clone(whole)
			b[at] ^= 1 << bit
			scan, err := scanLog(bytes.NewReader(b), 7, func(int64, []byte) error { return nil })
			if err != nil {
				t.Fatal("whatever a log holds is no error:", err)
			}
			if _, bad := scan.damage(false, false); !bad {
				t.Errorf("a change of bit %d in octet %d of the last chunk is found", bit, at-int(begin))
			}
		}
	}
}

func TestMatchesFindsBlocksAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 50_000)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	for _, want := range []handle{{Off: 17, Len: 1}, {Off: 100, Len: 4096}, {Off: 9000, Len: 33_000}} {
		end := want.Off + want.Len
		b[end] = 1
		c := checksum(b[want.Off : end+1])
		copy(b[end+1:], []byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24)})
		if !slices.ContainsFunc(matches(b), func(h handle) bool { return h.Off == want.Off && h.Len == want.Len }) {
			t.Errorf("the block at %d of %d octets is found", want.Off, want.Len)
		}
	}
}

func FuzzScanLog(f *testing.F) {
	b, _ := logFile(f, 7, 300, 5000, 40_000)
	f.Add(b, uint32(7))
	f.Add(b[:100], uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, num uint32) {
		read := 0
		scan, err := scanLog(bytes.NewReader(b), num, func(_ int64, rec []byte) error { read += len(rec); return nil })
		if err != nil || read > len(b) || scan.End > int64(len(b)) {
			t.Errorf("a scan ends within its file: %v %d %+v", err, read, scan)
		}
		if _, err := readManifest(bytes.NewReader(b)); err != nil {
			t.Error("whatever a manifest holds is no error:", err)
		}
		for _, gap := range scan.Gaps {
			_ = fmt.Sprint(gap)
		}
	})
}

func FuzzTable(f *testing.F) {
	p := newPast(f, rand.New(rand.NewPCG(1, 1)))
	l, _ := listFiles(p.fs, testDir)
	for _, n := range l.tables {
		if b, err := readAll(p.fs, p.fs.PathJoin(testDir, tableName(n))); err == nil && len(b) < 10_000 {
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		table := openTable(bytes.NewReader(b), int64(len(b)))
		for _, h := range table.data {
			if u, err := table.block(h); err == nil {
				versions(u, nil)
			}
		}
	})
}
