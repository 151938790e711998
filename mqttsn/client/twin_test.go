package client

import (
	"slices"
	"time"

	"midge/mqttsn"
)

// twin is a gateway just good enough to be on the other end: one client, one session that never ends, one message at
// a time to the client, PINGRESP strictly last.
type twin struct {
	out [][]byte // frames to the client

	ids      map[string]uint16
	names    map[uint16]string
	got      []string        // payloads of publishes taken, in order
	pending  map[uint16]bool // MsgIds of QoS 2 publishes not released
	listens  bool            // the client is active or awake
	flushing bool            // awake: a PINGRESP is owed
	given    int             // ids forgotten

	queue   []string // payloads to send to the client at QoS 2 on topic "cmd/x"
	msgID   uint16
	stage   byte // 0 nothing on the air, 'r' REGISTER, 'p' PUBLISH, 'l' PUBREL
	retryAt time.Time
}

func newTwin() *twin {
	return &twin{ids: map[string]uint16{}, names: map[uint16]string{}, pending: map[uint16]bool{}}
}

func (g *twin) send(p mqttsn.Packet) { g.out = append(g.out, p.Append(nil)) }

func (g *twin) id(name string) uint16 {
	id, ok := g.ids[name]
	if !ok {
		id = uint16(0x0401 + g.given + len(g.ids))
		g.ids[name], g.names[id] = id, name
	}
	return id
}

func (g *twin) receive(now time.Time, frame []byte) {
	packet, err := mqttsn.Decode(frame)
	if err != nil {
		panic(err)
	}
	switch p := packet.(type) {
	case mqttsn.Connect:
		g.listens, g.flushing = true, false
		g.send(mqttsn.Connack{})
	case mqttsn.Disconnect:
		g.listens, g.flushing = false, false
		g.send(mqttsn.Disconnect{})
	case mqttsn.Pingreq:
		g.listens = true
		g.flushing = true
	case mqttsn.Register:
		g.send(mqttsn.Regack{TopicID: g.id(p.TopicName), MsgID: p.MsgID})
	case mqttsn.Subscribe:
		g.send(mqttsn.Suback{QoS: p.QoS, MsgID: p.MsgID})
	case mqttsn.Publish:
		g.publish(p)
	case mqttsn.Pubrel:
		delete(g.pending, p.MsgID)
		g.send(mqttsn.Pubcomp{MsgID: p.MsgID})
	default:
		g.answer(packet)
	}
	g.advance(now)
}

func (g *twin) publish(p mqttsn.Publish) {
	// Looking at the topic before the MsgId is what careless gateways do: a repetition whose original was taken may be refused.
	if g.names[p.TopicID] == "" {
		g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID, Code: mqttsn.InvalidTopicID})
		return
	}
	if p.QoS == mqttsn.ExactlyOnce {
		g.send(mqttsn.Pubrec{MsgID: p.MsgID})
		if g.pending[p.MsgID] {
			return
		}
		g.pending[p.MsgID] = true
	}
	g.got = append(g.got, string(p.Data))
	if p.QoS == mqttsn.AtLeastOnce {
		g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
	}
}

// answer moves the message to the client one stage on.
func (g *twin) answer(packet mqttsn.Packet) {
	switch p := packet.(type) {
	case mqttsn.Regack:
		g.step(p.MsgID, 'r', 'p')
	case mqttsn.Pubrec:
		g.step(p.MsgID, 'p', 'l')
	case mqttsn.Pubcomp:
		if g.step(p.MsgID, 'l', 0) {
			g.queue = g.queue[1:]
		}
	case mqttsn.Puback: // the client lost the id
		g.step(p.MsgID, 'p', 'r')
	}
}

func (g *twin) step(msgID uint16, from, to byte) bool {
	if msgID != g.msgID || g.stage != from {
		return false
	}
	g.stage, g.retryAt = to, time.Time{}
	return true
}

// advance sends or repeats the message to the client.
func (g *twin) advance(now time.Time) {
	if !g.listens {
		g.retryAt = time.Time{} // the first thing at the next wake-up
		return
	}
	if g.stage == 0 && len(g.queue) > 0 {
		g.msgID++
		g.stage = 'r'
	}
	if g.stage == 0 {
		if g.flushing {
			g.flushing = false
			g.send(mqttsn.Pingresp{})
		}
		return
	}
	if now.Before(g.retryAt) {
		return
	}
	switch id := g.id("cmd/x"); g.stage {
	case 'r':
		g.send(mqttsn.Register{TopicID: id, MsgID: g.msgID, TopicName: "cmd/x"})
	case 'p':
		g.send(mqttsn.Publish{Dup: !g.retryAt.IsZero(), QoS: 2, TopicID: id, MsgID: g.msgID, Data: []byte(g.queue[0])})
	case 'l':
		g.send(mqttsn.Pubrel{MsgID: g.msgID})
	}
	g.retryAt = now.Add(7 * time.Second)
}

// forgetIDs is what a gateway without a store does when it restarts. New ids differ from the old ones.
func (g *twin) forgetIDs() {
	g.given += len(g.ids)
	clear(g.ids)
	clear(g.names)
}

// count tells how often payload was taken.
func (g *twin) count(payload string) int {
	n := 0
	for _, p := range g.got {
		if p == payload {
			n++
		}
	}
	return n
}

// onlyOrdered reports whether the first appearances of payloads stand in that order.
func (g *twin) onlyOrdered(payloads []string) bool {
	last := -1
	for _, p := range payloads {
		at := slices.Index(g.got, p)
		if at < last {
			return false
		}
		last = at
	}
	return true
}
