package listener

// aliasesMax is how many topic aliases a client is sent at most, whatever it allows: as in Mosquitto.
const aliasesMax = 10

// An alias pays for topics of more octets than the property takes. Names longer than aliasNameMax are sent whole: the table keeps its names alive.
const (
	aliasCost    = 3
	aliasNameMax = 1024
)

// aliases are the topics that a client knows by number (MQTT 5 §3.3.2.3.4). The zero value knows none and learns none. It is the pump's.
type aliases struct {
	max   int // that the client allows, at most aliasesMax
	known []aliased
	hand  int // of the clock: the place that is looked at next when all are taken
}

// aliased is the topic that its place in known, plus 1, stands for.
type aliased struct {
	topic string
	used  bool // since the hand passed
}

// find returns the topic's alias, 0 when it has none.
func (a *aliases) find(topic string) uint16 {
	for i := range a.known {
		if a.known[i].topic == topic {
			a.known[i].used = true
			return uint16(i + 1)
		}
	}
	return 0
}

// learn gives a topic that is sent whole an alias to be sent with it, 0 when it gets none. A busy topic keeps its place; one that was not sent since the
// hand came by last loses it. So every delivery costs a step at most, and many topics in turn do not each pay for an alias that is never used.
func (a *aliases) learn(topic string) uint16 {
	if len(topic) <= aliasCost || len(topic) > aliasNameMax {
		return 0
	}
	if len(a.known) < a.max {
		a.known = append(a.known, aliased{topic: topic})
		return uint16(len(a.known))
	}
	if a.max == 0 {
		return 0
	}
	i := a.hand
	a.hand = (a.hand + 1) % a.max
	if a.known[i].used {
		a.known[i].used = false
		return 0
	}
	a.known[i] = aliased{topic: topic}
	return uint16(i + 1)
}
