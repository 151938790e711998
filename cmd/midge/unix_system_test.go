package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"midge/internal/peertest"
)

// TestUnixSocketWithMosquittoClients has Mosquitto's tools come in by a Unix socket, before and after a crash.
func TestUnixSocketWithMosquittoClients(t *testing.T) {
	peertest.Need(t, "mosquitto_pub", "mosquitto_sub", "stdbuf")
	socket := filepath.Join(t.TempDir(), "mqtt.sock")
	config := only(fmt.Sprintf("[[listener]]\ntype = \"unix\"\naddress = %q\nmode = \"0600\"\n", socket))
	talk := func() {
		t.Helper()
		s := start(t, "stdbuf", "-oL", "mosquitto_sub", "--unix", socket, "-d", "-t", "#", "-F", "%t %p", "-V", "mqttv5")
		s.waitFor("mosquitto_sub is subscribed", "Subscribed (mid")
		if out, err := run(t, "mosquitto_pub", "--unix", socket, "-t", "over/unix", "-m", "x", "-q", "2"); err != nil {
			t.Fatalf("mosquitto_pub: %v: %s", err, out)
		}
		s.waitFor("a message comes by the socket", "over/unix x")
	}
	m := startMidge(t, config)
	talk()
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has its mode: got %v, %v", info, err)
	}
	out, err := run(t, midgePath(t), "run", "-c", writeFile(t, "config.toml", config))
	if err == nil || !strings.Contains(out, socket+" is in use by another program") {
		t.Errorf("a second Midge does not take it: %v: %s", err, out)
	}
	m.cmd.Process.Kill()
	<-m.done
	m = startMidge(t, config)
	talk()
	m.stop()
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is gone when Midge has ended: got %v", err)
	}
}
