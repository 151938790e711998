package bridge

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"midge/broker/mqtt"
)

func TestMapping(t *testing.T) {
	m, err := newMapping([]Topic{
		{Filter: "#", Direction: Out, LocalPrefix: "sensors/", RemotePrefix: "site1/"},
		{Filter: "cmd/+/set", Direction: In, LocalPrefix: "", RemotePrefix: "site1/"},
		{Filter: "s/#", Direction: Both, LocalPrefix: "l/", RemotePrefix: ""},
		{Filter: "", Direction: Out, LocalPrefix: "one/topic", RemotePrefix: "another"},
		{Filter: "+/deep", Direction: Out, LocalPrefix: "", RemotePrefix: ""},
	})
	if err != nil {
		t.Fatalf("the lines are valid: %v", err)
	}
	rows := []struct {
		sentence string
		in       bool
		from, to string
	}{
		{"out: one prefix is taken off, the other put on", false, "sensors/a/b", "site1/a/b"},
		{"in: the same the other way", true, "site1/cmd/valve/set", "cmd/valve/set"},
		{"a line in does not carry out", false, "cmd/valve/set", ""},
		{"a line out does not carry in", true, "site1/a/b", ""},
		{"both carries out", false, "l/s/x", "s/x"},
		{"both carries in", true, "s/x", "l/s/x"},
		{"an empty filter joins two topics", false, "one/topic", "another"},
		{"what no line matches is not carried", false, "else", ""},
		{"a prefix that leaves nothing gives no topic", false, "sensors", ""},
		{"'#' does not match a hidden topic", false, "$SYS/deep", ""},
		{"a name with a wildcard is never carried in", true, "site1/cmd/+/set", ""},
		{"an empty name is never carried in", true, "", ""},
	}
	for _, row := range rows {
		f := m.toRemote
		if row.in {
			f = m.toLocal
		}
		got, _, ok := f(row.from)
		if !ok {
			got = ""
		}
		if got != row.to {
			t.Errorf("%s: %q became %q, want %q", row.sentence, row.from, got, row.to)
		}
	}
	for _, bad := range []Topic{{Filter: "a/#/b"}, {Filter: "a", LocalPrefix: "+/"}, {Filter: ""}, {Filter: "", LocalPrefix: "x"}} {
		if _, err := newMapping([]Topic{bad}); err == nil {
			t.Errorf("a line that nobody could subscribe to is refused: %+v", bad)
		}
	}
}

