package main

import (
	"fmt"
	"net"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
)

// TestFiveHundredDevicesAtOnce is the end of a power cut: every device says CONNECT in the same moment, over real sockets, and says it once.
func TestFiveHundredDevicesAtOnce(t *testing.T) {
	const n = 500
	needDescriptors(t, n+200)
	port, sn := peertest.FreePort(t), peertest.FreePort(t)
	startMidge(t, fmt.Sprintf("[node]\ndata_dir = \"\"\n[[listener]]\naddress = \"127.0.0.1:%d\"\n[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n[http]\naddress = \"\"\n", port, sn))
	devices := make([]net.Conn, n)
	for i := range devices {
		c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", sn))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		devices[i] = c
	}
	for i, c := range devices {
		if _, err := c.Write(mqttsn.Connect{ClientID: fmt.Sprint("burst", i), ProtocolID: 1, Duration: 60}.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(patience)
	for i, c := range devices {
		c.SetReadDeadline(deadline)
		var b [16]byte
		k, err := c.Read(b[:])
		if err != nil {
			t.Fatalf("device %d of %d is answered: %v", i, n, err)
		}
		if p, err := mqttsn.Decode(b[:k]); err != nil || p != (mqttsn.Connack{Code: mqttsn.Accepted}) {
			t.Fatalf("device %d of %d is let in: %v %v", i, n, p, err)
		}
	}
}
