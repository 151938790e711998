package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
	"midge/transports/udp"
)

// TestTraceCommand records what real devices say and has tshark read it.
func TestTraceCommand(t *testing.T) {
	peertest.Need(t, "tshark")
	over := peertest.FreePort(t)
	e := newEstate(t, "")
	e.write("config.toml", strings.Replace(e.config(""), "link = []\n", "", 1)+fmt.Sprintf("[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n", over))
	e.run()
	trace := func(args ...string) *process {
		t.Helper()
		p := startIn(t, e.dir, midgePath(t), append([]string{"trace"}, args...)...)
		p.waitFor("a trace says when it has begun", "tracing link lan; Ctrl-C ends it")
		return p
	}
	end := func(p *process, said string) {
		t.Helper()
		p.waitFor("it says what it has", said)
		<-p.done
		if p.err != nil {
			t.Errorf("it ends without an error: %v", p.err)
		}
	}
	all := trace("-link", "lan", "-w", "all.pcap")
	valve := trace("-link=lan", "-client", "valve", "-client", "door", "-w", "valve.pcap")
	nobody := trace("--link", "lan", "--client", "nobody", "-w", "nobody.pcap")
	ports := map[string]string{}
	device := func(id string) *device {
		link, err := udp.Dial(fmt.Sprint("127.0.0.1:", over))
		if err != nil {
			t.Fatal(err)
		}
		_, ports[id], _ = strings.Cut(link.LocalAddr().String(), ":")
		d := newDevice(t, link, client.Config{ClientID: id, KeepAlive: time.Minute})
		d.connect()
		return d
	}
	pump, d := device("pump"), device("valve")
	pump.subscribe("up/#", 1)
	d.publish("up/valve", "42", mqttsn.AtLeastOnce)
	await[client.Message](pump, "the message arrives")
	await[client.Published](d, "it is acknowledged")
	d.link.WriteFrames([]transports.Frame{{Data: mqttsn.Regack{TopicID: 9, MsgID: 9}.Append(nil)}}) // an answer to nothing
	d.publish("up/valve", "43", mqttsn.AtLeastOnce)
	await[client.Message](pump, "the next arrives")
	await[client.Published](d, "it is acknowledged too")
	out, errs, status := midge(t, e.dir, "status")
	var said struct {
		Links []struct {
			Name, Type string
			Errors     map[string]int
		}
		Devices []struct {
			ID, State string
			In        int            `json:"messages_in"`
			Dropped   map[string]int `json:"dropped"`
		}
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil || errs != "" || status != 0 {
		t.Fatalf("midge status prints JSON: %v: %s%s", err, out, errs)
	}
	if got := fmt.Sprint(said); got != "{[{lan udp map[]}] [{pump active 0 map[]} {valve active 2 map[unexpected:1]}]}" {
		t.Errorf("which has links and devices: %s", got)
	}
	for _, p := range []*process{valve, nobody} {
		p.cmd.Process.Signal(os.Interrupt)
	}
	end(nobody, "0 frames")
	end(valve, "9 frames")
	e.stop()
	end(all, "19 frames") // the end of midge ends it as well

	if got := dissect(t, filepath.Join(e.dir, "nobody.pcap")); len(got) != 0 {
		t.Errorf("there is nothing of a client that is not there: %q", got)
	}
	up, down := "127.0.0.1 "+ports["valve"]+" 1883 ", "10.0.0.1 1883 "+ports["valve"]+" "
	equal(t, "the trace of a client has its exchanges in order", dissect(t, filepath.Join(e.dir, "valve.pcap")), []string{up + "0x04", down + "0x05",
		up + "0x0a", down + "0x0b", up + "0x0c", down + "0x0d",
		up + "0x0b", up + "0x0c", down + "0x0d"})
	whole := dissect(t, filepath.Join(e.dir, "all.pcap"))
	if len(whole) != 19 || !slices.Contains(whole, "127.0.0.1 "+ports["pump"]+" 1883 0x0d") {
		t.Errorf("the trace of everything has all 19 messages: %q", whole)
	}
	if info, err := os.Stat(filepath.Join(e.dir, "all.pcap")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a capture holds payloads, so nobody else may read it: %v, %v", info.Mode(), err)
	}
	if out, errs, status := midge(t, e.dir, "trace", "-link", "lan", "-w", "x"); status != 1 || out != "" || !strings.HasPrefix(errs, "midge: no midge runs on data: ") || strings.Count(errs, "\n") != 1 {
		t.Errorf("where none runs that is one sentence: %q, status %d", errs, status)
	}
	if _, err := os.Stat(filepath.Join(e.dir, "x")); err == nil {
		t.Error("and no file is left behind")
	}
}

// TestTraceThroughAPipe: standard output takes each frame at once, and what is wrong is one sentence.
func TestTraceThroughAPipe(t *testing.T) {
	peertest.Need(t, "tshark")
	over := peertest.FreePort(t)
	e := newEstate(t, "")
	e.write("config.toml", strings.Replace(e.config(""), "link = []\n", "", 1)+fmt.Sprintf("[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n[[link]]\nname = \"field\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n", over, peertest.FreePort(t)))
	e.run()
	if _, errs, status := midge(t, e.dir, "trace", "-link", "loft", "-w", "x"); status != 1 || errs != "midge: there is no link \"loft\"; there are: lan, field\n" {
		t.Errorf("a wrong name is told the right ones: %q, status %d", errs, status)
	}
	cmd := exec.Command(midgePath(t), "trace", "-link", "lan", "-w", "-")
	cmd.Dir = e.dir
	dieWithUs(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stderr)
	if line, _ := said.ReadString('\n'); !strings.HasPrefix(line, "tracing link lan") {
		t.Fatalf("a trace says when it has begun: %q", line)
	}
	tshark := start(t, "tshark", "-n", "-l", "-i", "-", "-d", "udp.port==1883,mqttsn", "-T", "fields", "-e", "mqttsn.msg.type")
	piped := make(chan struct{})
	go func() {
		defer close(piped)
		io.Copy(tshark.in, out)
		tshark.in.Close() // its helper, which has its output too, ends
	}()
	t.Cleanup(func() { cmd.Process.Kill() })
	link, err := udp.Dial(fmt.Sprint("127.0.0.1:", over))
	if err != nil {
		t.Fatal(err)
	}
	newDevice(t, link, client.Config{ClientID: "valve", KeepAlive: time.Minute}).connect()
	tshark.waitFor("what a device says is seen while it goes on", "0x04")
	tshark.waitFor("and what it hears", "0x05")
	cmd.Process.Signal(syscall.SIGTERM)
	<-piped
	last, _ := io.ReadAll(said)
	if err := cmd.Wait(); err != nil || !strings.Contains(string(last), "frames") {
		t.Errorf("the trace ends without an error: %v: %s", err, last)
	}
}

// dissect returns a line per packet: source, its port, the destination's port, type of message. tshark may find nothing wrong.
func dissect(t *testing.T, path string) (lines []string) {
	t.Helper()
	tshark := func(args ...string) string {
		out, err := exec.Command("tshark", append([]string{"-n", "-r", path, "-d", "udp.port==1883,mqttsn"}, args...)...).Output()
		if err != nil {
			t.Fatalf("tshark reads the capture: %v", err)
		}
		return string(out)
	}
	if bad := tshark("-o", "ip.check_checksum:TRUE", "-Y", "_ws.malformed || _ws.expert.severity == error"); bad != "" {
		t.Errorf("tshark finds nothing wrong, but:\n%s", bad)
	}
	for line := range strings.Lines(tshark("-T", "fields", "-e", "ip.src", "-e", "udp.srcport", "-e", "udp.dstport", "-e", "mqttsn.msg.type")) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}
