package dtls

import (
	"testing"
	"time"

	"midge/transports"
)

// TestReload changes keys under connected devices: who has lost its key ends, who has not notices nothing, and handshakes go by the new keys.
func TestReload(t *testing.T) {
	other, late := []byte("another key of 16"), []byte("a key of sixteen!")
	gw := listen(t, func(c *Config) { c.PSK["boat"] = other })
	as := func(identity string, key []byte) func(*DialConfig) {
		return func(c *DialConfig) { c.Identity, c.Key = identity, key }
	}
	boat, sensor := dial(t, gw.LocalAddr().String(), as("boat", other)), dial(t, gw.LocalAddr().String(), nil)
	send(t, boat, gw, transports.Addr{}, "a device with a key is heard")
	at := send(t, sensor, gw, transports.Addr{}, "and another").Addr

	if _, err := gw.Reload(Config{}); err == nil {
		t.Error("a link without keys and certificates is refused, as at the start")
	}
	send(t, boat, gw, transports.Addr{}, "then all stays as it was")

	ended, err := gw.Reload(Config{PSK: PSK{"sensor-7": key, "valve": late}})
	if ended != 1 || err != nil {
		t.Fatalf("the session of the identity that is gone ends, and no other: %d, %v", ended, err)
	}
	boat.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := boat.conn.Read(make([]byte, 100)); err == nil {
		t.Error("its device is told")
	}
	send(t, gw, sensor, at, "the other's goes on")
	send(t, dial(t, gw.LocalAddr().String(), as("valve", late)), gw, transports.Addr{}, "a new key opens")
	if _, err := tryDial(t, gw.LocalAddr().String(), time.Second, as("boat", other)); err == nil {
		t.Error("the old key does not")
	}
}
