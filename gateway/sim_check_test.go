package gateway

// look checks what must hold at every moment.
func (w *world) look() {
	for _, d := range w.devs {
		d.shadow.look()
	}
	w.checkBeacons()
	if !w.box.up {
		return
	}
	sp := w.box.g.sp
	if n := len(sp.clients); n > len(w.devs)+goneCleanMax { // damaged CONNECTs from the raw line have client ids of their own
		w.fault(nil, "the gateway knows as many clients as there are devices, not %d", n)
	}
	connected := 0
	for _, p := range w.places {
		if n := len(p.l.peers); n > len(w.devs)+1 {
			w.fault(nil, "link %s has no more addresses than there are devices, not %d", p.name, n)
		}
		if n := len(p.l.deadlines); n > len(w.devs)+goneCleanMax {
			w.fault(nil, "link %s has one deadline for a client, not %d", p.name, n)
		}
		connected += p.l.live
	}
	for _, d := range w.devs {
		c := sp.clients[d.id]
		if c == nil {
			continue
		}
		switch {
		case len(c.unanswered) > unansweredMax:
			w.fault(d, "it waits for %d answers", len(c.unanswered))
		case c.promised > promisedMax:
			w.fault(d, "it was promised %d answers", c.promised)
		case len(c.topics.entries) > 3+2+1+3*len(d.habits.reads):
			w.fault(d, "it has %d topic ids, more than it knows topics", len(c.topics.entries))
		}
	}
	for _, c := range sp.clients {
		if c.connected() {
			connected--
		}
	}
	if connected != 0 {
		w.fault(nil, "the links count %d clients more than are connected", connected)
	}
	if c := w.box.b.Counters(); c.Inflight > len(w.devs)+300 {
		w.fault(nil, "%d messages are in flight to %d devices, of which each may have one, and two watchers with a hundred", c.Inflight, len(w.devs))
	}
}

// check is the end: what was promised has come.
func (w *world) check() {
	if c := w.box.b.Counters(); c.Queued > 0 || c.Inflight > 0 {
		w.fault(nil, "in the end nothing waits, not %d messages and %d in flight", c.Queued, c.Inflight)
	}
	for _, d := range w.devs {
		w.checkReports(d)
		d.checkSetting()
		for n, k := range d.commands {
			if k.owed && k.got == 0 {
				w.fault(d, "command %d of QoS %d, which its publisher has acknowledged, never came", n, k.qos)
			}
		}
		for k, other := range d.habits.reads {
			if d.readFrom[k] < 0 || d.habits.clean {
				continue
			}
			for n, r := range w.devs[other].reports {
				if n >= d.readFrom[k] && r.acked && r.qos > 0 && d.read[k][n] == 0 {
					w.fault(d, "report %d of d%d at QoS %d, which was acknowledged, never came", n, other, r.qos)
				}
			}
		}
	}
}

func (w *world) checkReports(d *dev) {
	for n, r := range d.reports {
		for _, v := range w.mqtt.watchers {
			got := 0
			if d.i < len(v.got) && n < len(v.got[d.i]) {
				got = int(v.got[d.i][n])
			}
			if r.acked && r.qos > 0 && got == 0 {
				w.fault(d, "report %d of QoS %d was acknowledged and never came to %s", n, r.qos, v.id)
			}
		}
		if r.qos > 0 && !r.acked && !r.over {
			w.fault(d, "report %d of QoS %d was never acknowledged", n, r.qos)
		}
	}
}
