package main

import (
	"fmt"
	"strings"
	"testing"

	"midge/internal/peertest"
	"midge/mqttsn/client"
)

// TestSysTree reads what a running midge says of itself, with mosquitto_sub and with a device.
func TestSysTree(t *testing.T) {
	port, sn := peertest.FreePort(t), peertest.FreePort(t)
	startMidge(t, fmt.Sprintf("[node]\ndata_dir = \"\"\nsys_interval = \"1s\"\n[[listener]]\naddress = \"127.0.0.1:%d\"\n[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n[http]\naddress = \"\"\n", port, sn))
	tree := subscribe(t, port, "-t", "$SYS/#")
	worker := subscribe(t, port, "-t", "$share/workers/jobs", "-q", "1")
	tree.wait("the version is Midge's", func(line string) bool { return strings.HasPrefix(line, "$SYS/broker/version midge version ") })
	for _, topic := range []string{"uptime", "clients/total", "messages/stored", "retained messages/count", "heap/maximum", "load/bytes/sent/15min"} {
		tree.waitFor("the tree has "+topic, "$SYS/broker/"+topic+" ")
	}
	publish(t, port, "-t", "jobs", "-q", "1", "-m", "12345678")
	worker.waitFor("the worker gets its job", "jobs 12345678")
	for _, line := range []string{"clients/connected 2", "shared_subscriptions/count 1", "subscriptions/count 1", "publish/messages/received 1", "publish/bytes/received 8"} {
		tree.wait("the tree follows: "+line, func(got string) bool { return got == "$SYS/broker/"+line })
	}
	d := newDevice(t, (&site{t: t, sn: sn}).udp(), quick("device"))
	d.connect()
	d.subscribe("$SYS/broker/clients/maximum", 0)
	if got := await[client.Message](d, "a device reads the tree"); got.Topic != "$SYS/broker/clients/maximum" {
		t.Errorf("a device gets what it has subscribed to, not %+v", got)
	}
}
