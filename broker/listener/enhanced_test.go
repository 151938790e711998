package listener

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// riddler knows the method "riddle": it asks "who?", and "name!" is let in under that name; "no" is not.
type riddler struct {
	porter
	asked []Login
}

func (r *riddler) Enhanced(method string, l Login) Exchange {
	if method != "riddle" {
		return nil
	}
	r.asked = append(r.asked, l)
	return new(riddle)
}

type riddle struct{}

func (*riddle) Step(_ time.Time, data []byte) (answer []byte, v *Verdict) {
	name, ok := strings.CutSuffix(string(data), "!")
	switch {
	case ok:
		return []byte("welcome"), &Verdict{Username: name}
	case name == "no":
		return nil, &Verdict{Reason: mqtt.NotAuthorized, Why: "wrong answer"}
	}
	return []byte("who?"), nil
}

// authProps are the properties that enhanced authentication uses.
func authProps(method, data string) *mqtt.Properties {
	p := new(mqtt.Properties)
	if method != "" {
		p.AuthMethod = method
		p.Mark(mqtt.PropAuthMethod)
	}
	if data != "" {
		p.AuthData = []byte(data)
		p.Mark(mqtt.PropAuthData)
	}
	return p
}

// say sends AUTH.
func (c *client) say(r mqtt.ReasonCode, method, data string) {
	p := mqtt.Auth{Reason: r, Props: authProps(method, data)}
	c.send(p.Append(nil))
}

// hear wants AUTH.
func (c *client) hear(sentence string, r mqtt.ReasonCode, data string) {
	c.h.t.Helper()
	p := mqtt.Auth{Reason: r, Props: authProps("riddle", data)}
	c.want(sentence, p.Append(nil)...)
}

func (c *client) hello(id, method, data string) {
	p := mqtt.Connect{Version: mqtt.V5, ClientID: id, CleanStart: true, Props: authProps(method, data)}
	c.send(p.Append(nil))
}

// wantConnack wants CONNACK and returns its properties.
func (c *client) wantConnack(sentence string, r mqtt.ReasonCode) *mqtt.Properties {
	c.h.t.Helper()
	got := c.next()
	if len(got) < 5 || got[0] != 0x20 {
		c.h.t.Fatalf("%s: got % x, not CONNACK", sentence, got)
	}
	h, _ := mqtt.ParseHeader(got)
	p, err := mqtt.ParseConnack(h.First, got[h.Size:], mqtt.V5)
	if err != nil || p.Reason != r {
		c.h.t.Fatalf("%s: got %v, %v; want %v", sentence, p.Reason, err, r)
	}
	return p.Props
}

// Tests MQTT 5: 3.15.2-1 4.12.0-2 4.12.0-5
func TestEnhancedAuthentication(t *testing.T) {
	const more, again = mqtt.ContinueAuthentication, mqtt.ReAuthenticate
	r := new(riddler)
	in(t, Policy{Auth: r}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5)
		c.hello("c", "riddle", "hello")
		c.hear("the server asks", more, "who?")
		c.say(more, "riddle", "what?")
		c.hear("as often as it likes", more, "who?")
		c.say(more, "riddle", "joe!")
		props := c.wantConnack("the right answer lets the client in", mqtt.Success)
		if props.AuthMethod != "riddle" || string(props.AuthData) != "welcome" {
			t.Errorf("CONNACK names the method and has the server's last word: %q, %q", props.AuthMethod, props.AuthData)
		}
		c.publish("mine/t", "x", 1, 1)
		c.want("the client is in", 0x40, 3, 0, 1, byte(mqtt.NoMatchingSubscribers))

		c.say(again, "riddle", "again")
		c.hear("it may prove itself again", more, "who?")
		c.publish("mine/t", "x", 1, 2)
		c.want("other packets go on meanwhile", 0x40, 3, 0, 2, byte(mqtt.NoMatchingSubscribers))
		c.say(more, "riddle", "joe!")
		c.hear("and is told when it has", mqtt.Success, "welcome")
		if n := len(r.asked); n != 2 || r.asked[1].Username != "joe" || r.asked[1].ClientID != "c" {
			t.Errorf("who asks is known: %+v", r.asked)
		}
		c.say(again, "riddle", "again")
		c.hear("once more", more, "who?")
		c.say(more, "riddle", "ann!")
		if got := c.next(); len(got) < 3 || got[0] != 0xE0 || got[2] != byte(mqtt.NotAuthorized) {
			t.Errorf("somebody else is not the client: got % x", got)
		}
		c.wantClosed("and goes")

		direct := h.dial(mqtt.V5)
		direct.hello("direct", "riddle", "joe!")
		direct.wantConnack("an answer that needs no question lets in at once", mqtt.Success)
	})
}

