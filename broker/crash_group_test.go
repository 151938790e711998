package broker

import (
	"fmt"

	"midge/broker/mqtt"
)

// testGroup is some subscribers of which each message is to reach one. The first member stays.
type testGroup struct {
	w       *world
	name    string
	qos     mqtt.QoS
	ends    bool // its members' sessions end at times: at QoS 2 what they have begun to receive is lost with them
	members []*testSubscriber
}

// formGroups makes four groups: one each at QoS 2 and 1 whose members keep their sessions, and one each whose members do not.
func (w *world) formGroups() {
	for i, g := range []*testGroup{{qos: 2}, {qos: 1}, {qos: 1, ends: true}, {qos: 2, ends: true}} {
		g.w, g.name = w, fmt.Sprint("group", i)
		for n := range 3 {
			s := &testSubscriber{w: w, id: fmt.Sprint(g.name, "-", n), qos: g.qos, group: g, short: g.ends && n == 1, open: map[uint16]bool{}, got: map[string][]int{}}
			g.members = append(g.members, s)
			s.connect()
		}
		w.groups = append(w.groups, g)
	}
	w.box.commit()
}

func (s *testSubscriber) subscribe() {
	s.s.Subscribe(s.w.now, []Subscription{{Filter: "$share/" + s.group.name + "/t/#", QoS: s.qos}})
	s.s.Reply("suback")
}

// shake has a member leave the group and come back, or start anew.
func (g *testGroup) shake(s *testSubscriber) {
	if s == g.members[0] {
		return
	}
	s.connect()
	switch n := g.w.rng.IntN(4); {
	case n == 0 && g.ends:
		s.s.Close(g.w.now, Closing{SessionExpiry: new(uint32)})
		s.s = nil
		clear(s.open)
	case n == 1 && !g.ends: // who has unsubscribed keeps what it was sent, and takes it along when its session ends
		s.s.Unsubscribe(g.w.now, []string{"$share/" + g.name + "/t/#"})
	case n == 2:
		s.s.Rest(g.w.now)
	default:
		s.subscribe()
	}
	g.w.b.check(g.w.t, "a member of a group was shaken")
}

// finish has all members take what there is, and reports whether that was nothing.
func (g *testGroup) finish() (idle bool) {
	idle = true
	for _, s := range g.members {
		s.pull()
		idle = idle && s.s != nil && s.s.Waiting() == 0
	}
	st := g.w.b.groups["$share/"+g.name+"/t/#"].st
	return idle && st.queue.len()+st.dur.stored() == 0
}

func (g *testGroup) verify() {
	for _, p := range g.w.pubs {
		count := make([]int, p.next)
		for _, s := range g.members {
			for _, n := range s.got["t/"+p.id] {
				count[n]++
			}
		}
		once := p.qos == 2 && g.qos == 2
		for n, c := range count {
			if c == 0 && !(once && g.ends) {
				g.w.t.Fatalf("%s gets message %d of %s, which was acknowledged", g.name, n, p.id)
			}
			if c > 1 && once {
				g.w.t.Fatalf("%s gets message %d of %s once at QoS 2, not %d times", g.name, n, p.id, c)
			}
		}
	}
}
