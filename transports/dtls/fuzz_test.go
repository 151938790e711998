package dtls

import (
	"net/netip"
	"testing"
)

// FuzzRoute: no datagram does more than be dropped, or wait in one flow or two.
func FuzzRoute(f *testing.F) {
	hello := append([]byte{recordHandshake, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, clientHello, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 0xFE, 0xFD}, make([]byte, 46)...)
	second := append(append([]byte(nil), hello[:40]...), make([]byte, 33)...)
	second[30] = 9
	for _, b := range [][]byte{hello, hello[:40], append([]byte{recordConnectionID, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1}, make([]byte, 10)...),
		{recordApplicationData, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0}, {}} {
		for then := range byte(32) {
			f.Add(b, then)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, then byte) {
		s := newSocket(nil, func() {}, func() {})
		from := netip.MustParseAddrPort("127.0.0.1:1")
		s.route(hello, from, func(*flow) bool { return true })
		first := s.peers[from]
		if then&1 != 0 {
			s.established(first, "a")
		}
		if then&8 != 0 {
			s.route(second, from, func(*flow) bool { return true })
		}
		if then&16 != 0 {
			first.Close()
		}
		s.route(b, from, func(*flow) bool { return then&2 == 0 })
		if then&4 != 0 && s.rising[from] != nil {
			s.established(s.rising[from], "a")
		}
		if s.peers[from] == nil && then&16 == 0 || len(s.peers)+len(s.rising) > 2 || len(s.ids) < len(s.rising) {
			t.Errorf("an address has a session and at most one handshake beside it: %d and %d", len(s.peers), len(s.rising))
		}
		for id, flow := range s.ids {
			if flow.id != id || s.peers[from] != flow && s.rising[from] != flow {
				t.Error("a flow that has a Connection ID has its address, or shares it")
			}
		}
		for _, flow := range s.ids {
			flow.Close()
		}
		if len(s.peers)+len(s.rising)+len(s.ids) != 0 {
			t.Error("closing takes a flow out of all tables")
		}
	})
}
