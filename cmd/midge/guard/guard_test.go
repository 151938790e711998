package guard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker/auth"
	"midge/broker/listener"
	"midge/broker/mqtt"
)

// house is a guard with what it logs.
type house struct {
	*Guard
	mu  sync.Mutex
	log bytes.Buffer
}

// Write makes the house the log's target.
func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *house) count(part string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Count(h.log.String(), part)
}

func newHouse() *house {
	h := new(house)
	h.Guard = New(slog.New(slog.NewTextHandler(h, nil)))
	return h
}

// passwords makes a file of users whose passwords are their names turned round, hashed so that a check costs next to nothing.
func passwords(t *testing.T, users ...string) *auth.Passwords {
	t.Helper()
	var file strings.Builder
	for _, u := range users {
		hash, err := auth.Encode(auth.SHA512, 0, []byte(reverse(u)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&file, "%s:%s\n", u, hash)
	}
	p, err := auth.ParsePasswords("passwords", strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func reverse(s string) string {
	var b strings.Builder
	for i := len(s) - 1; i >= 0; i-- {
		b.WriteByte(s[i])
	}
	return b.String()
}

func acl(t *testing.T, file string) *auth.ACL {
	t.Helper()
	a, err := auth.ParseACL("acl", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// peer is an address with the last octet n.
func peer(n byte) net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, n), Port: 1234} }

func attempt(user, password string) listener.Login {
	return listener.Login{ClientID: "c", Username: user, HasUsername: true, Password: []byte(password), HasPassword: true, Peer: peer(1)}
}

// decide takes a log-in to its end.
func decide(d *Door, l listener.Login) listener.Verdict {
	v, later := d.Login(time.Now(), l)
	if later != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
		defer cancel()
		v = later(ctx)
	}
	return v
}

// TestWhoComesIn is reference chapter 1 about anonymous clients, with what Mosquitto 2.0.11 and 2.1 answer.
func TestWhoComesIn(t *testing.T) {
	file := passwords(t, "joe")
	open, closed := Rules{Anonymous: true}, Rules{}
	both, only := Rules{Anonymous: true, Passwords: file}, Rules{Passwords: file}
	right, wrong, unknown := attempt("joe", "eoj"), attempt("joe", "joe"), attempt("eve", "eve")
	nobody := listener.Login{Peer: peer(1)}
	nameless := listener.Login{Password: []byte("eoj"), HasPassword: true, Peer: peer(1)}
	wordless := listener.Login{Username: "joe", HasUsername: true, Peer: peer(1)}
	empty, blank := attempt("", ""), attempt("joe", "")
	certified := listener.Login{Identity: "valve7", Username: "joe", HasUsername: true, Peer: peer(1)}
	for _, row := range []struct {
		rule  string
		rules Rules
		login listener.Login
		user  string
		want  mqtt.ReasonCode
	}{
		{"without a password file anybody comes in", open, nobody, "", 0},
		{"a name that nobody can verify comes in as nobody", open, right, "", 0},
		{"likewise without a password", open, wordless, "", 0},
		{"where nobody may be anonymous and there is no file, nobody comes in", closed, right, "", mqtt.NotAuthorized},
		{"with or without a name", closed, nobody, "", mqtt.NotAuthorized},
		{"a user of the file comes in with the password", only, right, "joe", 0},
		{"also where others may be anonymous", both, right, "joe", 0},
		{"not with another password", only, wrong, "", mqtt.NotAuthorized},
		{"not even where others may be anonymous", both, wrong, "", mqtt.NotAuthorized},
		{"a user who is not in the file is told the same", only, unknown, "", mqtt.NotAuthorized},
		{"also where others may be anonymous", both, unknown, "", mqtt.NotAuthorized},
		{"a user without a password does not come in", only, wordless, "", mqtt.NotAuthorized},
		{"also where others may be anonymous", both, wordless, "", mqtt.NotAuthorized},
		{"an empty password is a wrong one", only, blank, "", mqtt.NotAuthorized},
		{"an empty name is a name", both, empty, "", mqtt.NotAuthorized},
		{"who has no name is anonymous", both, nobody, "", 0},
		{"a password without a name proves nothing (MQTT 5)", both, nameless, "", 0},
		{"and does not help where nobody may be anonymous", only, nameless, "", mqtt.NotAuthorized},
		{"who has no name does not come in where nobody may be anonymous", only, nobody, "", mqtt.NotAuthorized},
		{"whom the transport vouches for needs no password and keeps that name", only, certified, "valve7", 0},
		{"also without a file", closed, certified, "valve7", 0},
	} {
		v := decide(newHouse().Door("d", row.rules), row.login)
		if v.Reason != row.want || v.Username != row.user {
			t.Errorf("%s: got %v as %q, want %v as %q", row.rule, v.Reason, v.Username, row.want, row.user)
		}
	}
}

func TestGuessingIsSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		d := h.Door("d", Rules{Passwords: passwords(t, "joe", "ann")})
		checked, begun := 0, time.Now()
		for time.Since(begun) < 55*time.Second {
			if v := decide(d, attempt("joe", "guess")); v.Reason == mqtt.NotAuthorized {
				checked++
			} else if v.Reason != mqtt.ServerBusy {
				t.Fatalf("a guess is wrong or refused: %v", v.Reason)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if checked < 4 || checked > 9 {
			t.Errorf("a minute of guessing is good for a handful of guesses, not for %d", checked)
		}
		if n := h.count("log-in refused"); n != 1 {
			t.Errorf("it is logged once a minute, not %d times", n)
		}
		other := attempt("joe", "eoj")
		other.Peer = peer(2)
		if v := decide(d, other); v.Reason != mqtt.ServerBusy {
			t.Errorf("another address does not help to guess the same user: %v", v.Reason)
		}
		other.Username, other.Password = "ann", []byte("nna")
		if v := decide(d, other); v.Reason != mqtt.Success {
			t.Errorf("other users at other addresses are not held back: %v", v.Reason)
		}
		time.Sleep(30 * time.Second)
		if v := decide(d, attempt("joe", "eoj")); v.Reason != mqtt.Success {
			t.Errorf("after half a minute the right user comes in: %v", v.Reason)
		}
		if v := decide(d, attempt("joe", "eoj")); v.Reason != mqtt.Success {
			t.Errorf("and a success forgets the failures: %v", v.Reason)
		}
	})
}

