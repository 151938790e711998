package client

import (
	"time"

	"midge/mqttsn"
)

// Connect opens a session, or brings a sleeping client back to active. It answers ErrState when one is open or being opened.
func (c *Client) Connect(now time.Time) error {
	if c.state == Connecting || c.state == Active {
		return ErrState
	}
	c.connect(now)
	return nil
}

func (c *Client) connect(now time.Time) {
	// §6.3: without the flags the gateway keeps subscriptions and will, and asks for nothing.
	resume := c.state == Asleep || c.state == Awake
	p := mqttsn.Connect{ClientID: c.cfg.ClientID, ProtocolID: mqttsn.ProtocolID12, Duration: seconds(c.cfg.KeepAlive),
		CleanSession: c.cfg.CleanSession && !resume, Will: c.cfg.Will != nil && !resume}
	c.endAll()
	c.reconnectAt, c.heldUntil = time.Time{}, time.Time{}
	c.leave = leaving{}
	if p.CleanSession {
		c.forget()
	}
	c.state = Connecting
	c.begin(now, laneConnect, p)
}

// forget drops what belongs to a session.
func (c *Client) forget() {
	clear(c.ids)
	clear(c.names)
	c.received = c.received[:0]
	if len(c.pubs) == 0 || c.pubs[0].phase == waiting {
		return
	}
	p := c.pubs[0]
	if p.qos == mqttsn.ExactlyOnce {
		c.counters.Discarded++
		c.finish(Published{Discarded: true})
		return
	}
	p.phase, p.msgID = waiting, 0
}

func (c *Client) connack(now time.Time, p mqttsn.Connack) bool {
	if c.state != Connecting {
		return false
	}
	c.end(laneConnect)
	if p.Code == mqttsn.Accepted {
		c.state = Active
		if len(c.pubs) > 0 {
			c.pubs[0].second = false // this may be another gateway, or the same after a restart
		}
		c.emit(Connected{})
		return true
	}
	c.state = Disconnected
	c.emit(ConnectRefused{Code: p.Code})
	if p.Code == mqttsn.Congestion && c.cfg.Reconnect > 0 {
		c.reconnectAt = now.Add(max(c.cfg.Reconnect, c.cfg.CongestionWait))
	}
	return true
}

// willTopicReq answers the first question of the will handshake. T_retry starts anew; when it runs out CONNECT is
// repeated, upon which a gateway repeats its own question.
func (c *Client) willTopicReq(now time.Time) bool {
	if c.state != Connecting {
		return false
	}
	c.postpone(now, laneConnect)
	c.send(now, willTopic(c.cfg.Will))
	return true
}

func (c *Client) willMsgReq(now time.Time) bool {
	if c.state != Connecting || c.cfg.Will == nil {
		return false
	}
	c.postpone(now, laneConnect)
	c.send(now, mqttsn.WillMsg{Data: c.cfg.Will.Message})
	return true
}

// willTopic is the will's topic as a message; no will is the empty one.
func willTopic(w *Will) mqttsn.WillTopic {
	if w == nil {
		return mqttsn.WillTopic{Empty: true}
	}
	return mqttsn.WillTopic{QoS: w.QoS, Retain: w.Retain, Topic: w.Topic}
}

// lost gives the gateway up. Requests stay queued for the next session.
func (c *Client) lost(now time.Time, reason string) {
	c.endAll()
	c.state = Disconnected
	c.leave = leaving{}
	c.heldUntil = time.Time{}
	c.counters.Losses++
	c.emit(Lost{Reason: reason})
	if c.cfg.Reconnect > 0 {
		c.reconnectAt = now.Add(c.cfg.Reconnect)
	}
}

// seconds is d in whole seconds as 16 bits hold them.
func seconds(d time.Duration) uint16 {
	return uint16(min(max(0, d/time.Second), 0xFFFF))
}
