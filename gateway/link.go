package gateway

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"midge/broker"
	"midge/internal/ration"
	"midge/mqttsn"
	"midge/transports"
)

// link is the machine of one link: frames and time in, frames out. It owns the clients that were heard on it last.
// Inputs are Receive, Advance and Pull; what they want sent is taken with frames.
type link struct {
	sp     *space
	name   string
	away   bool // it is not served: its clients cannot be heard, nothing is sent to them, and all that happens to them is that they are lost
	cfg    LinkConfig
	mtu    int // the most that the link may ever carry
	allow  allowed
	format func(transports.Addr) string
	// carries is the longest message that the link carries now; nil = LinkConfig.MTU and no less.
	carries func() int
	log     *slog.Logger
	debug   bool // log packets; asked once a batch

	identify func(transports.Addr) string // who has proven to be at an address; nil: the link cannot tell
	host     func(transports.Addr) string // what of an address stays when a device moves; nil: the link cannot tell

	now time.Time // of the running input
	t   instant   // the same

	peers     map[peer]*client // who was heard from where last
	live      int              // clients with a session
	prompts   int              // clients in the will handshake
	logins    map[peer]*login  // who has said CONNECT and must log in first
	awaited   []*login         // the same in the order of their time, with up to as many that are over
	checks    []check          // logins that the shell is to have judged
	checking  int              // logins that are being judged
	deadlines deadlines
	ready     *readyList
	spare     []*client // the list that ready does not use

	broadcast bool // the frame being received came to everyone

	advertiseAt  instant
	advertisedAt instant // when the gateway last broadcast its own id
	warnedAt     instant // when another gateway with our id was last complained about
	said         ration.Ration
	refusals     bucket // DISCONNECT to unknown senders
	replies      bucket // GWINFO

	air     budget
	control control   // of what there was no room for on the air
	turns   []*client // something waits for them and there was no room, in the order in which they have their turn
	serving *client   // whose turn it is

	anonymous *broker.Session // the publisher of QoS −1, opened when first needed
	busy      <-chan struct{} // a receiver of what was published falls behind

	in   [1]broker.Inbound
	acks [8]broker.Outbound
	one  [1]broker.Outbound

	buf   []byte
	sends []sending
	batch []transports.Frame

	taps []*tap // traces that run; nil = none

	judge func(check) // the shell's: has a login judged, and does not wait
	timer time.Time   // for which the shell has set its timer; zero = none

	counters linkCounters
}

func newLink(sp *space, name string, cfg LinkConfig, mtu int, format func(transports.Addr) string, now time.Time) *link {
	l := &link{sp: sp, name: name, mtu: mtu, format: format, log: sp.log.With("link", name),
		peers: make(map[peer]*client), ready: &readyList{signal: make(chan struct{}, 1)}, advertiseAt: never, advertisedAt: -never, warnedAt: -never}
	l.configure(cfg)
	if sp.cfg.AdvertiseInterval > 0 {
		l.advertiseAt = sp.at(now)
	}
	return l
}

func (l *link) configure(cfg LinkConfig) {
	l.air.configure(cfg.Airtime)
	l.cfg, l.allow = cfg.withDefaults(l.mtu), newAllowed(&cfg)
}

// enter begins an input. Those of a batch have the same time.
func (l *link) enter(now time.Time) {
	if now == l.now {
		return
	}
	l.now, l.t = now, l.sp.at(now)
	l.debug = l.log.Enabled(context.Background(), slog.LevelDebug)
}

