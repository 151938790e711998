package udp

import (
	"net/netip"
	"testing"

	"midge/transports"
)

// TestHost: a device is known by its IP address, whatever its port.
func TestHost(t *testing.T) {
	var _ transports.Hoster = (*Link)(nil)
	l := &Link{}
	for _, row := range []struct{ address, want string }{
		{"192.0.2.7:1883", "192.0.2.7"}, {"192.0.2.7:99", "192.0.2.7"}, {"[2001:db8::1]:1883", "2001:db8::1"}, {"[::ffff:192.0.2.7]:5", "192.0.2.7"},
	} {
		if got := l.Host(MakeAddr(netip.MustParseAddrPort(row.address))); got != row.want {
			t.Errorf("what stays of %s is %q: got %q", row.address, row.want, got)
		}
	}
	if who := l.Host(transports.Addr{}); who != "" {
		t.Errorf("an address of another link is nobody: got %q", who)
	}
}