// TestStaleDeviceKeepsNobodyOut has a device with an old password behind the same router, or on the same machine, as all the others. It tries again
// every second, for ever.
func TestStaleDeviceKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		d := h.Door("d", Rules{Passwords: passwords(t, "joe", "ann")})
		as := func(client, user, password string) listener.Login {
			l := attempt(user, password)
			l.ClientID = client
			return l
		}
		decide(d, as("valve", "ann", "nna"))
		decide(d, as("pump", "joe", "eoj"))
		ctx, cancel := context.WithCancel(t.Context())
		var stale sync.WaitGroup
		stale.Go(func() {
			for ctx.Err() == nil {
				decide(d, as("stale", "joe", "old"))
				time.Sleep(time.Second)
			}
		})
		time.Sleep(10 * time.Minute)
		if v := decide(d, as("valve", "ann", "nna")); v.Reason != mqtt.Success {
			t.Errorf("a device that was in before comes in again: %v", v.Reason)
		}
		if v := decide(d, as("pump", "joe", "eoj")); v.Reason != mqtt.Success {
			t.Errorf("also one whose user the stale device gives: %v", v.Reason)
		}
		time.Sleep(10*time.Minute + 300*time.Millisecond)
		tries, v := 1, decide(d, as("new", "ann", "nna"))
		for ; v.Reason == mqtt.ServerBusy && tries < 4; tries++ {
			time.Sleep(5 * time.Second)
			v = decide(d, as("new", "ann", "nna"))
		}
		if v.Reason != mqtt.Success {
			t.Errorf("a new device comes in after a few tries: %v after %d", v.Reason, tries)
		}
		cancel()
		stale.Wait()
	})
}

func TestTypingErrorIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newHouse().Door("d", Rules{Passwords: passwords(t, "joe")})
		decide(d, attempt("joe", "eio"))
		begun := time.Now()
		if v := decide(d, attempt("joe", "eoj")); v.Reason != mqtt.Success || time.Since(begun) != 500*time.Millisecond {
			t.Errorf("after one wrong password the right one waits half a second and is taken: %v after %v", v.Reason, time.Since(begun))
		}
	})
}

// TestCrowdBehindOneAddress has devices behind one router log in together while one of them has a wrong password.
func TestCrowdBehindOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		d := h.Door("d", Rules{Passwords: passwords(t, "joe")})
		var all sync.WaitGroup
		var mu sync.Mutex
		verdicts := map[mqtt.ReasonCode]int{}
		for i := range 300 {
			all.Go(func() {
				l := attempt("joe", "eoj")
				if i == 7 {
					l.Username, l.Password = "eve", []byte("?")
				}
				v := decide(d, l)
				mu.Lock()
				verdicts[v.Reason]++
				mu.Unlock()
			})
		}
		all.Wait()
		if verdicts[mqtt.Success] != 299 || verdicts[mqtt.NotAuthorized] != 1 {
			t.Errorf("all but one come in: %v", verdicts)
		}
		if len(h.lines) != 0 || h.waiting != 0 {
			t.Errorf("nobody stands in a line afterwards: %d lines, %d waiting", len(h.lines), h.waiting)
		}
	})
}

func TestLoginEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		d := h.Door("d", Rules{Passwords: passwords(t, "joe")})
		decide(d, attempt("joe", "?"))
		decide(d, attempt("joe", "?"))
		_, later := d.Login(time.Now(), attempt("joe", "eoj"))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		begun := time.Now()
		if v := later(ctx); v.Reason != mqtt.ServerBusy || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("a log-in that is held back ends with its connection: %v after %v", v.Reason, time.Since(begun))
		}
		if len(h.lines) != 0 || h.waiting != 0 {
			t.Errorf("and leaves its line: %d lines, %d waiting", len(h.lines), h.waiting)
		}
	})
}

func TestWhoStays(t *testing.T) {
	before := passwords(t, "joe", "ann", "bob")
	d := newHouse().Door("d", Rules{Anonymous: true, Passwords: before})
	joe, ann, bob := decide(d, attempt("joe", "eoj")), decide(d, attempt("ann", "nna")), decide(d, attempt("bob", "bob"))
	anonymous, certified := decide(d, listener.Login{Peer: peer(1)}), decide(d, listener.Login{Identity: "valve7"})
	if !d.Stays(&joe) || !d.Stays(&anonymous) || !d.Stays(&certified) {
		t.Error("who has just come in stays")
	}
	file := "joe:" + before.Record("joe") + "\nann:" + passwords(t, "ann").Record("ann") + "\n"
	after, err := auth.ParsePasswords("passwords", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	d.SetRules(Rules{Passwords: after})
	for _, row := range []struct {
		who  string
		v    listener.Verdict
		want bool
	}{
		{"a user whose record is the same stays", joe, true},
		{"a user with a new password goes, even if it is the same word", ann, false},
		{"a user who is no longer in the file goes", bob, false},
		{"anonymous clients go when they are no longer allowed", anonymous, false},
		{"a client with a certificate stays", certified, true},
	} {
		if got := d.Stays(&row.v); got != row.want {
			t.Errorf("%s: %v", row.who, got)
		}
	}
}

func TestAccessFollowsItsDoor(t *testing.T) {
	h := newHouse()
	d := h.Door("d", Rules{})
	if a := d.Access("joe", "c"); a != nil {
		t.Errorf("without an ACL file the core has nothing to ask: %v", a)
	}
	d.SetRules(Rules{ACL: acl(t, "user joe\ntopic write out\ntopic read in\npattern readwrite dev/%c\n")})
	a := d.Access("joe", "c")
	if !a.MayWrite("out") || a.MayRead("out") || !a.MayRead("in") || a.MayWrite("in") || !a.MayWrite("dev/c") || a.MayRead("dev/d") {
		t.Error("the file's rules hold")
	}
	d.SetRules(Rules{ACL: acl(t, "user joe\ntopic read out\n")})
	if a.MayWrite("out") || !a.MayRead("out") {
		t.Error("those of another file hold as soon as the door has it")
	}
	if !a.MaySubscribe("in") {
		t.Error("a subscription that brings nothing is taken, as Mosquitto takes it")
	}
	d.SetRules(Rules{ACL: acl(t, "user joe\ntopic read out\n"), CheckSubscribe: true})
	if a.MaySubscribe("in") || !a.MaySubscribe("+") {
		t.Error("where it is to be refused, it is, and no other")
	}
	d.SetRules(Rules{})
	if !a.MayWrite("anything") {
		t.Error("and without a file everything is allowed again")
	}
	if n := testing.AllocsPerRun(100, func() { a.MayRead("in"); a.MayWrite("out") }); n != 0 {
		t.Errorf("asking allocates nothing, not %v times", n)
	}
}

func TestDeniedPublishIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		d := h.Door("d", Rules{ACL: acl(t, "")})
		joe, ann := d.Access("joe", "c1"), d.Access("ann", "c2")
		for range 1000 {
			joe.MayWrite("t")
		}
		ann.MayWrite("t")
		synctest.Wait()
		ann.MayWrite("t")
		synctest.Wait()
		if one, two := h.count("client=c1"), h.count("client=c2"); one != 1 || two != 1 {
			t.Errorf("each client is logged once: %d and %d times", one, two)
		}
		time.Sleep(time.Minute)
		joe.MayWrite("t")
		synctest.Wait()
		if n := h.count("client=c1"); n != 2 {
			t.Errorf("and again in the next minute: %d times in all", n)
		}
		cancel()
		<-done
	})
}

func BenchmarkAccess(b *testing.B) {
	a, err := auth.ParseACL("acl", strings.NewReader("user joe\ntopic read in/#\n"))
	if err != nil {
		b.Fatal(err)
	}
	d := newHouse().Door("d", Rules{ACL: a})
	joe := d.Access("joe", "c")
	for b.Loop() {
		joe.MayRead("in/a/b")
	}
}