// Receive takes one frame. Its data is not kept.
func (l *link) Receive(now time.Time, f *transports.Frame) {
	l.enter(now)
	l.broadcast = f.Broadcast
	raw, node, wrapped, ok := l.unwrap(f.Data)
	if !ok {
		return
	}
	t, err := mqttsn.PeekType(raw)
	c := l.peers[peer{f.Addr, string(node), wrapped}]
	if err != nil || t >= mqttsn.NumTypes {
		l.malformed(c, f.Addr, err)
		return
	}
	l.counters.in[t]++
	if l.cfg.Strict && mqttsn.StrayFlags(raw) {
		l.breach(c, peer{f.Addr, string(node), wrapped}, raw)
		return
	}
	// CONNECT gets an answer.
	if l.allow.addresses && t != mqttsn.TypeConnect && (c == nil || !c.connected()) && l.stranger(&peer{f.Addr, string(node), wrapped}) {
		l.drop(NotAllowed)
		return
	}
	if t == mqttsn.TypePublish { // the path that must not allocate
		l.receivePublish(c, f.Addr, node, wrapped, raw)
	} else if p, err := mqttsn.Decode(raw); err != nil {
		l.malformed(c, f.Addr, err)
		return
	} else {
		c = l.receive(c, peer{f.Addr, string(node), wrapped}, p)
	}
	if c == nil {
		return
	}
	if c.probes != 0 {
		c.probes, c.probeLag = 0, 0
		l.schedule(c) // its deadline was as much later
	}
	if f.RSSI != 0 || f.LQI != 0 {
		c.rssi, c.lqi = f.RSSI, f.LQI
	}
	if c.x != nil && c.x.parked && !c.x.held && c.x.waitUntil <= l.t && c.listens() {
		l.resume(c)
	}
}

// unwrap takes a forwarder's envelope off (§5.5). Envelopes in envelopes are refused by the codec.
func (l *link) unwrap(data []byte) (raw, node []byte, wrapped, ok bool) {
	if len(data) < 2 || data[0] == 1 || mqttsn.Type(data[1]) != mqttsn.TypeEncapsulated {
		return data, nil, false, true
	}
	l.counters.encapsulatedIn++
	e, inner, err := mqttsn.ParseEncapsulated(data)
	if err != nil {
		l.drop(Malformed)
		return nil, nil, true, false
	}
	return inner, e.NodeID, true, true
}

// malformed drops a frame that is no message. A bad packet is never answered: nobody knows who meant what by it. c is the client at its address, or nil.
func (l *link) malformed(c *client, from transports.Addr, err error) {
	l.dropOf(c, Malformed)
	if l.debug {
		l.log.Debug("malformed packet dropped", "peer", l.format(from), "err", err)
	}
}

// receive handles every packet but PUBLISH. It returns the client that the packet turned out to come from.
func (l *link) receive(c *client, from peer, p mqttsn.Packet) *client {
	if l.debug {
		l.log.Debug("packet in", "peer", l.format(from.addr), "packet", p.String())
	}
	switch p := p.(type) { // what needs no session
	case mqttsn.SearchGw:
		l.searched(from, p)
		return nil
	case mqttsn.Advertise:
		l.heardGateway(p.GwID)
		return nil
	case mqttsn.GwInfo:
		return nil // for clients; counted by type
	case mqttsn.Connect:
		return l.connect(from, p)
	case mqttsn.Auth:
		l.auth(from, p)
		return c
	case mqttsn.Pingreq:
		return l.ping(c, from, p)
	case mqttsn.Disconnect:
		l.disconnect(c, p)
		return c
	}
	if c == nil || !c.connected() && c.prompt == nil {
		l.unknown(c, from)
		return nil
	}
	c.heard = l.t
	if c.prompt != nil {
		l.receivePrompted(c, p)
		return c
	}
	l.receiveConnected(c, p)
	return c
}

// receiveConnected handles what only a client with a session may send. Being asleep is no hindrance: the specification
// wants it active first, devices in the field do not bother, and nothing is gained by refusing them.
func (l *link) receiveConnected(c *client, p mqttsn.Packet) {
	switch p.(type) {
	case mqttsn.Register, mqttsn.Subscribe, mqttsn.Unsubscribe, mqttsn.WillTopicUpd, mqttsn.WillMsgUpd:
		if c.state == Asleep {
			l.counters.asleep++
		}
		if l.owedTooMuch(c) {
			return
		}
	}
	switch p := p.(type) {
	case mqttsn.Register:
		l.register(c, p)
	case mqttsn.Regack:
		l.regack(c, p)
	case mqttsn.Puback:
		l.puback(c, p)
	case mqttsn.Pubrec:
		l.pubrec(c, p)
	case mqttsn.Pubrel:
		l.pubrel(c, p)
	case mqttsn.Pubcomp:
		l.pubcomp(c, p)
	case mqttsn.Subscribe:
		l.subscribe(c, p)
	case mqttsn.Unsubscribe:
		l.unsubscribe(c, p)
	case mqttsn.WillTopicUpd:
		l.updateWillTopic(c, mqttsn.WillTopic(p))
	case mqttsn.WillMsgUpd:
		l.updateWillMessage(c, p)
	case mqttsn.WillMsg:
		if c.turn == nil && c.asked != inVain {
			l.send(&c.peer, mqttsn.Connack{Code: mqttsn.Accepted}) // it has not heard the CONNACK that ended its will handshake
		}
	case mqttsn.Pingresp: // answers nothing that the gateway asks
	default:
		l.dropOf(c, Unexpected)
	}
}

