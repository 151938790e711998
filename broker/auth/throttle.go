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
	throttleLongest = 30 * time.Second       // of a user, and of a client that has been let in before
	throttleAddress = 2 * time.Second        // of an address: many who have nothing to do with each other may share it
	throttleForgets = 10 * time.Minute       // after the last failure
	throttleKeysMax = 10_000                 // addresses, as many users, and as many clients; those of longest ago make room
)

// Throttle slows those who try passwords: per address, and per user so that many addresses do not help. It is a machine: time is an argument
// and the owner locks. The zero Throttle is ready.
//
// The sequence of a log-in is Wait, which is 0 or how long to hold the log-in back or for how long to refuse it; then the check; then Failed or
// Succeeded. A log-in that was refused without a check is not reported.
//
// A client that has been let in is measured by its own failures alone, and they count for it alone. Else one device with an old password, which
// tries again every second for ever, would keep out all that share its address (a router's, or loopback) or its user.
type Throttle struct {
	addresses, users failures
	known            failures // clients that have been let in; most have no failure
}

// An Attempt is a log-in as a Throttle sees it. What is "" is left out.
type Attempt struct {
	Address string // see AddressKey
	User    string
	Client  string // client id
}

// key is the client that has been let in, or that tries to pass for it: it has to come from the same address by the same name.
func (a Attempt) key() string { return a.Address + "\x00" + a.User + "\x00" + a.Client }

// AddressKey is the form in which a Throttle counts an address: whoever has an IPv6 address has the whole /64 (RFC 4291 §2.5.4).
func AddressKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return prefix.String()
	}
	return addr.String()
}

// Wait returns how long this log-in must wait; 0 means now.
//
// After a failure only one log-in at a time is let in per address and user: with 0 the turn is taken, and further log-ins wait as if it had
// failed, until it has succeeded. Else a thousand connections that come at once would have a thousand guesses.
func (t *Throttle) Wait(now time.Time, a Attempt) time.Duration {
	if k := t.known.find(a.key()); k != nil {
		wait := k.wait(now)
		if wait == 0 {
			k.takeTurn(now)
		}
		return wait
	}
	of, by := t.addresses.find(a.Address), t.users.find(a.User)
	if wait := max(of.wait(now), by.wait(now)); wait > 0 {
		return wait
	}
	of.takeTurn(now)
	by.takeTurn(now)
	return 0
}

// Failed counts a wrong password, or an unknown user.
func (t *Throttle) Failed(now time.Time, a Attempt) {
	if t.known.find(a.key()) != nil {
		t.known.add(now, a.key(), throttleLongest)
		return
	}
	t.addresses.add(now, a.Address, throttleAddress)
	t.users.add(now, a.User, throttleLongest)
}

// Succeeded forgets the failures of the address and the user, and knows the client from now on.
func (t *Throttle) Succeeded(a Attempt) {
	t.addresses.forget(a.Address)
	t.users.forget(a.User)
	*t.known.enter(a.key()) = failure{key: t.known.hash(a.key())}
}

// Len is the number of addresses and users that are remembered; each is at most 10,000.
func (t *Throttle) Len() (addresses, users int) { return len(t.addresses.byKey), len(t.users.byKey) }

// failures are those of one sort of key. Keys are kept as hashes: a user name may have 64 KiB.
type failures struct {
	seed  maphash.Seed
	byKey map[uint64]*list.Element // of *failure
	order list.List                // the one that was entered last in front
}

type failure struct {
	key     uint64
	count   int
	longest time.Duration
	last    time.Time
	until   time.Time // nobody gets in before
}

func (f *failures) hash(key string) uint64 { return maphash.String(f.seed, key) }

// find returns what is remembered of the key; nil = nothing.
func (f *failures) find(key string) *failure {
	if key == "" || f.byKey == nil {
		return nil
	}
	if e := f.byKey[f.hash(key)]; e != nil {
		return e.Value.(*failure)
	}
	return nil
}

// enter returns what is remembered of the key, from now on at the latest. It makes room where it has to.
func (f *failures) enter(key string) *failure {
	if f.byKey == nil {
		f.seed, f.byKey = maphash.MakeSeed(), map[uint64]*list.Element{}
	}
	one := f.find(key)
	if one == nil {
		for len(f.byKey) >= throttleKeysMax {
			f.remove(f.order.Back())
		}
		one = &failure{key: f.hash(key)}
		f.byKey[one.key] = f.order.PushFront(one)
	}
	f.order.MoveToFront(f.byKey[one.key])
	return one
}

func (f *failures) add(now time.Time, key string, longest time.Duration) {
	if key == "" {
		return
	}
	one := f.enter(key)
	if now.Sub(one.last) >= throttleForgets {
		one.count = 0
	}
	one.count++
	one.longest = longest
	one.last, one.until = now, now.Add(one.delay())
}

func (f *failures) forget(key string) {
	if one := f.find(key); one != nil {
		f.remove(f.byKey[one.key])
	}
}

func (f *failures) remove(e *list.Element) {
	delete(f.byKey, e.Value.(*failure).key)
	f.order.Remove(e)
}

// delay is 0.5 s, 1 s, 2 s … 16 s, 30 s, but not more than the longest.
func (o *failure) delay() time.Duration {
	if o.count > 6 {
		return o.longest
	}
	return min(throttleFirst<<(o.count-1), o.longest)
}

// fresh reports whether there are failures that still count.
func (o *failure) fresh(now time.Time) bool {
	return o != nil && o.count > 0 && now.Sub(o.last) < throttleForgets
}

func (o *failure) wait(now time.Time) time.Duration {
	if !o.fresh(now) {
		return 0
	}
	return min(max(o.until.Sub(now), 0), o.longest) // a clock that was set back locks nobody out
}

func (o *failure) takeTurn(now time.Time) {
	if o.fresh(now) {
		o.until = now.Add(o.delay())
	}
}
