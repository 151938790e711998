package gateway

import (
	"time"

	"midge/mqttsn"
)

// advertise broadcasts ADVERTISE (§6.1) and says when it will do so again.
func (l *link) advertise() {
	every := l.sp.cfg.AdvertiseInterval
	if !l.sp.mayBeFound() {
		l.advertiseAt = l.t + min(instant(every), findAgain)
		return
	}
	l.advertiseAt = l.t + instant(every)
	l.advertisedAt = l.t
	l.sendAll(0, mqttsn.Advertise{GwID: l.sp.cfg.GatewayID, Duration: uint16(every / time.Second)})
}

// findAgain is how soon a gateway that may not be found looks whether it may, so that it advertises itself soon after its upstream has come back.
const findAgain = instant(10 * time.Second)

// mayBeFound reports whether the gateway is to show itself to devices. "A gateway … transmits … ADVERTISE … only if it is connected to a server or is itself a server"
// (§6.1): it is one, unless it is told that this is not enough.
func (sp *space) mayBeFound() bool { return sp.cfg.Advertised == nil || sp.cfg.Advertised() }

// searched answers SEARCHGW as LinkConfig.GwInfo wants it. By default to the one who asks, because that works everywhere, and when it asked everyone also to
// everyone, because then others need not ask. "… the broadcast radius … is the same as … in the SEARCHGW" (§6.1).
func (l *link) searched(from peer, p mqttsn.SearchGw) {
	if !l.sp.mayBeFound() {
		l.drop(Unadvertised)
		return
	}
	if !l.replies.take(l.t) {
		l.drop(RateLimited)
		return
	}
	info := mqttsn.GwInfo{GwID: l.sp.cfg.GatewayID}
	to := l.cfg.GwInfo
	if to != GwInfoToEveryone || from.wrapped {
		l.send(&from, info)
	}
	if !from.wrapped && (to == GwInfoToEveryone || to == GwInfoToBoth && l.broadcast) {
		l.sendAll(p.Radius, info)
	}
}

// ownEcho is how long after an ADVERTISE of ours one with our id is taken for its echo: multicast comes back to the sender.
const ownEcho = instant(2 * time.Second)

// warnEvery bounds how often one thing is complained about.
const warnEvery = instant(time.Hour)

// heardGateway watches for a second gateway with our id: clients could not tell the two apart.
func (l *link) heardGateway(id uint8) {
	if id != l.sp.cfg.GatewayID || l.t-l.advertisedAt < ownEcho || l.t-l.warnedAt < warnEvery && l.warnedAt != -never {
		return
	}
	l.warnedAt = l.t
	l.log.Warn("another gateway advertises our id", "gateway", id)
}
