package guard

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdg-go/scram"

	"midge/broker/auth"
	"midge/broker/listener"
	"midge/broker/mqtt"
)

func scramUsers(t *testing.T, users ...string) *auth.Passwords {
	t.Helper()
	var file strings.Builder
	for _, u := range users {
		hash, err := auth.Encode(auth.SCRAM, 0, []byte(reverse(u)))
		if err != nil {
			t.Fatal(err)
		}
		file.WriteString(u + ":" + hash + "\n")
	}
	p, err := auth.ParsePasswords("passwords", strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scramLogin takes an exchange to its end.
func scramLogin(t *testing.T, d *Door, l listener.Login, user, password string) listener.Verdict {
	t.Helper()
	c, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	client, x := c.NewConversation(), d.Enhanced("SCRAM-SHA-256", l)
	answer := ""
	for {
		said, err := client.Step(answer)
		if err != nil {
			t.Fatal(err)
		}
		out, v := x.Step(time.Now(), []byte(said))
		if v != nil {
			if _, err := client.Step(string(out)); v.Reason == mqtt.Success && err != nil {
				t.Errorf("who is let in is shown that the server knows the password too: %v", err)
			}
			return *v
		}
		answer = string(out)
	}
}

func TestScramLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		d := h.Door("d", Rules{Passwords: scramUsers(t, "joe", "ann")})
		if d.Enhanced("SCRAM-SHA-1", listener.Login{}) != nil || h.Door("e", Rules{Passwords: passwords(t, "joe")}).Enhanced("SCRAM-SHA-256", listener.Login{}) != nil ||
			h.Door("f", Rules{}).Enhanced("SCRAM-SHA-256", listener.Login{}) != nil {
			t.Error("other methods, and this one where no user has a record for it, are not offered")
		}
		here := listener.Login{Peer: peer(1)}
		named := func(name string) listener.Login {
			return listener.Login{Peer: peer(1), Username: name, HasUsername: true}
		}
		for _, row := range []struct {
			rule           string
			login          listener.Login
			user, password string
			want           mqtt.ReasonCode
		}{
			{"the right password", here, "joe", "eoj", 0},
			{"with the same name in CONNECT", named("joe"), "joe", "eoj", 0},
			{"with another", named("ann"), "joe", "eoj", mqtt.NotAuthorized},
			{"with a certificate of that name", listener.Login{Peer: peer(1), Identity: "joe"}, "joe", "eoj", 0},
			{"with one of another", listener.Login{Peer: peer(1), Identity: "ann"}, "joe", "eoj", mqtt.NotAuthorized},
			{"a wrong password", here, "joe", "joe", mqtt.NotAuthorized},
			{"the right one at once after that", here, "joe", "eoj", mqtt.ServerBusy},
		} {
			v := scramLogin(t, d, row.login, row.user, row.password)
			if v.Reason != row.want || (v.Username == row.user) != (row.want == 0) {
				t.Errorf("%s: %v as %q, not %v", row.rule, v.Reason, v.Username, row.want)
			}
		}
		time.Sleep(time.Second)
		v := scramLogin(t, d, here, "joe", "eoj")
		if v.Reason != mqtt.Success || !d.Stays(&v) {
			t.Errorf("after a moment it is taken again, and its user stays: %v", v.Reason)
		}
		d.SetRules(Rules{Passwords: scramUsers(t, "joe")})
		if d.Stays(&v) {
			t.Error("until its record is another")
		}
		if v := decide(d, attempt("joe", "eoj")); v.Reason != mqtt.Success {
			t.Errorf("the password alone does too: %v", v.Reason)
		}
	})
}
