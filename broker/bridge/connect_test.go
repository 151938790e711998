package bridge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

func TestBridgeBitFallsBack(t *testing.T) {
	rows := []struct {
		sentence string
		refuse   func(p *peer)
	}{
		{"a broker that refuses level 0x84 is asked with level 4", func(p *peer) { p.write(0x20, 2, 0, 1) }},
		{"a broker that closes on level 0x84 is asked with level 4", func(p *peer) { p.cut() }},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, broker.Limits{}, outLine)
				p := r.dial()
				p.wantPrefix("the bridge bit is tried first", "CONNECT level=0x84")
				row.refuse(p)
				p = r.dial()
				p.wantPrefix(row.sentence, "CONNECT level=0x4 ")
				p.write(0x20, 2, 0, 0)
				p.online()
				p.cut()
				p = r.dial()
				p.wantPrefix("what worked is remembered", "CONNECT level=0x4 ")
			})
		})
	}
}

func TestRefusedCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.dial()
		p.wantPrefix("it connects", "CONNECT")
		p.write(0x20, 2, 0, 4)
		if s := r.status(); s.State != Waiting || s.LastError != "upstream.test:1883 refused the user name or password" {
			t.Fatalf("a refusal is one sentence: %+v", s)
		}
		start := time.Now()
		r.accept(false, 0)
		if d := time.Since(start); d < backoffBase {
			t.Errorf("the next attempt waits for the back-off, not %v", d)
		}
	})
}

func TestSlowConnack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.dial()
		p.wantPrefix("it connects", "CONNECT")
		time.Sleep(20 * time.Second)
		r.publish(1, "sensors/a", "x")
		p.silent("nothing is sent before CONNACK")
		p.write(0x20, 2, 0, 0)
		p.online()
		p.want("then it is", "PUBLISH site1/sensors/a=x q1 id=1")
		p.cut()
		p = r.dial()
		start := time.Now()
		p.wantPrefix("it connects", "CONNECT")
		p.want("a CONNACK that does not come ends the attempt", "closed")
		if d := time.Since(start); d != connectTime {
			t.Errorf("the attempt took %v, want %v", d, connectTime)
		}
	})
}

func TestStopWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.dial()
		p.wantPrefix("it connects", "CONNECT")
		start := time.Now()
		r.stop()
		p.want("a bridge that is stopped does not wait for CONNACK", "closed")
		if d := time.Since(start); d > time.Second {
			t.Errorf("the stop took %v, want less than a second", d)
		}
	})
}

func TestStopWithSilentUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		p := r.accept(false, 0).online()
		r.publish(1, "sensors/a", "x")
		p.want("it goes out", "PUBLISH site1/sensors/a=x q1 id=1")
		start := time.Now()
		r.stop()
		p.want("the state goes out", "PUBLISH midge/box/bridge/cloud/state=0 q1 id=32769 retain", "DISCONNECT", "closed")
		if d := time.Since(start); d > time.Second {
			t.Errorf("the stop took %v, want less than a second", d)
		}
	})
}

// TestPoison plays an upstream that closes whenever it sees one message, with others behind it.
func TestPoison(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, broker.Limits{}, outLine)
				r.publish(mqtt.QoS(qos), "sensors/bad", "poison")
				r.publish(1, "sensors/good", "fine")
				conns := 0
				for {
					conns++
					p := r.dial()
					p.connack(conns > 1)
					if good := p.serve("poison"); good != "" {
						if !strings.HasPrefix(good, "PUBLISH site1/sensors/good=fine q1") {
							t.Fatalf("behind the poison comes the next message: got %q", good)
						}
						break
					}
					if conns > 10 {
						t.Fatal("a message that ends every connection is given up after some of them")
					}
				}
				if s := r.status(); s.Dropped["poison"] != 1 || s.Backlog != 0 {
					t.Fatalf("what is given up is counted: %+v", s)
				}
				if conns != trialSuspect+1+trialAlone+1 {
					t.Errorf("it took %d connections, want %d", conns, trialSuspect+1+trialAlone+1)
				}
			})
		})
	}
}

// serve acknowledges everything until the poison comes, on which it closes. It returns the first message that was not
// the bridge's own, or "".
func (p *peer) serve(poison string) (first string) {
	for {
		line := p.next()
		switch {
		case line == "closed":
			return first
		case strings.Contains(line, poison):
			p.cut()
			return first
		case strings.HasPrefix(line, "PUBREL"): // what a QoS 2 message leaves behind
			p.ack(7, packetID(line))
		case strings.HasPrefix(line, "PUBLISH"):
			p.ack(4, packetID(line))
			if !strings.Contains(line, "/state=") {
				return line
			}
		}
	}
}

// TestFlappingLinkIsNotPoison cuts every connection for a while: nothing may be given up.
func TestFlappingLinkIsNotPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Limits{}, outLine)
		r.publish(1, "sensors/a", "x")
		for i := range 20 {
			p := r.dial()
			p.connack(i > 0)
			time.Sleep(time.Second)
			p.cut() // also the control connection, so no message is alone to blame
		}
		if s := r.status(); s.Dropped["poison"] != 0 || s.Backlog != 1 {
			t.Fatalf("a link that always breaks is not the message's fault: %+v", s)
		}
	})
}