func TestRemoteFiltersOnce(t *testing.T) {
	m := mapping{{Filter: "a", Direction: In, QoS: 0}, {Filter: "a", Direction: In, QoS: 2, LocalPrefix: "x/"}, {Filter: "b", Direction: Out}}
	if got, want := m.remoteFilters(), []filter{{"a", 2}}; !slices.Equal(got, want) {
		t.Errorf("a filter is subscribed to once, at the highest QoS: got %v, want %v", got, want)
	}
	if got := m.localSubscriptions(); len(got) != 1 || got[0].Filter != "b" || !got[0].NoLocal || !got[0].RetainAsPublished || got[0].RetainHandling != 1 {
		t.Errorf("the local subscription has No Local, Retain As Published and retained messages only when new: got %+v", got)
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{rand: rand.New(rand.NewPCG(7, 7)), base: backoffBase, top: backoffCap}
	var sum time.Duration
	for range 1000 {
		last := max(b.last, backoffBase)
		d := b.next()
		sum += d
		if d < backoffBase || d > backoffCap || d > 3*last {
			t.Fatalf("a wait lies between the base and three times the last, at most the cap: %v after %v", d, last)
		}
	}
	if mean := sum / 1000; mean < 15*time.Second || mean > 45*time.Second {
		t.Errorf("waits spread over the whole range: mean %v", mean)
	}
	b.reset()
	if d := b.next(); d > 3*backoffBase {
		t.Errorf("after a reset it begins with short waits: %v", d)
	}
}

func TestEchoes(t *testing.T) {
	now := time.Unix(0, 0)
	var e echoes
	body := []byte("x")
	e.sent(now, "a", body)
	e.sent(now, "a", body)
	for i, want := range []bool{true, true, false} {
		if got := e.isEcho(now, "a", body); got != want {
			t.Errorf("two copies sent, so two echoes: copy %d is echo = %v", i+1, got)
		}
	}
	e.sent(now, "a", body)
	if e.isEcho(now, "b", body) || e.isEcho(now, "a", []byte("y")) {
		t.Error("another topic or payload is no echo")
	}
	if e.isEcho(now.Add(echoKeep), "a", body) {
		t.Error("an echo later than echoKeep is none")
	}
	e.connected()
	for i := range echoProof {
		e.sent(now, "a", []byte{byte(i)})
	}
	now = now.Add(echoKeep)
	e.sent(now, "a", body)
	e.sent(now, "a", body)
	if e.isEcho(now, "a", body) {
		t.Error("an upstream that sent no echo of echoProof messages is taken to send none")
	}
	e.connected()
	for range 2 * echoMax {
		e.sent(now, "a", body)
	}
	if len(e.ring) != echoMax {
		t.Errorf("the ring holds %d, want its bound %d", len(e.ring), echoMax)
	}
}

func TestTrialNeedsAllItsEvidence(t *testing.T) {
	d := &delivery{}
	closed := ending{head: d, peer: true, lived: time.Second}
	quiet := ending{head: d, lived: trialQuiet}
	rows := []struct {
		sentence string
		endings  []ending
		want     bool
	}{
		{"three closed, a quiet connection that lasts, two closed alone", []ending{closed, closed, closed, quiet, closed, closed}, true},
		{"without the quiet connection nothing is proven", []ending{closed, closed, closed, closed, closed, closed, closed}, false},
		{"an acknowledgement begins anew", []ending{closed, closed, {head: d, peer: true, acked: true}, closed, quiet, closed}, false},
		{"a broken link begins anew", []ending{closed, closed, closed, quiet, {head: d}, closed}, false},
		{"another head begins anew", []ending{closed, closed, {head: &delivery{}, peer: true}, closed, closed}, false},
		{"a late end is not the message's", []ending{closed, closed, {head: d, peer: true, lived: trialSoon}, closed, closed}, false},
		{"nothing in flight, nothing to blame", []ending{{peer: true}, {peer: true}, {peer: true}, {peer: true}}, false},
	}
	for _, row := range rows {
		var tr trial
		got := false
		for _, e := range row.endings {
			got = tr.ended(e)
		}
		if got != row.want {
			t.Errorf("%s: convicted = %v, want %v", row.sentence, got, row.want)
		}
	}
}

func TestFlight(t *testing.T) {
	var f flight
	add := func(id uint16, qos mqtt.QoS, p progress) *delivery {
		d := &delivery{packet: mqtt.Delivery{Topic: "a", QoS: qos, ID: id}, localQoS: qos, progress: p}
		f.add(d)
		return d
	}
	add(65535, 2, released)
	head, second := add(1, 2, sent), add(2, 2, sent)
	add(3, 1, sent)
	bare := add(4, 2, released)
	bare.packet.Topic = ""
	poison := add(5, 2, received)
	poison.givenUp = true
	if f.find(9) != nil || f.find(2) != second {
		t.Error("what is not there is nil, and what is there is found")
	}
	f.acknowledged(time.Unix(9, 0), second)
	if v := f.view(); v.inflight != 5 || v.head != head || !v.overtaken.Equal(time.Unix(9, 0)) || !f.lastAck.Equal(time.Unix(9, 0)) {
		t.Errorf("the head is the first that upstream has not taken, and those before of the same QoS were overtaken: %+v", v)
	}
	if !head.overtaken.Equal(time.Unix(9, 0)) || !f.find(3).overtaken.IsZero() {
		t.Error("a message at another QoS, or a later one, was not overtaken")
	}
	over, uncertain := f.lost()
	if !slices.Equal(over, []*delivery{bare, poison}) || uncertain != 2 {
		t.Errorf("what has lost its message or is given up ends with the session upstream: got %d over, %d uncertain", len(over), uncertain)
	}
	if v := f.view(); v.inflight != 3 || v.head.packet.ID != 65535 {
		t.Errorf("the rest begins anew, in order: %+v", v)
	}
	f.add(&delivery{packet: mqtt.Delivery{Topic: "state", QoS: 1, ID: 40000}, own: true})
	if f.last != 5 {
		t.Errorf("the bridge's own identifiers do not count: last is %d", f.last)
	}
	f.disconnected()
	if f.find(40000) != nil || !f.view().overtaken.IsZero() {
		t.Error("the bridge's own messages end with the connection, and being overtaken was of it")
	}
}

func TestFarOff(t *testing.T) {
	rows := []struct{ last, want uint16 }{{0, 32768}, {1, 32769}, {32767, 65535}, {32768, 1}, {65535, 32768}}
	for _, row := range rows {
		f := flight{last: row.last}
		if got := f.farOff(); got != row.want {
			t.Errorf("half way round from %d is %d, got %d", row.last, row.want, got)
		}
	}
	f := flight{last: 32767, list: []*delivery{{packet: mqtt.Delivery{ID: 65535}}}}
	if got := f.farOff(); got != 1 {
		t.Errorf("an identifier in use is passed over, and 0 is none: got %d", got)
	}
}

// packetSamples are packets as an upstream sends them.
func packetSamples() [][]byte {
	var all [][]byte
	for kind := byte(packets.Connack); kind <= packets.Pingresp; kind++ {
		if kind == packets.Subscribe || kind == packets.Unsubscribe || kind == packets.Pingreq {
			continue
		}
		cp := packets.NewControlPacket(kind)
		switch p := cp.(type) {
		case *packets.PublishPacket:
			p.Qos, p.MessageID, p.TopicName, p.Payload = 1, 77, "a/b", bytes.Repeat([]byte("x"), 200)
		case *packets.PubrelPacket:
			p.Qos, p.MessageID = 1, 513
		case *packets.SubackPacket:
			p.MessageID, p.ReturnCodes = 4, []byte{1, 2}
		}
		var b bytes.Buffer
		cp.Write(&b)
		all = append(all, b.Bytes())
	}
	return all
}

func TestSnoopSeesWholePacketsInAnyPieces(t *testing.T) {
	stream := bytes.Join(packetSamples(), nil)
	var want []seen
	for _, b := range packetSamples() {
		new(snoop).feed(b, func(p seen) error { want = append(want, p); return nil })
	}
	if len(want) != len(packetSamples()) {
		t.Fatalf("each packet is seen once: %d of %d", len(want), len(packetSamples()))
	}
	for step := 1; step < 300; step++ {
		var s snoop
		var got []seen
		for rest := stream; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			if err := s.feed(rest[:min(step, len(rest))], func(p seen) error { got = append(got, p); return nil }); err != nil {
				t.Fatalf("pieces of %d octets: %v", step, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pieces of %d octets give %v, want %v", step, got, want)
		}
	}
}

func TestSnoopRefuses(t *testing.T) {
	rows := map[string][]byte{
		"QoS 3":                                 {0x36, 10},
		"a remaining length of five octets":     {0x30, 0x80, 0x80, 0x80, 0x80, 1},
		"more octets than the bridge will take": {0x30, 0xFF, 0xFF, 0xFF, 0x7F},
		"PUBACK without an identifier":          {0x40, 1, 0},
		"CONNACK without a return code":         {0x20, 0},
	}
	for sentence, b := range rows {
		if err := new(snoop).feed(b, func(seen) error { return nil }); err == nil {
			t.Errorf("%s is refused", sentence)
		}
	}
}

func FuzzSnoop(f *testing.F) {
	for _, b := range packetSamples() {
		f.Add(b, 3)
	}
	f.Add(bytes.Join(packetSamples(), nil), 7)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(1, step&0xFF)
		var whole, pieces []seen
		errWhole := new(snoop).feed(b, func(p seen) error { whole = append(whole, p); return nil })
		var s snoop
		var errPieces error
		for rest := b; len(rest) > 0 && errPieces == nil; rest = rest[min(step, len(rest)):] {
			errPieces = s.feed(rest[:min(step, len(rest))], func(p seen) error { pieces = append(pieces, p); return nil })
		}
		if !slices.Equal(whole, pieces) || (errWhole == nil) != (errPieces == nil) {
			t.Fatalf("the pieces of a stream do not matter: whole %v %v, pieces %v %v", whole, errWhole, pieces, errPieces)
		}
		// What the snoop lets through is what Paho reads.
		if errWhole == nil {
			r := bytes.NewReader(b)
			for i, p := range whole {
				start := r.Len()
				cp, err := packets.ReadPacket(r)
				if err != nil {
					return // Paho is stricter about contents
				}
				if start == r.Len() || cp == nil {
					t.Fatalf("packet %d of kind %d was not read", i, p.kind)
				}
			}
		}
	})
}
