package trace_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"midge/internal/peertest"
	"midge/transports"
	"midge/transports/linktest"
	"midge/transports/trace"
	"midge/transports/udp"
)

func TestMain(m *testing.M) { linktest.Main(m) }

func TestConforms(t *testing.T) {
	linktest.Conformance(t, func(*testing.T) (transports.Link, func() transports.Link) {
		n := linktest.NewNet(1)
		return trace.Wrap(n.Gateway(), io.Discard), func() transports.Link { return n.Device() }
	})
}

// TestTsharkReads records a memory link and a UDP link and lets tshark say what it sees.
func TestTsharkReads(t *testing.T) {
	peertest.Need(t, "tshark")
	var capture bytes.Buffer
	n := linktest.NewNet(1)
	gw, dev := trace.Wrap(n.Gateway(), &capture), n.Device()
	f := []transports.Frame{{Data: make([]byte, 0, 1024)}}
	for _, m := range [][]byte{{2, 0x17}, {6, 0x16, 'a', 'b', 'c', 'd'}, linktest.Message(300, 1)} {
		dev.WriteFrames([]transports.Frame{{Data: m}})
		gw.ReadFrames(f)
	}
	gw.WriteFrames([]transports.Frame{{Addr: dev.Addr(), Data: []byte{2, 0x17}}, {Broadcast: true, Data: []byte{3, 2, 1}}})
	got := dissect(t, capture.Bytes())
	device := strings.Fields(got)[0]
	if !strings.HasPrefix(device, "10.") {
		t.Errorf("a device that is not on IPv4 gets a place in 10.0.0.0/8: %s", device)
	}
	want := strings.ReplaceAll(`DEV 10.0.0.1 0x17
DEV 10.0.0.1 0x16
DEV 10.0.0.1 0x0c
10.0.0.1 DEV 0x17
10.0.0.1 239.0.0.1 0x02
`, "DEV", device)
	if got != want {
		t.Errorf("tshark sees all five messages:\ngot\n%s\nwant\n%s", got, want)
	}

	capture.Reset()
	inner, err := udp.Listen(udp.Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	gw = trace.Wrap(inner, &capture)
	defer gw.Close()
	d, err := udp.Dial(inner.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.WriteFrames([]transports.Frame{{Data: []byte{2, 0x17}}})
	gw.ReadFrames(f)
	if got, want := dissect(t, capture.Bytes()), "127.0.0.1 10.0.0.1 0x17\n"; got != want {
		t.Errorf("a UDP device keeps its address: got %q, want %q", got, want)
	}
}

// dissect returns a line per packet: source, destination, type of message.
func dissect(t *testing.T, capture []byte, more ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.pcap")
	if err := os.WriteFile(path, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		cmd := exec.Command("tshark", append([]string{"-n", "-r", path, "-d", "udp.port==1883,mqttsn"}, append(more, args...)...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark %v: %v: %s", args, err, stderr.String())
		}
		return string(out)
	}
	if bad := run("-o", "ip.check_checksum:TRUE", "-Y", "_ws.malformed || _ws.expert.severity == error"); bad != "" {
		t.Errorf("tshark finds nothing wrong, not:\n%s", bad)
	}
	var lines strings.Builder
	for line := range strings.Lines(run("-T", "fields", "-e", "ip.src", "-e", "ipv6.src", "-e", "ip.dst", "-e", "ipv6.dst", "-e", "mqttsn.msg.type")) {
		lines.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return lines.String()
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestBrokenFileDoesNotStopTheLink(t *testing.T) {
	n := linktest.NewNet(1)
	gw, dev := trace.Wrap(n.Gateway(), brokenWriter{}), n.Device()
	dev.WriteFrames([]transports.Frame{{Data: []byte{2, 0x17}}})
	f := []transports.Frame{{Data: make([]byte, 0, 64)}}
	if k, err := gw.ReadFrames(f); k != 1 || err != nil {
		t.Errorf("the link goes on: %d, %v", k, err)
	}
	if gw.Err() == nil || gw.Stats().Errors[trace.ReasonTrace] != 1 {
		t.Errorf("and says that the recording has ended: %v, %+v", gw.Err(), gw.Stats())
	}
}
