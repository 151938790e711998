package auth

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/internal/peertest"
)

// patience is how long a real process may take for anything. Nothing waits for it when all is well.
const patience = 30 * time.Second

// TestACLAgainstMosquitto starts a real Mosquitto with random ACL files and compares what it lets through with what Access says.
func TestACLAgainstMosquitto(t *testing.T) {
	const seed = 20301
	r := rand.New(rand.NewPCG(seed, 0))
	var allowed, denied int
	for round := range 40 {
		file := randomACL(r)
		acl := mustACL(t, file)
		p := startMosquitto(t, file)
		admin := p.connect("admin", "admin-id")
		for range 4 {
			user, id := pick(r, "", "b", "b", "u", "u", "x+", "u#y"), pick(r, "a", "a", "c1", "a/b", "x+", "%u")
			client, access := p.connect(user, id), acl.For(user, id)
			for _, name := range probes {
				check := func(what string, got, want bool) {
					t.Helper()
					if got != want {
						t.Errorf("seed %d round %d: user %q, client id %q, %s %q: Mosquitto says %v, Access %v with\n%s",
							seed, round, user, id, what, name, want, got, file)
					}
					if want {
						allowed++
					} else {
						denied++
					}
				}
				check("write", access.MayWrite(name), client.maySend(name))
				if adminMaySend(name) {
					check("read", access.MayRead(name), client.mayReceive(name, admin))
				}
			}
			client.Close()
		}
		admin.Close()
		p.Stop()
	}
	if allowed < 500 || denied < 500 {
		t.Errorf("%d probes were allowed and %d denied: too one-sided to tell anything", allowed, denied)
	}
}

var probes = []string{
	"a", "b", "a/", "/a", "a/b", "a/a", "a/b/c", "u/a", "b/c1", "a/b/a", "x/a/b", "xay", "c1", "u", "%c", "a/%u",
	"$other", "$other/a", "$SYS/a", "$SYSTEM/a", "$SYS/broker/connection/a/state", "$share/a/b",
}

// adminMaySend tells where the read probe is possible: what nobody can publish nobody can be seen to receive.
func adminMaySend(name string) bool {
	return !reserved(name) && !strings.HasPrefix(name, "$share")
}

// randomACL writes a small file over few names, so that entries overlap.
func randomACL(r *rand.Rand) string {
	levels := []string{"a", "a", "b", "+", "+", "%c", "%u", "x%cy", "", "x", "u", "c1"}
	var lines []string
	for range 10 + r.IntN(20) {
		if r.IntN(4) == 0 {
			lines = append(lines, "user "+pick(r, "b", "b", "u", "x+"))
			continue
		}
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = pick(r, levels...)
		}
		filter := strings.Join(parts, "/")
		switch r.IntN(8) {
		case 0, 1, 2:
			filter += "/#"
		case 3:
			filter = "$other/" + filter
		case 4:
			filter = pick(r, "#", "$SYS/#", "$SYSTEM/#", "$SYS/broker/connection/+/state", "$other/#", "$share/#", "+/+", "+")
		}
		if filter == "" {
			continue
		}
		lines = append(lines, pick(r, "topic", "topic", "pattern")+" "+pick(r, "read ", "write ", "readwrite ", "", "deny ")+filter)
	}
	return strings.Join(append(lines, "user admin", "topic #", "topic $other/#", "topic $SYS/#", "topic $SYSTEM/#"), "\n") + "\n"
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// mosquitto is a real broker with an ACL file.
type mosquitto struct {
	*peertest.Mosquitto
	t *testing.T
}

// startMosquitto returns when its listener is open.
func startMosquitto(t *testing.T, acl string) *mosquitto {
	t.Helper()
	file := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(file, []byte(acl), 0o600); err != nil {
		t.Fatal(err)
	}
	return &mosquitto{peertest.StartMosquitto(t, "allow_anonymous true", "set_tcp_nodelay true", "acl_file "+file), t}
}

// client is an MQTT 5 connection that waits for every answer.
type client struct {
	net.Conn
	t       *testing.T
	id      uint16 // of the last packet
	buf     []byte
	arrived []string // topics of PUBLISH packets that came since the last call of until
}

func (m *mosquitto) connect(user, id string) *client {
	m.t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", m.Port))
	if err != nil {
		m.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	c := &client{Conn: conn, t: m.t}
	connect := mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: id, HasUsername: user != "", Username: user}
	c.Write(connect.Append(nil))
	h, body := c.until(mqtt.TypeConnack)
	if ack, err := mqtt.ParseConnack(h.First, body, mqtt.V5); err != nil || ack.Reason.Failed() {
		m.t.Fatalf("user %q with client id %q must get in: %v %v", user, id, ack.Reason, err)
	}
	return c
}

// until reads up to a packet of the type; on the way it acknowledges and notes what is delivered.
func (c *client) until(want mqtt.PacketType) (mqtt.Header, []byte) {
	c.t.Helper()
	c.arrived = nil
	for {
		h, err := mqtt.ParseHeader(c.buf)
		if err != nil || len(c.buf) < h.Total() {
			chunk := make([]byte, 4096)
			n, err := c.Read(chunk)
			if err != nil {
				c.t.Fatalf("waiting for %v: %v", want, err)
			}
			c.buf = append(c.buf, chunk[:n]...)
			continue
		}
		body := c.buf[h.Size:h.Total()]
		c.buf = c.buf[h.Total():]
		if h.Type() == mqtt.TypePublish {
			p, err := mqtt.ParsePublish(h.First, body, mqtt.V5)
			if err != nil {
				c.t.Fatal(err)
			}
			c.arrived = append(c.arrived, string(p.Topic))
		}
		if h.Type() == want {
			return h, body
		}
	}
}

// maySend publishes and tells whether that was authorized.
func (c *client) maySend(name string) bool {
	c.t.Helper()
	c.id++
	p := mqtt.Publish{QoS: 1, ID: c.id, Topic: []byte(name), Payload: []byte("x")}
	c.Write(p.Append(nil, mqtt.V5))
	h, body := c.until(mqtt.TypePuback)
	ack, err := mqtt.ParseAck(h.First, body, mqtt.V5)
	if err != nil || ack.Reason.Failed() && ack.Reason != mqtt.NotAuthorized {
		c.t.Fatalf("publish to %q: %v %v", name, ack.Reason, err)
	}
	return !ack.Reason.Failed()
}

// mayReceive subscribes to the topic, has the admin publish to it and tells whether that arrives.
func (c *client) mayReceive(name string, admin *client) bool {
	c.t.Helper()
	c.id++
	s := mqtt.Subscribe{ID: c.id, Subscriptions: []mqtt.Subscription{{Filter: name}}}
	c.Write(s.Append(nil, mqtt.V5))
	c.until(mqtt.TypeSuback)
	if !admin.maySend(name) {
		c.t.Fatalf("the admin may publish to %q", name)
	}
	c.Write(mqtt.AppendPingreq(nil)) // what the publish delivers was written before its acknowledgement, hence before the PINGRESP
	c.until(mqtt.TypePingresp)
	got := slices.Contains(c.arrived, name)
	c.id++
	u := mqtt.Unsubscribe{ID: c.id, Filters: []string{name}}
	c.Write(u.Append(nil, mqtt.V5))
	c.until(mqtt.TypeUnsuback)
	return got
}
