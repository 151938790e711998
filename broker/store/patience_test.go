package store

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A fullFS says now and then that there is no room, after having written a part. While stuck is set it always does.
type fullFS struct {
	*vfs.MemFS
	mu     sync.Mutex
	rng    *rand.Rand
	chance float64
	stuck  bool
	said   int
}

func (f *fullFS) room() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stuck || f.rng.Float64() < f.chance {
		f.said++
		return &os.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	return nil
}

func (f *fullFS) set(stuck bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stuck = stuck
}

func (f *fullFS) file(open func() (vfs.File, error)) (vfs.File, error) {
	if err := f.room(); err != nil {
		return nil, err
	}
	g, err := open()
	if err != nil {
		return nil, err
	}
	return &fullFile{g, f}, nil
}

func (f *fullFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.MemFS.Create(name, category) })
}

func (f *fullFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.MemFS.ReuseForWrite(old, name, category) })
}

func (f *fullFS) Rename(old, name string) error {
	if err := f.room(); err != nil {
		return err
	}
	return f.MemFS.Rename(old, name)
}

type fullFile struct {
	vfs.File
	fs *fullFS
}

func (f *fullFile) Write(b []byte) (int, error) {
	if err := f.fs.room(); err != nil {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, err
	}
	return f.File.Write(b)
}

// TestRoomComesAndGoes runs a random load on a disk that is full again and again: nothing fails, nothing is lost, nothing is written twice.
func TestRoomComesAndGoes(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			fs := &fullFS{MemFS: vfs.NewMem(), rng: rand.New(rand.NewPCG(seed, 1))}
			options := Options{Dir: "data", FS: fs, tune: small, Fatal: func(err error) { panic(err) }}
			s, err := Open(options)
			if err != nil {
				t.Fatal(err)
			}
			fs.chance = 0.03
			m := newModel(rand.New(rand.NewPCG(seed, 2)))
			b := s.NewBatch()
			for range 200 {
				for range 1 + m.rng.IntN(6) {
					m.change(b)
				}
				if err := b.Commit(); err != nil {
					t.Fatalf("seed %d: a commit waits for room and does not fail: %v", seed, err)
				}
			}
			if fs.said == 0 || !s.Full() {
				t.Errorf("seed %d: the disk was full %d times, Full says %v", seed, fs.said, s.Full())
			}
			fs.mu.Lock()
			fs.chance = 0
			fs.mu.Unlock()
			if got := dump(t, s); got != m.text() {
				t.Errorf("seed %d: the store holds\n%s\nwant\n%s", seed, got, m.text())
			}
			s.Close()
			s = open(t, fs)
			if got := dump(t, s); got != m.text() {
				t.Errorf("seed %d: opened again, the store holds\n%s\nwant\n%s", seed, got, m.text())
			}
			s.Close()
		})
	}
}

// TestCloseWhileWaiting closes a store whose commit waits for room: Close ends, the commit fails, and what was committed before is there.
func TestCloseWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := &fullFS{MemFS: vfs.NewMem(), rng: rand.New(rand.NewPCG(1, 1))}
		s := open(t, fs)
		commit(t, s, func(b *Batch) { session(b, 1); b.SetNote(1, "n", []byte("kept")) })
		before := dump(t, s)
		fs.set(true)
		done := make(chan error)
		go func() {
			b := s.NewBatch()
			b.SetNote(1, "n", []byte("lost"))
			done <- b.Commit()
		}()
		time.Sleep(time.Hour)
		select {
		case err := <-done:
			t.Fatalf("a commit waits as long as there is no room: it returned %v", err)
		default:
		}
		if !s.Full() {
			t.Error("while somebody waits the disk is full")
		}
		if err := s.Close(); err != nil {
			t.Error("Close of a store that waits:", err)
		}
		if err := <-done; !errors.Is(err, errDead) {
			t.Errorf("the commit that waited fails: %v", err)
		}
		fs.set(false)
		s = open(t, fs)
		if got := dump(t, s); got != before {
			t.Errorf("opened again, the store holds\n%swant\n%s", got, before)
		}
		s.Close()
	})
}

// TestOpenWithoutRoom opens a store on a full disk: that is an error and no damage.
func TestOpenWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := &fullFS{MemFS: vfs.NewMem(), rng: rand.New(rand.NewPCG(1, 1)), stuck: true}
		_, err := Open(Options{Dir: "data", FS: fs})
		if d := new(DamageError); !vfs.IsNoSpaceError(err) || errors.As(err, &d) {
			t.Errorf("got %v", err)
		}
	})
}

// A brokenFS cannot sync the log any more.
type brokenFS struct{ *vfs.MemFS }

func (f brokenFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	g, err := f.MemFS.Create(name, category)
	if err != nil || filepath.Ext(name) != ".log" {
		return g, err
	}
	return brokenFile{g}, nil
}

type brokenFile struct{ vfs.File }

func (brokenFile) Sync() error     { return &os.PathError{Op: "sync", Err: syscall.EIO} }
func (brokenFile) SyncData() error { return &os.PathError{Op: "sync", Err: syscall.EIO} }

