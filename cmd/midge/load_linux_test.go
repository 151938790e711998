package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"midge/broker/mqtt"
)

// anonymous is what a process has in memory that is no file, in octets.
func (p *process) anonymous() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				p.t.Fatal(err)
			}
			return kb << 10
		}
	}
	p.t.Fatal("the kernel tells RssAnon: it does not")
	return 0
}

// login connects a client and waits for CONNACK.
func login(port int, c mqtt.Connect) (net.Conn, error) {
	nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	c.Version, c.CleanStart = mqtt.V311, true
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write(c.Append(nil)); err != nil {
		return nc, err
	}
	var answer [4]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return nc, err
	}
	if answer != [4]byte{0x20, 2, 0, 0} {
		return nc, fmt.Errorf("CONNECT of %q is answered by % x", c.ClientID, answer)
	}
	nc.SetDeadline(time.Time{})
	return nc, nil
}

// TestTenThousandIdleConnections: issue 4 allows 6 KB of anonymous memory for each. The garbage collector decides when it gives memory back, so the
// figure is read when the process has come to rest.
func TestTenThousandIdleConnections(t *testing.T) {
	const n, most, dialers = 10_000, 6 << 10, 16
	needDescriptors(t, n+200)
	p, port := loaded(t)
	first, err := login(port, mqtt.Connect{ClientID: "first"}) // what is set up once is not counted
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	before := p.anonymous()
	conns := make([]net.Conn, n)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			for i := d; i < n; i += dialers {
				nc, err := login(port, mqtt.Connect{ClientID: fmt.Sprintf("idle-client-%06d", i), KeepAlive: 600})
				if err != nil {
					t.Errorf("connection %d stands: %v", i, err)
					return
				}
				conns[i] = nc
			}
		})
	}
	all.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	if t.Failed() {
		return
	}
	each := (p.anonymous() - before) / n
	t.Logf("10,000 idle connections take %d octets of anonymous memory each", each)
	if each > most {
		t.Errorf("an idle connection takes at most %d octets of anonymous memory, not %d", most, each)
	}
}

// needDescriptors raises the number of open files of this process and of those that it starts.
func needDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur >= n {
		return
	}
	limit.Cur = max(limit.Max, n)
	limit.Max = limit.Cur
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip("fewer descriptors than that are allowed here")
	}
}

// TestFiveHundredConnectsASecond: whoever comes at this rate gets in. The clients keep to the schedule whatever the server does.
func TestFiveHundredConnectsASecond(t *testing.T) {
	const rate, n = 500, 1500
	needDescriptors(t, n+200)
	_, port := loaded(t)
	waits := make([]time.Duration, n)
	conns := make([]net.Conn, n)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / rate)
		all.Go(func() {
			time.Sleep(time.Until(due))
			start := time.Now()
			nc, err := login(port, mqtt.Connect{ClientID: fmt.Sprint("storm", i)})
			if err != nil {
				t.Errorf("500 connects a second cause no error, but number %d: %v", i, err)
			}
			waits[i], conns[i] = time.Since(start), nc
		})
	}
	all.Wait()
	took := time.Since(begin)
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	slices.Sort(waits)
	t.Logf("%d connects in %v; from dial to CONNACK half within %v, 99 %% within %v, the slowest %v", n, took, waits[n/2], waits[n*99/100], waits[n-1])
}

// A flood is one publisher and one subscriber that reads everything.
type flood struct {
	sub, pub net.Conn
	received atomic.Int64
}

func newFlood(t *testing.T, port int) *flood {
	t.Helper()
	f := &flood{sub: subscribed(t, port, "reader"), pub: mustLogin(t, port, "publisher")}
	go func() {
		in := bufio.NewReaderSize(f.sub, 256<<10)
		p := make([]byte, floodPacket)
		for {
			if _, err := io.ReadFull(in, p); err != nil {
				return
			}
			f.received.Add(1)
		}
	}()
	return f
}

const floodPayload = 1024

var floodMessage = func() []byte {
	p := mqtt.Publish{Topic: []byte("flood"), Payload: make([]byte, floodPayload)}
	return p.Append(nil, mqtt.V311)
}()

var floodPacket = len(floodMessage)

// run publishes as fast as it goes and tells how many messages a second reached the subscriber.
func (f *flood) run(t *testing.T, d time.Duration) float64 {
	t.Helper()
	batch := make([]byte, 0, 32*floodPacket)
	for range 32 {
		batch = append(batch, floodMessage...)
	}
	before, begin := f.received.Load(), time.Now()
	for time.Since(begin) < d {
		f.pub.SetWriteDeadline(time.Now().Add(patience))
		if _, err := f.pub.Write(batch); err != nil {
			t.Fatalf("the publisher goes on: %v", err)
		}
	}
	return float64(f.received.Load()-before) / time.Since(begin).Seconds()
}

func mustLogin(t *testing.T, port int, id string) net.Conn {
	t.Helper()
	nc, err := login(port, mqtt.Connect{ClientID: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

func subscribed(t *testing.T, port int, id string) net.Conn {
	t.Helper()
	nc := mustLogin(t, port, id)
	s := mqtt.Subscribe{ID: 1, Subscriptions: []mqtt.Subscription{{Filter: "flood"}}}
	nc.Write(s.Append(nil, mqtt.V311))
	var answer [5]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil || answer != [5]byte{0x90, 3, 0, 1, 0} {
		t.Fatalf("SUBSCRIBE is answered: % x, %v", answer, err)
	}
	return nc
}

// TestStuckSubscriberCostsOthersNothing has a client stop reading while a publisher floods: the other subscriber's rate before and after are
// compared, and what the process holds is bounded: 64 MiB wait at most for one session.
func TestStuckSubscriberCostsOthersNothing(t *testing.T) {
	p, port := loaded(t)
	f := newFlood(t, port)
	const round = time.Second
	f.run(t, round) // to warm up
	var alone, beside []float64
	for i := range 3 {
		alone = append(alone, f.run(t, round))
		stuck := subscribed(t, port, fmt.Sprint("stuck", i)) // and from here on it does not read
		f.run(t, 3*round)                                    // until the buffers of the kernel are full and a second more, for which such a reader still slows publishers
		beside = append(beside, f.run(t, round))
		stuck.Close()
	}
	slices.Sort(alone)
	slices.Sort(beside)
	ratio := beside[1] / alone[1]
	memory := p.anonymous() >> 20
	t.Logf("messages a second at the subscriber that reads: %.0f, beside one that does not %.0f: ratio %.2f; the process then has %d MB", alone[1], beside[1], ratio, memory)
	if ratio < 0.1 { // who waits for such a subscriber gets next to nothing; what else runs on a machine has made it 0.38
		t.Errorf("a subscriber that stops reading costs the others nothing: they get %.2f of what they got", ratio)
	}
	if memory > 256 { // the collector may hold as much again as is in use
		t.Errorf("the process stays within its bound, but has %d MB", memory)
	}
}
