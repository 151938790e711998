package auth

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// attacker is a Throttle with a clock of its own.
type attacker struct {
	t *testing.T
	Throttle
	now time.Time
}

func newAttacker(t *testing.T) *attacker {
	return &attacker{t: t, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (a *attacker) want(sentence string, want time.Duration, address, user string) {
	a.t.Helper()
	if got := a.Wait(a.now, Attempt{Address: address, User: user}); got != want {
		a.t.Errorf("%s: %q from %q waits %v, want %v", sentence, user, address, got, want)
	}
}

// fail waits its turn and fails.
func (a *attacker) fail(address, user string) {
	a.now = a.now.Add(a.Wait(a.now, Attempt{Address: address, User: user}))
	a.Wait(a.now, Attempt{Address: address, User: user})
	a.Failed(a.now, Attempt{Address: address, User: user})
}

const ms = time.Millisecond

func TestFailuresDoubleTheWait(t *testing.T) {
	a := newAttacker(t)
	a.want("nobody waits at first", 0, "addr", "bob")
	for i, want := range []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 30000 * ms, 30000 * ms} {
		a.fail("addr", "bob")
		a.want(fmt.Sprintf("after failure %d", i+1), want, "addr", "bob")
	}
	a.now = a.now.Add(29999 * ms)
	a.want("the wait runs down", 1*ms, "addr", "bob")
	a.now = a.now.Add(1 * ms)
	a.want("to nothing", 0, "addr", "bob")
}

func TestAddressAndUserCountApart(t *testing.T) {
	a := newAttacker(t)
	a.Failed(a.now, Attempt{Address: "addr", User: "bob"})
	a.Failed(a.now, Attempt{Address: "addr", User: "eve"})
	a.want("the address has failed twice", 1000*ms, "addr", "carol")
	a.want("the user once, from wherever", 500*ms, "other", "bob")
	a.want("a user is no address", 0, "bob", "addr")
	a.want("without address and user nobody waits", 0, "", "")
	a.Failed(a.now, Attempt{Address: "", User: ""})
	if addresses, users := a.Len(); addresses != 1 || users != 2 {
		t.Errorf("one address and two users are remembered, not %d and %d", addresses, users)
	}
}

func TestSuccessForgets(t *testing.T) {
	a := newAttacker(t)
	a.Succeeded(Attempt{Address: "addr", User: "bob"})
	for range 5 {
		a.fail("addr", "bob")
	}
	a.now = a.now.Add(time.Minute)
	a.want("the turn comes", 0, "addr", "bob")
	a.Succeeded(Attempt{Address: "addr", User: "bob"})
	a.want("nobody waits after a success", 0, "addr", "bob")
	a.fail("addr", "bob")
	a.want("and counting begins anew", 500*ms, "addr", "bob")
}

func TestAKnownClientIsMeasuredByItsOwnFailures(t *testing.T) {
	a := newAttacker(t)
	want := func(sentence string, want time.Duration, who Attempt) {
		t.Helper()
		if got := a.Wait(a.now, who); got != want {
			t.Errorf("%s: %+v waits %v, want %v", sentence, who, got, want)
		}
	}
	valve := Attempt{"addr", "bob", "valve"}
	a.Succeeded(valve)
	for range 8 {
		a.fail("addr", "bob")
	}
	want("others' failures are not its own", 0, valve)
	want("whoever has another client id is not it", 30000*ms, Attempt{"addr", "bob", "pump"})
	want("nor from another address", 30000*ms, Attempt{"other", "bob", "valve"})
	want("nor by another name", 2000*ms, Attempt{"addr", "ann", "valve"})
	for range 2 {
		a.Failed(a.now, valve)
	}
	want("its own count", 1000*ms, valve)
	a.Failed(a.now, Attempt{"yard", "eve", "hose"})
	a.Succeeded(Attempt{"yard", "eve", "hose"})
	a.Failed(a.now, Attempt{"yard", "eve", "hose"})
	want("and hold nobody else back", 0, Attempt{"yard", "eve", "rake"})
	want("but it", 500*ms, Attempt{"yard", "eve", "hose"})
	a.now = a.now.Add(1000 * ms)
	want("one may try as the known client", 0, valve)
	want("the next one waits as if that had failed", 1000*ms, valve)
	a.Succeeded(valve)
	want("a success forgets", 0, valve)
}

func TestTenMinutesForget(t *testing.T) {
	a := newAttacker(t)
	for range 8 {
		a.fail("addr", "bob")
	}
	a.now = a.now.Add(throttleForgets - 1)
	a.Failed(a.now, Attempt{Address: "addr", User: "bob"})
	a.want("before ten minutes it is remembered", 30000*ms, "addr", "bob")
	a.now = a.now.Add(throttleForgets)
	a.want("after ten minutes it is not", 0, "addr", "bob")
	a.Failed(a.now, Attempt{Address: "addr", User: "bob"})
	a.want("and counting begins anew", 500*ms, "addr", "bob")
}

func TestAfterAFailureOneAtATime(t *testing.T) {
	a := newAttacker(t)
	for range 100 {
		a.want("before a failure all may try at once, as a fleet behind one address does after a power cut", 0, "nat", "")
	}
	a.fail("nat", "")
	a.fail("nat", "")
	a.now = a.now.Add(1000 * ms)
	a.want("one may try", 0, "nat", "")
	a.want("the next one waits as if that had failed", 1000*ms, "nat", "")
	a.now = a.now.Add(400 * ms)
	a.Succeeded(Attempt{Address: "nat", User: ""})
	a.want("until it has succeeded", 0, "nat", "")
}

func TestWaitTakesNoTurnWhereTheOtherKeyWaits(t *testing.T) {
	a := newAttacker(t)
	a.Failed(a.now, Attempt{Address: "addr", User: ""})
	a.now = a.now.Add(500 * ms)
	a.Failed(a.now, Attempt{Address: "", User: "bob"})
	a.want("bob waits", 500*ms, "addr", "bob")
	a.want("and has not taken the turn of the address", 0, "addr", "eve")
}

func TestClockSetBack(t *testing.T) {
	a := newAttacker(t)
	a.fail("addr", "bob")
	a.now = a.now.Add(-24 * time.Hour)
	a.want("nobody is locked out for a day", 30*time.Second, "addr", "bob")
}

func TestThrottleIsBounded(t *testing.T) {
	a := newAttacker(t)
	a.Failed(a.now, Attempt{Address: "first", User: strings.Repeat("u", 65535)})
	a.Failed(a.now, Attempt{Address: "second", User: "second"})
	for i := range throttleKeysMax - 2 {
		a.Failed(a.now, Attempt{Address: fmt.Sprint("addr", i), User: fmt.Sprint("user", i)})
		a.Succeeded(Attempt{Client: fmt.Sprint("client", i)})
	}
	a.Failed(a.now, Attempt{Address: "first", User: ""})
	a.want("all are remembered", 1000*ms, "first", "")
	a.Failed(a.now, Attempt{Address: "one more", User: "one more"})
	if addresses, users := a.Len(); addresses != throttleKeysMax || users != throttleKeysMax {
		t.Errorf("%d addresses and users at most, not %d and %d", throttleKeysMax, addresses, users)
	}
	for i := range 10 {
		a.Succeeded(Attempt{Client: fmt.Sprint("one more", i)})
	}
	if n := len(a.known.byKey); n != throttleKeysMax {
		t.Errorf("%d clients at most, not %d", throttleKeysMax, n)
	}
	a.want("the address that failed last is kept", 1000*ms, "first", "")
	a.want("the one that failed longest ago makes room", 0, "second", "")
	a.want("users likewise", 0, "", strings.Repeat("u", 65535))
	a.want("the new one is remembered", 500*ms, "one more", "")
}

func TestAddressKeys(t *testing.T) {
	rows := []struct{ addr, want string }{
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"fe80::1%eth0", "fe80::/64"},
	}
	for _, row := range rows {
		if got := AddressKey(netip.MustParseAddr(row.addr)); got != row.want {
			t.Errorf("%s counts as %s, want %s", row.addr, got, row.want)
		}
	}
}
