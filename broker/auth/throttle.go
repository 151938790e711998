package auth

import (
	"container/list"
	"hash/maphash"
	"net/netip"
	"time"
)

// What a Throttle does with those who guess.
const (
	throttleFirst   = 500 * time.Millisecond // after the first failure; each further one doubles it
	throttleLongest = 30 * time.Second
	throttleForgets = 10 * time.Minute // after the last failure
	throttleKeysMax = 10_000           // addresses, and as many users; the ones that failed longest ago make room
)

// Throttle slows those who try passwords: per address, and per user so that many addresses do not help. It is a machine: time is an argument
// and the owner locks. The zero Throttle is ready.
//
// The sequence of a log-in is Wait, which is 0 or how long to hold the log-in back or for how long to refuse it; then the check; then Failed or
// Succeeded. A log-in that was refused without a check is not reported.
//
// The longest wait is 30 s: someone else's guesses make a device late, they never lock it out.
type Throttle struct {
	addresses, users failures
}

// AddressKey is the form in which a Throttle counts an address: whoever has an IPv6 address has the whole /64 (RFC 4291 §2.5.4).
func AddressKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return prefix.String()
	}
	return addr.String()
}

// Wait returns how long this log-in must wait; 0 means now. "" for the address or the user leaves it out.
//
// After a failure only one log-in at a time is let in per address and user: with 0 the turn is taken, and further log-ins wait as if it had
// failed, until it has succeeded. Else a thousand connections that come at once would have a thousand guesses.
func (t *Throttle) Wait(now time.Time, address, user string) time.Duration {
	a, u := t.addresses.get(now, address), t.users.get(now, user)
	if wait := max(a.wait(now), u.wait(now)); wait > 0 {
		return wait
	}
	a.takeTurn(now)
	u.takeTurn(now)
	return 0
}

// Failed counts a wrong password, or an unknown user.
func (t *Throttle) Failed(now time.Time, address, user string) {
	t.addresses.add(now, address)
	t.users.add(now, user)
}

// Succeeded forgets the failures of both.
func (t *Throttle) Succeeded(address, user string) {
	t.addresses.forget(address)
	t.users.forget(user)
}

// Len is the number of addresses and users that are remembered; each is at most 10,000.
func (t *Throttle) Len() (addresses, users int) { return len(t.addresses.byKey), len(t.users.byKey) }

// failures are those of one sort of key. Keys are kept as hashes: a user name may have 64 KiB.
type failures struct {
	seed  maphash.Seed
	byKey map[uint64]*list.Element // of *failure
	order list.List                // the one that failed last in front
}

type failure struct {
	key   uint64
	count int
	last  time.Time
	until time.Time // nobody gets in before
}

// get returns what is remembered of the key; nil = nothing.
func (f *failures) get(now time.Time, key string) *failure {
	if key == "" || f.byKey == nil {
		return nil
	}
	e := f.byKey[maphash.String(f.seed, key)]
	if e == nil {
		return nil
	}
	one := e.Value.(*failure)
	if now.Sub(one.last) >= throttleForgets {
		f.remove(e)
		return nil
	}
	return one
}

func (f *failures) add(now time.Time, key string) {
	if key == "" {
		return
	}
	if f.byKey == nil {
		f.seed, f.byKey = maphash.MakeSeed(), map[uint64]*list.Element{}
	}
	one := f.get(now, key)
	if one == nil {
		for len(f.byKey) >= throttleKeysMax {
			f.remove(f.order.Back())
		}
		one = &failure{key: maphash.String(f.seed, key)}
		f.byKey[one.key] = f.order.PushFront(one)
	}
	f.order.MoveToFront(f.byKey[one.key])
	one.count++
	one.last, one.until = now, now.Add(one.delay())
}

func (f *failures) forget(key string) {
	if f.byKey == nil {
		return
	}
	if e := f.byKey[maphash.String(f.seed, key)]; e != nil {
		f.remove(e)
	}
}

func (f *failures) remove(e *list.Element) {
	delete(f.byKey, e.Value.(*failure).key)
	f.order.Remove(e)
}

// delay is 0.5 s, 1 s, 2 s … 16 s, 30 s.
func (o *failure) delay() time.Duration {
	if o.count > 6 {
		return throttleLongest
	}
	return throttleFirst << (o.count - 1)
}

func (o *failure) wait(now time.Time) time.Duration {
	if o == nil {
		return 0
	}
	return min(max(o.until.Sub(now), 0), throttleLongest) // a clock that was set back locks nobody out
}

func (o *failure) takeTurn(now time.Time) {
	if o != nil {
		o.until = now.Add(o.delay())
	}
}