// bind makes from the address of c, whoever had it before, and this the link of c.
func (l *link) bind(c *client, from peer) {
	if l.peers[from] == c {
		return
	}
	if old := c.link.Load(); old != nil && (old != l || c.peer != from) {
		old.unbind(c)
	}
	if other := l.peers[from]; other != nil {
		other.displaced = true // it stays as it is: its timer decides, or it is heard from elsewhere
		if other.x != nil {
			other.x.park()
		}
		l.sp.keep(other)
	}
	if old := c.link.Load(); old != l {
		c.rssi, c.lqi = 0, 0 // this link may not tell
		if old != nil && c.connected() {
			old.live--
			l.live++
		}
		if old != nil && c.prompt != nil {
			old.prompts--
			l.prompts++
		}
		c.link.Store(l)
		if old != nil && old.away {
			c.woken.Store(false) // a wake-up may wait there for ever
		}
	}
	c.peer, c.displaced, c.untold = from, false, false
	l.peers[from] = c
	l.sp.keep(c)
}

// unbind takes a client's address and its place among the deadlines away.
func (l *link) unbind(c *client) {
	if l.peers[c.peer] == c {
		delete(l.peers, c.peer)
	}
	l.unschedule(c)
}

// over ends what the gateway holds for a client whose session was closed, or taken by somebody else.
func (l *link) over(c *client, s State) {
	if c.connected() {
		l.live--
	}
	l.promptOver(c)
	c.s, c.state, c.x, c.unanswered, c.own, c.pinged, c.receives, c.untold = nil, s, nil, nil, 0, false, false, false
	c.owed()
	if c.shownState != 0 { // not of one that was refused
		l.showState(c)
	}
	l.unschedule(c)
	l.sp.back(c)
	l.sp.rest(c)
}

// takenOver is the end of a client whose session another front end has opened. The session is theirs now and is not touched.
func (l *link) takenOver(c *client) {
	l.log.Info("session taken over", "client", c.id)
	l.over(c, Disconnected)
}

// stop ends the serving of the link. Its clients stay as they are, sessions and all: it is the gateway that goes, not they. A will handshake
// is broken off, because nothing was promised yet.
func (l *link) stop(now time.Time) {
	l.enter(now)
	l.away, l.advertiseAt = true, never
	l.logins, l.awaited, l.checks = nil, nil, nil
	for _, c := range l.sp.clients {
		if c.link.Load() != l {
			continue
		}
		if c.prompt != nil {
			l.promptFailed(c)
		}
		if c.state == Awake {
			l.fallAsleep(c)
		}
		if c.x != nil {
			c.x.park()
		}
	}
	l.silence()
	l.frames()
	if l.anonymous != nil {
		l.anonymous.Close(l.now, broker.Closing{})
		l.anonymous = nil
	}
	l.sp.wakes.Flush()
}

// inherit goes on where an earlier run of the same link ended, one of an earlier process included: its counters, and the clients that were heard on it.
// They have their full time to be heard again, because nobody has listened meanwhile, and what they were being sent is sent again.
func (l *link) inherit(now time.Time, old *link) {
	l.enter(now)
	l.counters, l.peers, l.deadlines, l.live, l.ready, l.taps = old.counters, old.peers, old.deadlines, old.live, old.ready, old.taps
	l.air.busy, l.air.spent = old.air.busy, old.air.spent
	for _, id := range slices.Sorted(maps.Keys(l.sp.clients)) {
		c := l.sp.clients[id]
		if !c.link.CompareAndSwap(old, l) || !c.connected() {
			continue
		}
		c.heard = l.t
		l.schedule(c)
		if c.x != nil && c.state == Active {
			c.x.hold()
		}
		l.pump(c)
	}
}
