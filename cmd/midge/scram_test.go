package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"midge/broker/auth"
	"midge/broker/mqtt"
)

// talker is one MQTT 5 connection, packet by packet.
type talker struct {
	t *testing.T
	net.Conn
}

func talk(t *testing.T, port int) *talker {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &talker{t, c}
}

func (c *talker) next() (mqtt.Header, []byte) {
	c.t.Helper()
	var b []byte
	for one := make([]byte, 1); ; {
		h, err := mqtt.ParseHeader(b)
		if err == nil && len(b) == h.Total() {
			return h, b[h.Size:]
		}
		if _, err := io.ReadFull(c, one); err != nil {
			c.t.Fatalf("a packet comes: %v after % x", err, b)
		}
		b = append(b, one[0])
	}
}

func scramProps(data string) *mqtt.Properties {
	p := &mqtt.Properties{AuthMethod: "SCRAM-SHA-256", AuthData: []byte(data)}
	p.Mark(mqtt.PropAuthMethod)
	p.Mark(mqtt.PropAuthData)
	return p
}

// prove goes through a SCRAM exchange that send begins, and returns what ends it.
func (c *talker) prove(user, password string, send func(first string)) (end mqtt.Header, reason mqtt.ReasonCode) {
	c.t.Helper()
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		c.t.Fatal(err)
	}
	conv := client.NewConversation()
	first, _ := conv.Step("")
	send(first)
	for {
		h, body := c.next()
		var props *mqtt.Properties
		switch h.Type() {
		case mqtt.TypeAuth:
			p, err := mqtt.ParseAuth(h.First, body, mqtt.V5)
			if err != nil {
				c.t.Fatal(err)
			}
			reason, props = p.Reason, p.Props
		case mqtt.TypeConnack:
			p, err := mqtt.ParseConnack(h.First, body, mqtt.V5)
			if err != nil {
				c.t.Fatal(err)
			}
			reason, props = p.Reason, p.Props
		default:
			return h, mqtt.ReasonCode(body[0])
		}
		if reason.Failed() {
			return h, reason
		}
		said, err := conv.Step(string(props.AuthData))
		if err != nil || props.AuthMethod != "SCRAM-SHA-256" {
			c.t.Fatalf("the server proves itself by the same method: %v, %q", err, props.AuthMethod)
		}
		if reason == mqtt.Success {
			if !conv.Valid() {
				c.t.Error("the client knows that the server knows")
			}
			return h, reason
		}
		next := mqtt.Auth{Reason: mqtt.ContinueAuthentication, Props: scramProps(said)}
		c.Write(next.Append(nil))
	}
}

func (c *talker) connectBy(user, password string) (mqtt.Header, mqtt.ReasonCode) {
	c.t.Helper()
	return c.prove(user, password, func(first string) {
		p := mqtt.Connect{Version: mqtt.V5, ClientID: "c-" + user, CleanStart: true, Props: scramProps(first)}
		c.Write(p.Append(nil))
	})
}

// TestScramClient logs in by SCRAM-SHA-256 with records that midge passwd wrote, and proves itself again after its password was changed.
func TestScramClient(t *testing.T) {
	e := newEstate(t, "[auth]\npassword_file = \"passwords\"\n")
	add := func(user, password string) {
		if _, errs, status := midge(t, e.dir, "passwd", "-H", "scram-sha-256", "-b", "passwords", user, password); status != 0 {
			t.Fatal(errs)
		}
	}
	e.write("passwords", record(t, "old", "1"))
	add("joe", "secret")
	e.run()
	c := talk(t, e.port)
	if h, r := c.connectBy("joe", "secret"); h.Type() != mqtt.TypeConnack || r != mqtt.Success {
		t.Fatalf("the right password comes in: %v, %v", h.Type(), r)
	}
	again := func(password string) (mqtt.Header, mqtt.ReasonCode) {
		return c.prove("joe", password, func(first string) {
			p := mqtt.Auth{Reason: mqtt.ReAuthenticate, Props: scramProps(first)}
			c.Write(p.Append(nil))
		})
	}
	if h, r := again("secret"); h.Type() != mqtt.TypeAuth || r != mqtt.Success {
		t.Errorf("it may prove itself again: %v, %v", h.Type(), r)
	}
	for user, password := range map[string]string{"joe": "guess", "old": "1", "eve": "secret"} {
		refused := talk(t, e.port)
		if h, r := refused.connectBy(user, password); h.Type() != mqtt.TypeConnack || r != mqtt.NotAuthorized && r != mqtt.ServerBusy {
			t.Errorf("%s with %s does not come in: %v, %v", user, password, h.Type(), r)
		}
	}
	add("joe", "changed")
	if out, errs, status := e.reload(); status != 0 || !strings.Contains(out, "1 clients were disconnected") {
		t.Errorf("a client whose record is another goes: %q, %q", out, errs)
	}
	if h, body := c.next(); h.Type() != mqtt.TypeDisconnect || mqtt.ReasonCode(body[0]) != mqtt.NotAuthorized {
		t.Errorf("and is told why: %v % x", h.Type(), body)
	}
}

// TestLoginStorm has 300 clients log in at once, each of which would take 19 MiB to check, 5.6 GB in all.
func TestLoginStorm(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the process's largest size is read from /proc, which Linux has")
	}
	hash, err := auth.Encode(auth.Argon2id, 0, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	e := newEstate(t, "data_dir = \"\"\n[auth]\npassword_file = \"passwords\"\n")
	e.write("passwords", "joe:"+hash+"\n")
	e.run()
	var all sync.WaitGroup
	var mu sync.Mutex
	answers := map[mqtt.ReasonCode]int{}
	begun := time.Now()
	for i := range 300 {
		c := talk(t, e.port)
		all.Go(func() {
			p := mqtt.Connect{Version: mqtt.V5, ClientID: fmt.Sprint("c", i), CleanStart: true, Username: "joe", HasUsername: true, Password: []byte("secret"), HasPassword: true}
			c.Write(p.Append(nil))
			b := make([]byte, 4)
			io.ReadFull(c, b)
			mu.Lock()
			answers[mqtt.ReasonCode(b[3])]++
			mu.Unlock()
		})
	}
	all.Wait()
	took := time.Since(begun)
	// A slow machine may not come to all of them in time; those are told to come again.
	if answers[mqtt.Success] == 0 || answers[mqtt.Success]+answers[mqtt.ServerBusy] != 300 {
		t.Errorf("each is let in or told to come again: %v", answers)
	}
	peak := peakSize(t, e.cmd.Process.Pid)
	t.Logf("%v in %v, %d MB at most", answers, took.Round(time.Millisecond), peak>>20)
	if peak > 300<<20 {
		t.Errorf("the process stays within the gate's memory and what the collector has not taken back yet: it had %d MB", peak>>20)
	}
}

// peakSize is the largest resident size of a process in octets.
func peakSize(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kB << 10
		}
	}
	t.Fatal("/proc tells no size")
	return 0
}