// TestSyncThatFails has the disk fail under a commit: the program is told, and the commit does not succeed.
func TestSyncThatFails(t *testing.T) {
	mem := vfs.NewMem()
	open(t, mem).Close()
	told := make(chan error, 1)
	s, err := Open(Options{Dir: "data", FS: brokenFS{mem}, Fatal: func(err error) {
		told <- err
		runtime.Goexit()
	}})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := s.NewBatch()
		session(b, 1)
		t.Error("the commit returned:", b.Commit())
	}()
	err = <-told
	if want := "the disk under data failed; "; !strings.HasPrefix(err.Error(), want) || !errors.Is(err, syscall.EIO) && !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("the sentence is %q", err)
	}
}

// TestRemovedEntriesGiveBackTheirRoom drains many queues and then only calls CheckSpace.
func TestRemovedEntriesGiveBackTheirRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		const n, sessions = 80_000, 200
		fill(t, s, n, sessions)
		full := s.Metrics().UsedBytes
		drain(t, s, n, sessions)
		for range 60 {
			time.Sleep(time.Second)
			s.CheckSpace()
		}
		synctest.Wait()
		if left := s.Metrics().UsedBytes; left > full/4 {
			t.Errorf("of %d octets %d are still taken when nothing is queued any more", full, left)
		}
	})
}

// A smallDisk is a real file system of 64 MB.
type smallDisk struct {
	t      *testing.T
	dir    string
	filler string
}

func newSmallDisk(t *testing.T) *smallDisk {
	dir := t.TempDir()
	if err := mountTmpfs(dir, "64m"); err != nil {
		t.Skip("a small file system can only be mounted by root:", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error("unmount:", err)
		}
	})
	return &smallDisk{t, dir, filepath.Join(dir, "filler")}
}

// fill takes all the room that is left, to the last octet.
func (d *smallDisk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.filler, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func (d *smallDisk) free() {
	if err := os.Remove(d.filler); err != nil {
		d.t.Fatal(err)
	}
}

func (d *smallDisk) open() *Store {
	d.t.Helper()
	s, err := Open(Options{Dir: filepath.Join(d.dir, "data"), Fatal: func(err error) { panic(err) }, tune: soon})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// until waits until f, which is asked often, says so. The disk is a real one, and so is the time.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !f() {
		select {
		case <-deadline:
			t.Fatal("not within 30 s:", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestDiskFilledToTheLastOctet fills a real disk beside the store: removing goes on with what the ballast gave, adding waits, and both recover.
func TestDiskFilledToTheLastOctet(t *testing.T) {
	d := newSmallDisk(t)
	s := d.open()
	const n = 60_000
	fill(t, s, n, 1) // about 18 MB
	if s.CheckSpace() {
		t.Error("with half of the disk free it is not full")
	}
	d.fill()
	if !s.CheckSpace() || !s.Full() {
		t.Error("a disk without a free octet is full")
	}
	drain(t, s, n-benchBatch, 1)
	until(t, "what the queue took is given back while another file holds the rest of the disk", func() bool { return !s.CheckSpace() })
	if _, err := os.Stat(filepath.Join(d.dir, "data", ballastName)); err != nil {
		t.Error("the ballast is there again:", err)
	}
	d.check(s, n-benchBatch+1, n)
	s.Close()
	s = d.open()
	d.check(s, n-benchBatch+1, n)
	s.Close()
}

// TestCommitsWaitForRoom commits until the disk is full; the commit that finds no room waits until there is some.
func TestCommitsWaitForRoom(t *testing.T) {
	d := newSmallDisk(t)
	s := d.open()
	fill(t, s, 10_000, 1)
	var committed uint64 = 10_000
	done, stop := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	last := func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return committed
	}
	go func() {
		defer close(done)
		b, f := s.NewBatch(), newFiller()
		for {
			select {
			case <-stop:
				return
			default:
			}
			next := last() + 1
			for i := range uint64(100) {
				b.Enqueue(1, f.entry(next+i))
			}
			if err := b.Commit(); err != nil {
				t.Error("a commit waits and does not fail:", err)
				return
			}
			mu.Lock()
			committed += 100
			mu.Unlock()
		}
	}()
	until(t, "a commit waits for room", func() bool { d.fill(); return s.Full() && s.disk.waiting.Load() > 0 })
	before := last()
	d.fill()
	d.free()
	until(t, "it goes on when there is room", func() bool { return last() > before })
	close(stop)
	<-done
	until(t, "the disk is no longer full", func() bool { return !s.CheckSpace() })
	d.check(s, 1, last())
	s.Close()
	s = d.open()
	d.check(s, 1, last())
	s.Close()
}

// check reads the queue of session 1: every entry from first to last, and no other.
func (d *smallDisk) check(s *Store, first, last uint64) {
	d.t.Helper()
	entries := make([]Entry, 500)
	at := uint64(0)
	for want := first; ; {
		n, err := s.Read(1, at, entries, 1<<20)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, e := range entries[:n] {
			if e.Seq != want {
				d.t.Fatalf("entry %d is in the place of %d", e.Seq, want)
			}
			want++
		}
		if n == 0 {
			if want != last+1 {
				d.t.Fatalf("the queue ends before entry %d, want %d the last", want, last)
			}
			return
		}
		at = want
	}
}
