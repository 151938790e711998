package broker

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker/mqtt"
	"midge/broker/store"
)

// box is a broker on a disk that forgets what was not synced. Its test does what Run does: it commits, loads and moves the clock.
type box struct {
	t     *testing.T
	fs    *vfs.MemFS
	store *store.Store
	b     *Broker
	drive *Driver
	now   time.Time
	how   Durability

	limits Limits
}

func newBox(t *testing.T) *box {
	x := &box{t: t, fs: vfs.NewCrashableMem(), now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	x.open()
	t.Cleanup(func() { x.store.Close() })
	return x
}

func (x *box) open() {
	x.t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: x.fs, Fatal: func(err error) { panic(err) }})
	if err != nil {
		x.t.Fatalf("the store opens: %v", err)
	}
	x.store = s
	if x.b, err = Restore(x.now, x.limits, s, x.how); err != nil {
		x.t.Fatalf("the broker is restored: %v", err)
	}
	x.drive = x.b.Drive()
	x.b.check(x.t, "the restart")
}

// cut takes the power away and gives it back. Of what was not synced, unsynced percent reach the disk all the same.
func (x *box) cut(unsynced int, rng *rand.Rand) {
	x.t.Helper()
	clone := x.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})
	x.store.Close()
	x.fs = clone
	x.open()
}

// sealAndSync is the first half of a commit. told is the second: everybody learns of it.
func (x *box) sealAndSync() (told func()) {
	x.t.Helper()
	tell, err := x.drive.Commit(x.now)
	if err != nil {
		x.t.Fatal(err)
	}
	return func() {
		tell()
		x.b.check(x.t, "commit")
	}
}

func (x *box) commit() { x.sealAndSync()() }

// load does what loadLoop does.
func (x *box) load() {
	x.t.Helper()
	if err := x.drive.Load(x.now); err != nil {
		x.t.Fatal(err)
	}
	x.b.check(x.t, "load")
}

// connect opens a session that outlives its front end for an hour.
func (x *box) connect(id string, change ...func(*Options)) *Session {
	x.t.Helper()
	o := Options{ClientID: id, SessionExpiry: 3600}
	for _, c := range change {
		c(&o)
	}
	s, _, err := x.b.Open(x.now, o)
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

func (x *box) subscribe(s *Session, filter string, qos mqtt.QoS) {
	x.t.Helper()
	if _, err := s.Subscribe(x.now, []Subscription{{Filter: filter, QoS: qos}}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *box) publish(s *Session, id uint16, qos mqtt.QoS, topic, value string, change ...func(*Message)) {
	x.t.Helper()
	m := &Message{Topic: topic, Payload: []byte(value), QoS: qos}
	for _, c := range change {
		c(m)
	}
	if _, err := s.Publish(x.now, []Inbound{{ID: id, Message: m}}); err != nil {
		x.t.Fatal(err)
	}
}

// want compares what comes out of Next.
func (x *box) want(sentence string, s *Session, want ...string) {
	x.t.Helper()
	out := make([]Outbound, 100)
	n, err := s.Next(x.now, out)
	var got []string
	for _, o := range out[:n] {
		got = append(got, describe(o))
	}
	if err != nil || strings.Join(got, "; ") != strings.Join(want, "; ") {
		x.t.Errorf("%s:\n\tgot  %q %v\n\twant %q", sentence, got, err, want)
	}
}

func describe(o Outbound) string {
	switch o.Kind {
	case Reply:
		return fmt.Sprint("reply ", o.Value)
	case Publish:
		dup := ""
		if o.Dup {
			dup = " dup"
		}
		return fmt.Sprintf("publish %d qos%d%s %s %s", o.ID, o.QoS, dup, o.Message.Topic, o.Message.Payload)
	}
	reason := ""
	if o.Reason != mqtt.Success {
		reason = " " + o.Reason.String()
	}
	return fmt.Sprintf("%s %d%s", [...]string{Puback: "puback", Pubrec: "pubrec", Pubrel: "pubrel", Pubcomp: "pubcomp"}[o.Kind], o.ID, reason)
}
