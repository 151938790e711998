package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports/dtls"
)

// TestDevicesOverDTLS has devices with pre-shared keys: their identity is their user name.
func TestDevicesOverDTLS(t *testing.T) {
	need(t, "mosquitto_sub", "mosquitto_pub")
	e := &estate{t: t, dir: t.TempDir(), port: freePort(t)}
	over := freePort(t)
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
}
