package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"midge/internal/peertest"
)

// crashBox is a midge that is killed and started again, on the same ports and with the same data_dir.
type crashBox struct {
	t        *testing.T
	conf     string
	data     string
	mqtt, sn string // addresses
	*process
	began  time.Time       // when the present process was started
	starts []time.Duration // from exec to «ready»
}

const crashConfig = `
[node]
id = "barn"
data_dir = %q
[[listener]]
address = %q
[[link]]
name = "lan"
type = "udp"
address = %q
retry_interval = "300ms"
retry_count = %d
[store]
commit_interval = %q
[http]
address = ""
[[bridge]]
name = "cloud"
address = "mqtt://%s"
[[bridge.topic]]
filter = "load/#"
direction = "out"
qos = 2
remote_prefix = "site/"
[[bridge.topic]]
filter = "cmd/#"
direction = "in"
qos = 2
remote_prefix = "site/"
`

// retryCount is how often the gateway repeats what a device does not acknowledge.
const retryCount = 10

// newCrashBox starts the first process.
func newCrashBox(t *testing.T, upstream string, interval time.Duration) *crashBox {
	t.Helper()
	b := &crashBox{t: t, mqtt: loopback(t), sn: loopback(t), data: filepath.Join(t.TempDir(), "data")}
	b.conf = writeFile(t, "config.toml", fmt.Sprintf(crashConfig, b.data, b.mqtt, b.sn, retryCount, interval, upstream))
	t.Cleanup(b.keep)
	b.begin()
	b.ready()
	return b
}

func loopback(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", peertest.FreePort(t))
}

// begin starts a process and does not wait for it.
func (b *crashBox) begin() {
	b.t.Helper()
	path := midgePath(b.t)
	b.began = time.Now()
	b.process = start(b.t, path, "run", "-c", b.conf)
}

// ready waits until the process serves.
func (b *crashBox) ready() {
	b.t.Helper()
	b.waitFor("midge comes up", "midge is ready")
	b.starts = append(b.starts, time.Since(b.began))
}

// kill ends the process as a power cut would end it, but for what the system still writes.
func (b *crashBox) kill() {
	b.cmd.Process.Kill()
	<-b.done
}

// startTimes are the median and the longest time from exec to ready.
func (b *crashBox) startTimes() (median, longest time.Duration) {
	s := slices.Sorted(slices.Values(b.starts))
	return s[len(s)/2], s[len(s)-1]
}

// keep saves the data_dir of a failed test, and says where it is. It runs before the directory is removed and after the process has ended.
func (b *crashBox) keep() {
	if !b.t.Failed() {
		return
	}
	to, err := os.MkdirTemp("", "midge-crash")
	if err == nil {
		err = os.Rename(filepath.Dir(b.data), filepath.Join(to, "kept"))
	}
	if err == nil {
		var conf []byte
		if conf, err = os.ReadFile(b.conf); err == nil {
			err = os.WriteFile(filepath.Join(to, "config.toml"), conf, 0o600)
		}
	}
	if err != nil {
		b.t.Logf("the data_dir could not be kept: %v", err)
		return
	}
	b.t.Logf("the data_dir is kept: %s", filepath.Join(to, "kept", "data"))
}
