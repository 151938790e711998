package normative

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"midge/broker/mqtt"
)

// Steps, for a client a:
//
//	server KEY=VALUE …      before all others: settings of the server, see world_test.go
//	a> PACKET               a sends; it connects first if it is not connected
//	a< PACKET               this comes to a next
//	a< nothing              nothing more has come to a, and the connection is open
//	a< end                  the server ends the connection
//	a< fault 81             it ends it for a fault: with DISCONNECT and this reason in MQTT 5, without a word in MQTT 3
//	a joins WORDS           CONNECT with these words is accepted; «present» is expected of CONNACK
//	a takes FILTER …        SUBSCRIBE to them is granted as it asks
//	a pings                 PINGREQ is answered by PINGRESP, after whatever was expected before
//	a drops                 a's network connection is lost
//	a leaves                DISCONNECT, and the connection is closed
//	after 15s               time passes
//	server ends             the server is stopped
//
// A step behind «5:», «3:», «3.1:» or «3.1.1:» is played in that version alone.

// player plays one trace.
type player struct {
	world   world
	v       mqtt.Version
	clients map[string]peer
}

// world is the server and how clients reach it.
type world interface {
	dial() peer
	set(key, value string) // a setting of the server, before the first dial
	wait(d time.Duration)
	end() // ends the server
}

// peer is a client's end of a connection.
type peer interface {
	send(b []byte)
	// next returns the packet that comes next. When none comes it is nil, and ended tells whether the connection has ended.
	next() (b []byte, ended bool)
	drop()
	// closed reports whether this side has ended the connection.
	closed() bool
}

// play plays one step. What is wrong with the server is an error; what is wrong with the step panics.
func (p *player) play(text string) error {
	if only, rest, ok := strings.Cut(text, ": "); ok && isGuard(only) {
		if !guards(only, p.v) {
			return nil
		}
		text = rest
	}
	who, what, _ := strings.Cut(text, " ")
	switch {
	case who == "after":
		d, err := time.ParseDuration(what)
		if err != nil {
			panic(err)
		}
		p.world.wait(d)
		return nil
	case text == "server ends":
		p.world.end()
		return nil
	case who == "server":
		for _, w := range splitWords(what, p.v) {
			key, val, _ := strings.Cut(w, "=")
			p.world.set(key, val)
		}
		return nil
	case strings.HasSuffix(who, ">"):
		p.sends(strings.TrimSuffix(who, ">"), what)
		return nil
	case strings.HasSuffix(who, "<"):
		return p.expects(strings.TrimSuffix(who, "<"), splitWords(what, p.v))
	}
	verb, words, _ := strings.Cut(what, " ")
	return p.does(who, verb, words)
}

func (p *player) does(who, verb, words string) error {
	switch verb {
	case "joins":
		all := splitWords(words, p.v)
		present := slices.Contains(all, "present")
		all = slices.DeleteFunc(all, func(w string) bool { return w == "present" })
		p.sendPacket(who, packetText{"CONNECT", all})
		if present && p.v != mqtt.V31 { // which cannot tell
			return p.expects(who, []string{"CONNACK", "present"})
		}
		return p.expects(who, []string{"CONNACK"})
	case "takes":
		all := splitWords(words, p.v)
		p.sendPacket(who, packetText{"SUBSCRIBE", append(all, "id=60000")})
		var granted []string
		for _, w := range all {
			if strings.Contains(w, "=") && !strings.Contains(w, "@") {
				continue // a property
			}
			granted = append(granted, fmt.Sprintf("%02x", subscription(w).QoS))
		}
		return p.expects(who, []string{"SUBACK", "id=60000", strings.Join(granted, ",")})
	case "pings":
		p.sendPacket(who, packetText{name: "PINGREQ"})
		return p.expects(who, []string{"PINGRESP"})
	case "leaves":
		p.sendPacket(who, packetText{name: "DISCONNECT"})
		return p.expects(who, []string{"end"})
	case "drops":
		p.client(who).drop()
		return nil
	}
	panic("step is not understood")
}

// client returns who's connection, a new one if the last has ended.
func (p *player) client(who string) peer {
	c := p.clients[who]
	if c == nil || c.closed() {
		c = p.world.dial()
		p.clients[who] = c
	}
	return c
}

func (p *player) sends(who, what string) {
	words := splitWords(what, p.v)
	p.sendPacket(who, packetText{words[0], words[1:]})
}

func (p *player) sendPacket(who string, packet packetText) {
	b := packet.encode(p.v, who)
	p.client(who).send(b)
}

func (p *player) expects(who string, want []string) error {
	switch want[0] {
	case "nothing":
		return p.silent(who)
	case "end":
		return p.ended(who)
	case "fault":
		if p.v == mqtt.V5 {
			if err := p.expects(who, []string{"DISCONNECT", "reason=" + want[1]}); err != nil {
				return err
			}
		}
		return p.ended(who)
	}
	b, ended := p.client(who).next()
	switch {
	case b == nil && ended:
		return fmt.Errorf("the connection has ended instead")
	case b == nil:
		return fmt.Errorf("nothing came")
	}
	if want[0] == "RAW" {
		if !bytes.Equal(b, raw(want[1:])) {
			return fmt.Errorf("came: % x", b)
		}
		return nil
	}
	got, err := decode(b, p.v)
	if err != nil {
		return fmt.Errorf("came: % x, which is wrong: %w", b, err)
	}
	if !same(normal(want), got) {
		return fmt.Errorf("came: %s", strings.Join(got, " "))
	}
	return nil
}

// normal writes expected words as decode does.
func normal(want []string) []string {
	want = slices.Clone(want)
	if want[0] == "PUBLISH" && len(want) == 2 {
		want = append(want, "''")
	}
	for i, w := range want {
		if key, val, ok := strings.Cut(w, "="); ok && !strings.HasPrefix(w, "'") {
			if id, known := mqtt.PropertyByName(key); known && id != mqtt.PropUserProperty && val != "none" {
				want[i] = key + "=" + short(value(val))
			}
		}
	}
	return want
}

func (p *player) silent(who string) error {
	b, ended := p.client(who).next()
	switch {
	case ended:
		return fmt.Errorf("the connection has ended instead")
	case b != nil:
		got, err := decode(b, p.v)
		return fmt.Errorf("came: %s (% x, %v)", strings.Join(got, " "), b, err)
	}
	return nil
}

func (p *player) ended(who string) error {
	c := p.client(who)
	b, ended := c.next()
	if b != nil {
		got, _ := decode(b, p.v)
		return fmt.Errorf("came: %s", strings.Join(got, " "))
	}
	if !ended {
		return fmt.Errorf("it is still open")
	}
	c.drop()
	return nil
}

// rest checks that nothing has come to anybody that the trace does not expect.
func (p *player) rest() error {
	for who, c := range p.clients {
		if c.closed() {
			continue
		}
		if b, ended := c.next(); b != nil {
			got, err := decode(b, p.v)
			return fmt.Errorf("at the end there is for %s: %s (% x, %v)", who, strings.Join(got, " "), b, err)
		} else if ended {
			return fmt.Errorf("at the end the connection of %s is open, or the trace expects its end", who)
		}
	}
	return nil
}
