package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the user and system time that all threads of a process, those that ended included, have used.
// It reads the process's CPU clock, which has nanoseconds where /proc/PID/stat has ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	// The clock id of a process as clock_getcpuclockid(3) makes it: the complement of the id, and 2 = CPUCLOCK_SCHED.
	clock := int32(^pid<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// tick is the unit of /proc/stat, USER_HZ, which Linux fixes at 100 a second for every program.
const tick = 10 * time.Millisecond

// machineTime is the time that all cores together were busy since boot, whoever used it.
func machineTime() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of the machine: %w", err)
	}
	return parseBusy(b)
}

// parseBusy sums the first line of /proc/stat, "cpu user nice system idle iowait irq softirq steal …", but for idle and iowait.
func parseBusy(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	f := bytes.Fields(line)
	if len(f) < 9 || string(f[0]) != "cpu" {
		return 0, fmt.Errorf("first line of /proc/stat is %q", line)
	}
	var busy time.Duration
	for i, field := range f[1:9] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("first line of /proc/stat: %w", err)
		}
		if i != 3 && i != 4 {
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}

// A reading is CPU time: at a moment, or used in a window.
type reading struct {
	server  time.Duration
	own     time.Duration // the generator's
	machine time.Duration // all cores, whoever used it
}

func read(pid int) (r reading, err error) {
	if r.server, err = cpuTime(pid); err != nil {
		return r, err
	}
	if r.own, err = cpuTime(os.Getpid()); err != nil {
		return r, err
	}
	r.machine, err = machineTime()
	return r, err
}

// A meter holds the readings at the start of a window.
type meter struct {
	pid   int
	start time.Time
	at    reading
}

func startMeter(pid int) (meter, error) {
	at, err := read(pid)
	return meter{pid: pid, start: time.Now(), at: at}, err
}

// A usage is what a window cost.
type usage struct {
	server, own time.Duration
	others      float64 // share of all cores that other programs took, 0 to 1
}

// used returns the usage since the start.
func (m meter) used() (usage, error) {
	now, err := read(m.pid)
	if err != nil {
		return usage{}, err
	}
	u := usage{server: now.server - m.at.server, own: now.own - m.at.own}
	others := now.machine - m.at.machine - u.server - u.own
	if os.Getpid() == m.pid { // only in tests: the server is in this process
		others += u.own
	}
	cores := time.Since(m.start) * time.Duration(runtime.NumCPU())
	u.others = max(0, float64(others)/float64(cores))
	return u, nil
}

// anonMemory is the anonymous memory of a process in octets: heap and stacks, not its program file.
func anonMemory(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	return parseAnon(b)
}

// parseAnon finds the line "RssAnon: N kB".
func parseAnon(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		f := bytes.Fields(line)
		if len(f) == 3 && string(f[0]) == "RssAnon:" {
			kb, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no RssAnon in the status of the process")
}
