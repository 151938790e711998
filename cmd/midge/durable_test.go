package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"midge/internal/peertest"
)

// keeper is a midge that keeps its state in a directory.
type keeper struct {
	t                *testing.T
	conf, port, http string
	*process
}

func newKeeper(t *testing.T, data, onDamage string) *keeper {
	t.Helper()
	k := &keeper{t: t, port: fmt.Sprint(peertest.FreePort(t)), http: loopback(t)}
	k.conf = writeFile(t, "config.toml", fmt.Sprintf(`link = []
[node]
data_dir = %q
[[listener]]
address = "127.0.0.1:%s"
[http]
address = %q
[store]
on_damage = %q
`, data, k.port, k.http, onDamage))
	return k
}

func (k *keeper) begin() {
	k.t.Helper()
	k.process = start(k.t, midgePath(k.t), "run", "-c", k.conf)
	k.waitFor("midge comes up", "midge is ready")
}

// midge runs a subcommand that speaks to the keeper and returns what it printed and whether it succeeded.
func (k *keeper) midge(args ...string) (out string, ok bool) {
	k.t.Helper()
	cmd := exec.Command(midgePath(k.t), append([]string{args[0], "-p", k.port}, args[1:]...)...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	err := waitOrKill(cmd)
	return b.String(), err == nil
}

func (k *keeper) get(path string) string {
	k.t.Helper()
	r, err := http.Get("http://" + k.http + path)
	if err != nil {
		k.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return fmt.Sprintf("%d\n%s", r.StatusCode, body)
}

// fill leaves a subscriber that is away, messages that wait for it, and a retained one.
func (k *keeper) fill() {
	k.t.Helper()
	for _, args := range [][]string{
		{"sub", "-i", "away", "-c", "-q", "1", "-t", "work/#", "-E"},
		{"pub", "-t", "work/1", "-m", "one", "-q", "1"},
		{"pub", "-t", "work/2", "-m", "two", "-q", "2"},
		{"pub", "-t", "state", "-m", "kept", "-q", "1", "-r"},
	} {
		if out, ok := k.midge(args...); !ok {
			k.t.Fatalf("midge %s: %s", strings.Join(args, " "), out)
		}
	}
}

func (k *keeper) wantFilled() {
	k.t.Helper()
	if out, _ := k.midge("sub", "-i", "away", "-c", "-q", "1", "-t", "work/#", "-C", "2", "-v", "-W", "20"); out != "work/1 one\nwork/2 two\n" {
		k.t.Errorf("what waited reaches its subscriber: %q", out)
	}
	if out, _ := k.midge("sub", "-t", "state", "-C", "1", "-W", "20"); out != "kept\n" {
		k.t.Errorf("what was retained is there: %q", out)
	}
}

func TestOrderlyRestart(t *testing.T) {
	k := newKeeper(t, filepath.Join(t.TempDir(), "data"), "refuse")
	k.begin()
	k.fill()
	k.stop()
	k.begin()
	k.wantFilled()
}

func TestStateIsForItsUserAlone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	k := newKeeper(t, data, "refuse")
	k.begin()
	k.fill()
	defer k.stop()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		i, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // one that the store no longer needs
			return nil
		}
		if err == nil && i.Mode().Perm()&0o077 != 0 {
			t.Errorf("messages lie there, so no other user may read it: %s has mode %v", path, i.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDataDirInUse(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	k := newKeeper(t, data, "salvage")
	k.begin()
	second := newKeeper(t, data, "salvage")
	out, err := exec.Command(midgePath(t), "run", "-c", second.conf).CombinedOutput()
	if text := string(out); err == nil || strings.Count(text, "\n") != 1 || !strings.Contains(text, data) || !strings.Contains(text, "use") {
		t.Errorf("a second midge on the same data_dir ends with one sentence that names it: %q, %v", text, err)
	}
}

func TestDamagedStore(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	k := newKeeper(t, data, "salvage")
	k.begin()
	k.fill()
	k.stop()
	manifests, _ := filepath.Glob(filepath.Join(data, "MANIFEST-*"))
	if len(manifests) == 0 {
		t.Fatal("the store has a manifest")
	}
	for _, name := range manifests {
		i, err := os.Stat(name)
		if err == nil {
			err = os.WriteFile(name, make([]byte, i.Size()), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	strict := newKeeper(t, data, "refuse")
	out, err := exec.Command(midgePath(t), "run", "-c", strict.conf).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "MANIFEST") {
		t.Errorf("on_damage = \"refuse\" stops and names the file: %q, %v", out, err)
	}
	k.begin()
	k.waitFor("the log says so", "the store was damaged")
	if got := k.get("/healthz"); !strings.HasPrefix(got, "503\n") || !strings.Contains(got, "damaged") {
		t.Errorf("health says that the store was damaged: %q", got)
	}
	if got := k.get("/metrics"); !strings.Contains(got, "\nmidge_store_salvaged 1\n") {
		t.Error("so do the metrics")
	}
	if out, _ := k.midge("sub", "-t", "$SYS/broker/store/salvaged", "-C", "1", "-W", "20"); !strings.Contains(out, "damaged") {
		t.Errorf("and $SYS: %q", out)
	}
	k.wantFilled()
}

// TestFullDisk fills the file system of a running midge to the last octet.
func TestFullDisk(t *testing.T) {
	for _, kind := range smallKinds {
		t.Run(kind, func(t *testing.T) { testFullDisk(t, kind) })
	}
}

func testFullDisk(t *testing.T, kind string) {
	dir := t.TempDir()
	if err := mountSmall(t, kind, dir); err != nil {
		t.Skip("a small file system can only be mounted by root:", err)
	}
	t.Cleanup(func() { unmountSmall(dir) })
	k := newKeeper(t, filepath.Join(dir, "data"), "salvage")
	k.begin()
	k.fill()
	filler := filepath.Join(dir, "filler")
	fillUp(t, filler)
	until(t, "health says that the disk is full", func() bool {
		got := k.get("/healthz")
		return strings.HasPrefix(got, "503\n") && strings.Contains(got, "full")
	})
	if out, ok := k.midge("pub", "-V", "5", "-t", "work/3", "-m", "three", "-q", "1"); ok && !strings.Contains(strings.ToLower(out), "quota") {
		t.Errorf("QoS 1 is refused: %q", out)
	}
	if out, _ := k.midge("sub", "-t", "$SYS/broker/store/state", "-C", "1", "-W", "20"); out != "full\n" {
		t.Errorf("$SYS says that the disk is full: %q", out)
	}
	if out, ok := k.midge("pub", "-t", "work/3", "-m", "zero"); !ok {
		t.Errorf("QoS 0 goes on: %q", out)
	}
	k.wantFilled()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, "health is good again", func() bool { return strings.HasPrefix(k.get("/healthz"), "200\n") })
	if out, ok := k.midge("pub", "-V", "5", "-t", "work/4", "-m", "four", "-q", "1"); !ok || out != "" {
		t.Errorf("QoS 1 is taken again: %q", out)
	}
	k.stop()
	k.begin()
	if out, _ := k.midge("sub", "-i", "away", "-c", "-q", "1", "-t", "work/#", "-C", "1", "-v", "-W", "20"); out != "work/4 four\n" {
		t.Errorf("the store is intact: %q", out)
	}
}

// fillUp writes until nothing more goes.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for b := make([]byte, size); err == nil; {
			_, err = f.Write(b)
		}
		err = nil
	}
}

// TestStoreTools looks into a store, verifies it and moves it to another box.
func TestStoreTools(t *testing.T) {
	tool := func(args ...string) (string, error) {
		out, err := exec.Command(midgePath(t), append([]string{"store"}, args...)...).CombinedOutput()
		return string(out), err
	}
	data := filepath.Join(t.TempDir(), "data")
	k := newKeeper(t, data, "refuse")
	k.begin()
	k.fill()
	if out, err := tool("stats", "-c", k.conf); err == nil || !strings.Contains(out, data) {
		t.Errorf("a store in use is left alone, in one sentence: %q", out)
	}
	lines := filepath.Join(t.TempDir(), "box.jsonl")
	if out, err := tool("export", "-c", k.conf, lines); err == nil || !strings.Contains(out, data) {
		t.Errorf("a store in use is not exported: %q", out)
	}
	k.stop()
	if out, err := tool("check", "-c", k.conf); err != nil {
		t.Errorf("the store is in order: %s", out)
	}
	if out, err := tool("stats", "-c", k.conf); err != nil || !strings.Contains(out, "away") {
		t.Errorf("stats tell whose messages wait: %s", out)
	}
	if out, err := tool("export", "-c", k.conf, lines); err != nil {
		t.Fatalf("what could not be exported before leaves no file in the way: %s", out)
	}
	for _, from := range []string{lines, "-"} {
		other := filepath.Join(t.TempDir(), "data")
		take := exec.Command(midgePath(t), "store", "import", "--dir", other, from)
		file, err := os.Open(lines)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		take.Stdin = file // which only «-» reads
		if out, err := take.CombinedOutput(); err != nil {
			t.Fatalf("import from %s: %s", from, out)
		}
		k = newKeeper(t, other, "refuse")
		k.begin()
		k.wantFilled()
		k.stop()
	}
}
