package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports/dtls"
)

// TestDevicesOverDTLS has devices with pre-shared keys: their identity is their user name.
func TestDevicesOverDTLS(t *testing.T) {
	peertest.Need(t, "mosquitto_sub", "mosquitto_pub")
	e := &estate{t: t, dir: t.TempDir(), port: peertest.FreePort(t)}
	over := peertest.FreePort(t)
	e.write("config.toml", fmt.Sprintf("[http]\naddress = \"\"\n[auth]\nacl_file = \"acl\"\n[[listener]]\naddress = \"127.0.0.1:%d\"\nacl_file = \"\"\n"+
		"[[link]]\nname = \"wan\"\ntype = \"dtls\"\naddress = \":%d\"\npsk_file = \"psk\"\n", e.port, over))
	e.write("psk", "boat:000102030405060708\nbarn:101112131415161718\n")
	e.write("acl", "pattern readwrite %u/#\n")
	e.run()
	e.waitFor("the log says who may come in", "whoever has a key of psk, from anywhere")
	s := subscribe(t, e.port, "-t", "#", "-v", "-q", "1")

	join := func(identity string, key byte, clientID string) *device {
		t.Helper()
		k := make([]byte, 9)
		for i := range k {
			k[i] = key + byte(i)
		}
		link, err := dtls.Dial(t.Context(), dtls.DialConfig{Address: fmt.Sprint("127.0.0.1:", over), Identity: identity, Key: k})
		if err != nil {
			t.Fatal(err)
		}
		return newDevice(t, link, client.Config{ClientID: clientID, KeepAlive: time.Minute})
	}
	boat := join("boat", 0, "sensor")
	boat.connect()
	boat.subscribe("boat/cmd", 1)
	boat.publish("boat/depth", "12", mqttsn.AtLeastOnce)
	s.waitFor("what a device publishes under its name arrives", "boat/depth 12")
	boat.publish("barn/door", "open", mqttsn.AtLeastOnce)
	boat.publish("boat/depth", "13", mqttsn.AtLeastOnce)
	s.waitFor("what follows arrives too", "boat/depth 13")
	if out := strings.Join(s.output(), "\n"); strings.Contains(out, "barn/door") {
		t.Errorf("what it publishes under another's name does not: %s", out)
	}
	publish(t, e.port, "-t", "boat/cmd", "-m", "anchor", "-q", "1")
	if m := await[client.Message](boat, "a command reaches it"); string(m.Payload) != "anchor" {
		t.Errorf("a command reaches it: %q", m.Payload)
	}
	thief := join("barn", 0x10, "sensor")
	thief.do("connect", func(c *client.Client, now time.Time) error { return c.Connect(now) })
	await[client.ConnectRefused](thief, "who has another key cannot take a client id that is in use")
	publish(t, e.port, "-t", "boat/cmd", "-m", "sail", "-q", "1")
	if m := await[client.Message](boat, "its owner goes on"); string(m.Payload) != "sail" {
		t.Errorf("its owner goes on: %q", m.Payload)
	}

	e.write("psk", "barn:101112131415161718\ncabin:zz\n")
	if _, errs, status := e.reload(); status != 1 || !strings.Contains(errs, `link wan: psk:2: the key of "cabin"`) {
		t.Errorf("a faulty key refuses the reload: status %d, %q", status, errs)
	}
	boat.publish("boat/depth", "14", mqttsn.AtLeastOnce)
	s.waitFor("and all stays as it was", "boat/depth 14")
	e.write("psk", "barn:101112131415161718\ncabin:202122232425262728\n")
	if out, errs, status := e.reload(); status != 0 || !strings.Contains(out, "; 1 clients were disconnected") {
		t.Errorf("who has no key any more is disconnected: status %d, %q, %q", status, out, errs)
	}
	cabin := join("cabin", 0x20, "stove")
	cabin.connect()
	cabin.publish("cabin/heat", "20", mqttsn.AtLeastOnce)
	s.waitFor("a new key opens", "cabin/heat 20")
}

// TestCheckReadsEveryFile: what keeps midge from starting, midge check tells.
func TestCheckReadsEveryFile(t *testing.T) {
	dir := t.TempDir()
	e := &estate{t: t, dir: dir}
	e.write("config.toml", `[[link]]
name = "wan"
type = "dtls"
address = "127.0.0.1:0"
psk_file = "nokeys"
[[bridge]]
name = "cloud"
address = "mqtts://localhost"
ca_file = "noca"
[[bridge.topic]]
filter = "a"
`)
	out, errs, status := midge(t, dir, "check")
	for _, want := range []string{"link wan: read the pre-shared keys: open nokeys:", "bridge cloud: CA file cannot be read: open noca:"} {
		if status != 1 || !strings.Contains(errs, want) {
			t.Errorf("midge check says %q: status %d, %q%s", want, status, errs, out)
		}
	}
}
