package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// writtenBy is how many octets a process has caused to be written to storage: write_bytes of /proc/PID/io. It counts whole pages when they are
// dirtied, so a file that grows by a line and is synced counts 4 KB each time, as the device will see it.
func writtenBy(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, fmt.Errorf("read what process %d has written: %w", pid, err)
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) == 2 && string(f[0]) == "write_bytes:" {
			return strconv.ParseInt(string(f[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("no write_bytes in /proc/%d/io", pid)
}

// A gauge is a meter that also knows what was written.
type gauge struct {
	meter
	written int64
}

// A gaugeReading is what a window cost, for so many messages.
type gaugeReading struct {
	usage
	written  int64
	took     time.Duration
	messages int64
	err      error
}

func startGauge(pid int) (gauge, error) {
	m, err := startMeter(pid)
	if err != nil {
		return gauge{}, err
	}
	w, err := writtenBy(pid)
	return gauge{meter: m, written: w}, err
}

// read ends the window.
func (g gauge) read(messages int64) gaugeReading {
	r := gaugeReading{took: time.Since(g.start), messages: messages}
	if r.usage, r.err = g.used(); r.err != nil {
		return r
	}
	now, err := writtenBy(g.pid)
	r.written, r.err = now-g.written, err
	return r
}

// take enters the cost of a window.
func (f *durableFigures) take(r gaugeReading) {
	if r.err != nil || r.messages == 0 {
		return
	}
	n := float64(r.messages)
	f.rate = n / r.took.Seconds()
	f.cpu = float64(r.server.Nanoseconds()) / 1e3 / n
	f.others = r.others
	f.written = float64(r.written) / n
}

// syncTimes is how many syncs are measured.
const syncTimes = 200

// syncTime measures how long the device under dir takes to make 4 KB that were appended safe: median and the slowest of ten.
func syncTime(dir string) (median, slow time.Duration, err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, 0, fmt.Errorf("measure the device: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var times []time.Duration
	for i := range syncTimes {
		if _, err := f.Write(noise[i*4096%len(noise):][:4096]); err != nil {
			return 0, 0, fmt.Errorf("measure the device: %w", err)
		}
		begun := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, 0, fmt.Errorf("measure the device: %w", err)
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	return times[syncTimes/2], times[syncTimes*9/10], nil
}