// TestEnhancedAuthenticationFaults is what clients may not do.
//
// Tests MQTT 5: 4.12.0-4 4.12.0-5 4.12.1-1 4.12.1-2
func TestEnhancedAuthenticationFaults(t *testing.T) {
	const more, again = mqtt.ContinueAuthentication, mqtt.ReAuthenticate
	auth := func(r mqtt.ReasonCode, method, data string) []byte {
		p := mqtt.Auth{Reason: r, Props: authProps(method, data)}
		return p.Append(nil)
	}
	wrong := mqtt.Publish{Topic: []byte("mine/t")}
	for _, row := range []struct {
		name    string
		in      bool // the client is let in first
		send    []byte
		connack mqtt.ReasonCode // in answer, before it is in
		goodbye mqtt.ReasonCode // in DISCONNECT, once it is
	}{
		{"a wrong answer", false, auth(more, "riddle", "no"), mqtt.NotAuthorized, 0},
		{"another method", false, auth(more, "other", "x"), mqtt.ProtocolError, 0},
		{"no method", false, auth(more, "", ""), mqtt.ProtocolError, 0},
		{"re-authentication before the first has ended", false, auth(again, "riddle", "x"), mqtt.ProtocolError, 0},
		{"success in the client's mouth", false, auth(mqtt.Success, "riddle", "x"), mqtt.ProtocolError, 0},
		{"a packet before CONNACK", false, wrong.Append(nil, mqtt.V5), mqtt.ProtocolError, 0},
		{"a second CONNECT before CONNACK", false, connectPacket(mqtt.V5, "x"), mqtt.ProtocolError, 0},
		{"a reason that AUTH has not", false, []byte{0xF0, 2, 0x87, 0}, mqtt.ProtocolError, 0},
		{"a malformed AUTH", false, []byte{0xF1, 0}, mqtt.MalformedPacket, 0},
		{"a wrong answer when it is in", true, append(auth(again, "riddle", "x"), auth(more, "riddle", "no")...), 0, mqtt.NotAuthorized},
		{"another method when it is in", true, auth(again, "other", "x"), 0, mqtt.ProtocolError},
		{"an answer to no question", true, auth(more, "riddle", "x"), 0, mqtt.ProtocolError},
		{"two re-authentications at once", true, append(auth(again, "riddle", "x"), auth(again, "riddle", "x")...), 0, mqtt.ProtocolError},
	} {
		t.Run(row.name, func(t *testing.T) {
			in(t, Policy{Auth: new(riddler)}, broker.Limits{}, func(h *house) {
				c := h.dial(mqtt.V5)
				if row.in {
					c.hello("c", "riddle", "joe!")
					c.wantConnack("the client is in", mqtt.Success)
				} else {
					c.hello("c", "riddle", "")
					c.hear("a client that says nothing yet is asked", more, "who?")
				}
				c.send(row.send)
				if !row.in {
					c.wantConnack("it is refused", row.connack)
				} else {
					got := c.next()
					for ; len(got) > 0 && got[0] == 0xF0; got = c.next() {
					}
					if len(got) < 3 || got[0] != 0xE0 || got[2] != byte(row.goodbye) {
						t.Errorf("it is told why: got % x, want %v", got, row.goodbye)
					}
				}
				time.Sleep(lingerWait)
				c.wantClosed("and disconnected")
			})
		})
	}
	in(t, Policy{Auth: new(riddler)}, broker.Limits{}, func(h *house) {
		c := h.dial(mqtt.V5)
		c.hello("c", "other", "x")
		c.wantConnack("a method that nobody knows is refused by its own reason", mqtt.BadAuthenticationMethod)
		c = h.dial(mqtt.V5)
		c.hello("c", "riddle", "x")
		c.hear("an exchange is under way", mqtt.ContinueAuthentication, "who?")
		time.Sleep(connectTimeout)
		c.wantClosed("it has the time that CONNECT has and no more")
		c = h.dial(mqtt.V5)
		c.hello("c", "riddle", "x")
		c.hear("an exchange is under way", mqtt.ContinueAuthentication, "who?")
		goodbye := mqtt.Disconnect{}
		c.send(goodbye.Append(nil, mqtt.V5))
		c.wantClosed("the client may go instead")
	})
}

// FuzzEnhanced sends what a client may say behind a CONNECT with a method. Without the right answer nobody is let in, and whatever comes the server goes on serving.
func FuzzEnhanced(f *testing.F) {
	packet := func(r mqtt.ReasonCode, data string) []byte {
		p := mqtt.Auth{Reason: r, Props: authProps("riddle", data)}
		return p.Append(nil)
	}
	const more, again = mqtt.ContinueAuthentication, mqtt.ReAuthenticate
	f.Add("", join(packet(more, "x"), packet(more, "no")))
	f.Add("x", join(packet(more, "joe!"), packet(again, "x"), packet(more, "joe!"), packet(more, "x")))
	f.Add("joe!", join(packet(again, "x"), publishPacket(mqtt.V5, "mine/t", "x", 1, 1), packet(again, "x")))
	f.Add("x", join(publishPacket(mqtt.V5, "mine/t", "x", 0, 0), packet(mqtt.Success, "x")))
	f.Fuzz(func(t *testing.T, first string, octets []byte) {
		if len(first)+len(octets) > 2048 {
			return
		}
		in(t, Policy{Auth: new(riddler)}, broker.Limits{}, func(h *house) {
			c := h.dial(mqtt.V5)
			c.hello("c", "riddle", first)
			c.send(octets)
			knows := strings.HasSuffix(first, "!") || bytes.Contains(octets, []byte("!"))
			for p := c.next(); p != nil; p = c.next() {
				if p[0] == 0x20 && p[3] == 0 && !knows {
					t.Fatalf("nobody is let in without the answer: %q, % x", first, octets)
				}
			}
			c.nc.Close()
			other := h.dial(mqtt.V5)
			other.hello("other", "riddle", "ann!")
			other.wantConnack("the next client is served", mqtt.Success)
		})
	})
}
