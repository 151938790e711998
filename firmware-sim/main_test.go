package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/firmware-sim/fleet"
	"midge/transports"
	"midge/transports/linktest"
)

func TestMain(m *testing.M) { linktest.Main(m) }

// call runs the command without a terminal.
func call(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(ctx, args, &out, &err, false)
	return status, out.String(), err.String()
}

func TestMistakesGetOneSentence(t *testing.T) {
	rows := []struct{ args, want string }{
		{"-devices", "flag needs an argument: -devices"},
		{"-device 3", "flag provided but not defined: -device"},
		{"3", `"3" is not a flag`},
		{"-devices 0", "-devices 0 must be more"},
		{"-devices 99999", "1 to 60000 are possible"},
		{"-interval 0", "-interval 0s must be more"},
		{"-interval often", "often"},
		{"-qos 3", `QoS "3" does not exist; it is -1, 0, 1, 2 or mixed`},
		{"-loss 2", "loss is 2, must be 0 to 1"},
		{"-sleep-duration 1.5s", "whole seconds"},
		{"-link host:1883", "udp://127.0.0.1:1883"},
		{"-link xbee:///dev/ttyUSB0?baud=9600&ap=3", "ap=3 is not an API mode"},
		{"-pty -link udp://h:1", "-link cannot stand beside it"},
		{"-framing hdlc", "-framing is for -pty"},
		{"-pty -framing cobs", "cobs"},
	}
	for _, row := range rows {
		status, stdout, stderr := call(t.Context(), strings.Fields(row.args)...)
		if status != exitMisuse || !strings.Contains(stderr, row.want) || strings.Count(stderr, "\n") != 1 || stdout != "" {
			t.Errorf("%s is answered by one sentence with %q and status %d, got status %d, %q, %q", row.args, row.want, exitMisuse, status, stderr, stdout)
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	status, stdout, _ := call(t.Context(), "-help")
	if status != exitGood {
		t.Errorf("help is no failure, got status %d", status)
	}
	for _, name := range strings.Fields("link pty framing devices interval qos payload loss dup corrupt delay duration seed sleep sleep-duration retry prefix") {
		if !strings.Contains(stdout, "  -"+name) {
			t.Errorf("help names -%s, got:\n%s", name, stdout)
		}
	}
}

// TestWithoutGateway talks to a socket that never answers.
func TestWithoutGateway(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	link := "udp://" + silent.LocalAddr().String()
	status, stdout, stderr := call(t.Context(), "-link", link, "-devices", "2", "-duration", "100ms", "-retry", "20ms")
	if status != exitLost || !strings.Contains(stderr, "2 of 2 devices never reached the gateway") || !strings.Contains(stdout, "all 2") {
		t.Errorf("a silent gateway gives a report, a sentence and status %d; got %d, %q, %q", exitLost, status, stderr, stdout)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if status, stdout, stderr = call(ctx, "-link", link); status != exitGood || !strings.Contains(stdout, "all 10") {
		t.Errorf("interrupted before anything was sent, it reports and is content; got %d, %q, %q", status, stderr, stdout)
	}
}

func TestProgress(t *testing.T) {
	for _, row := range []struct {
		terminal bool
		lines    int
		begins   string
	}{{true, 0, eraseLine + "    1s  active 0"}, {false, 2, "    5s  active 0, asleep 0 of 1"}} {
		synctest.Test(t, func(t *testing.T) {
			f, err := fleet.New(fleet.Config{Open: func(int) (transports.Link, error) { return linktest.NewNet(1).Device(), nil }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
			defer cancel()
			var out bytes.Buffer
			if _, err := play(ctx, f, &out, row.terminal); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(out.String(), "\n"); got != row.lines || !strings.HasPrefix(out.String(), row.begins) {
				t.Errorf("ten seconds with terminal=%t show %d lines that begin with %q, got %q", row.terminal, row.lines, row.begins, out.String())
			}
			if row.terminal && !strings.HasSuffix(out.String(), eraseLine) {
				t.Errorf("the line is gone at the end, got %q", out.String())
			}
		})
	}
}
