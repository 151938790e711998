package gateway

import (
	"time"

	"midge/mqttsn"
)

// Answers that requests wait for.

func isConnack(p mqttsn.Packet) bool    { _, ok := p.(mqttsn.Connack); return ok }
func isPingresp(p mqttsn.Packet) bool   { _, ok := p.(mqttsn.Pingresp); return ok }
func isDisconnect(p mqttsn.Packet) bool { _, ok := p.(mqttsn.Disconnect); return ok }

func isRegack(id uint16) func(mqttsn.Packet) bool {
	return func(p mqttsn.Packet) bool { a, ok := p.(mqttsn.Regack); return ok && a.MsgID == id }
}

func isSuback(id uint16) func(mqttsn.Packet) bool {
	return func(p mqttsn.Packet) bool { a, ok := p.(mqttsn.Suback); return ok && a.MsgID == id }
}

func isPuback(id uint16) func(mqttsn.Packet) bool {
	return func(p mqttsn.Packet) bool { a, ok := p.(mqttsn.Puback); return ok && a.MsgID == id }
}

func isType(t mqttsn.Type) func(mqttsn.Packet) bool {
	return func(p mqttsn.Packet) bool { return p.Type() == t }
}

// emcute is RIOT's: one request at a time, repeated three times every 15 s as it was; ids from 0x1234; keep-alive 360 s and a ping exactly then; CONNECT again and again until
// WILLTOPICREQ comes, then WILLTOPIC until WILLMSGREQ, then WILLMSG until CONNACK. It answers PUBLISH with flags that it does not know by code 3, knows no REGISTER from a gateway, ignores a
// DISCONNECT that it has not asked for, and cannot find out that the gateway has forgotten it but by requests that fail.
func emcute(g *gadget) {
	const retry, repeats, keepAlive = 15 * time.Second, 3, 360 * time.Second
	id := uint16(0x1234)
	var subID uint16
	ping := time.Now().Add(keepAlive)
	g.tickAt = func() (time.Time, bool) { return ping, true }
	g.tick = func(now time.Time) {
		if !now.Before(ping) {
			g.send(mqttsn.Pingreq{})
			ping = now.Add(keepAlive)
		}
	}
	g.on = func(p mqttsn.Packet) {
		switch p := p.(type) {
		case mqttsn.Publish:
			a := mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID}
			switch {
			case p.Dup || p.QoS == mqttsn.ExactlyOnce || p.TopicIDType == mqttsn.Predefined:
				a.Code = mqttsn.NotSupported
			case p.TopicID != subID:
				a.Code = mqttsn.InvalidTopicID
			default:
				g.command(p.Data)
			}
			if p.QoS == mqttsn.AtLeastOnce || a.Code != mqttsn.Accepted {
				g.send(a)
			}
		case mqttsn.Pingreq:
			g.send(mqttsn.Pingresp{})
		}
	}
	for time.Now().Before(g.until) {
		if _, ok := g.request(mqttsn.Connect{ProtocolID: 1, ClientID: g.id, Will: true, Duration: 360}, retry, repeats, isType(mqttsn.TypeWillTopicReq)); !ok {
			continue
		}
		if _, ok := g.request(mqttsn.WillTopic{Topic: "will/" + g.id}, retry, repeats, isType(mqttsn.TypeWillMsgReq)); !ok {
			continue
		}
		if a, ok := g.request(mqttsn.WillMsg{Data: []byte("gone")}, retry, repeats, isConnack); !ok || a.(mqttsn.Connack).Code != 0 {
			continue
		}
		id++
		a, ok := g.request(mqttsn.Subscribe{QoS: 1, MsgID: id, TopicName: "cmd/" + g.id}, retry, repeats, isSuback(id))
		if !ok {
			continue
		}
		subID = a.(mqttsn.Suback).TopicID
		g.hasSession(true)
		id++
		a, ok = g.request(mqttsn.Register{MsgID: id, TopicName: "up/" + g.id}, retry, repeats, isRegack(id))
		for failed := 0; ok && failed < 2 && time.Now().Before(g.until); {
			g.await(fieldReport, nil)
			id++
			payload := g.report()
			p, acked := g.request(mqttsn.Publish{QoS: 1, TopicID: a.(mqttsn.Regack).TopicID, MsgID: id, Data: payload}, retry, repeats, isPuback(id))
			if failed++; acked && p.(mqttsn.Puback).Code == mqttsn.Accepted {
				g.wasAcked(payload)
				failed = 0
			}
		}
	}
}

// asymcute is RIOT's other one: 128 octets, requests repeated three times every 10 s, several at once (here: a report, a registration and a ping do not wait for each other), ping
// every 270 s, CleanSession always, no will and no QoS 2. It answers REGISTER.
func asymcute(g *gadget) {
	const retry, repeats, pingEvery = 10 * time.Second, 3, 270 * time.Second
	id := uint16(0)
	names := map[uint16]string{}
	ping := time.Now().Add(pingEvery)
	connected := false
	g.tickAt = func() (time.Time, bool) { return ping, true }
	g.tick = func(now time.Time) {
		if !now.Before(ping) {
			if connected {
				g.send(mqttsn.Pingreq{}) // in the middle of whatever is open
			}
			ping = now.Add(pingEvery)
		}
	}
	g.on = func(p mqttsn.Packet) {
		switch p := p.(type) {
		case mqttsn.Register, mqttsn.Publish:
			g.takeNamed(names, p)
		case mqttsn.Disconnect:
			connected = false
		}
	}
	for time.Now().Before(g.until) {
		clear(names)
		g.hasSession(false)
		if a, ok := g.request(mqttsn.Connect{ProtocolID: 1, ClientID: g.id, CleanSession: true, Duration: 360}, retry, repeats, isConnack); !ok || a.(mqttsn.Connack).Code != 0 {
			continue
		}
		connected = true
		id += 2
		g.send(mqttsn.Register{MsgID: id, TopicName: "up/" + g.id}) // and does not wait
		a, ok := g.request(mqttsn.Subscribe{QoS: 1, MsgID: id + 1, TopicName: "cmd/" + g.id}, retry, repeats, isSuback(id+1))
		if !ok {
			continue
		}
		names[a.(mqttsn.Suback).TopicID] = "cmd/" + g.id
		g.hasSession(true)
		a, ok = g.request(mqttsn.Register{MsgID: id, TopicName: "up/" + g.id}, retry, repeats, isRegack(id))
		id++
		for ok && connected && time.Now().Before(g.until) {
			g.await(fieldReport, nil)
			id++
			payload := g.report()
			var p mqttsn.Packet
			if p, ok = g.request(mqttsn.Publish{QoS: 1, TopicID: a.(mqttsn.Regack).TopicID, MsgID: id, Data: payload}, retry, repeats, isPuback(id)); ok && p.(mqttsn.Puback).Code == mqttsn.Accepted {
				g.wasAcked(payload)
			}
		}
	}
}

// zephyr searches with radius 1, has keep-alive 60 s, repeats five times every 10 s, keeps its session and says CONNECT exactly once an attempt, as older versions do: when CONNACK is
// lost its owner tries again after a while.
func zephyr(g *gadget) {
	const retry, repeats, keepAlive = 10 * time.Second, 5, 60 * time.Second
	id := uint16(0)
	names := map[uint16]string{}
	ping, pings := time.Now().Add(keepAlive), 0
	lost := true
	g.tickAt = func() (time.Time, bool) { return ping, !lost }
	g.tick = func(now time.Time) {
		if lost || now.Before(ping) {
			return
		}
		if pings++; pings > repeats {
			lost = true
			return
		}
		g.send(mqttsn.Pingreq{})
		ping = now.Add(retry)
	}
	g.on = func(p mqttsn.Packet) {
		switch p := p.(type) {
		case mqttsn.Pingresp:
			ping, pings = time.Now().Add(keepAlive-retry), 0
		case mqttsn.Register, mqttsn.Publish:
			g.takeNamed(names, p)
		case mqttsn.Disconnect:
			lost = true
		}
	}
	for time.Now().Before(g.until) {
		g.send(mqttsn.SearchGw{Radius: 1})
		if _, ok := g.await(retry, isType(mqttsn.TypeGwInfo)); !ok {
			continue
		}
		g.send(mqttsn.Connect{ProtocolID: 1, ClientID: g.id, Duration: 60})
		if a, ok := g.await(retry, isConnack); !ok || a.(mqttsn.Connack).Code != 0 {
			g.await(30*time.Second, nil)
			continue
		}
		lost, ping, pings = false, time.Now().Add(keepAlive-retry), 0
		id += 2
		a, ok := g.request(mqttsn.Subscribe{QoS: 1, MsgID: id, TopicName: "cmd/" + g.id}, retry, repeats, isSuback(id))
		if !ok {
			continue
		}
		names[a.(mqttsn.Suback).TopicID] = "cmd/" + g.id
		g.hasSession(true)
		a, ok = g.request(mqttsn.Register{MsgID: id + 1, TopicName: "up/" + g.id}, retry, repeats, isRegack(id+1))
		id++
		for ok && !lost && time.Now().Before(g.until) {
			g.await(fieldReport, nil)
			if lost {
				break
			}
			id++
			payload := g.report()
			var p mqttsn.Packet
			if p, ok = g.request(mqttsn.Publish{QoS: 1, TopicID: a.(mqttsn.Regack).TopicID, MsgID: id, Data: payload}, retry, repeats, isPuback(id)); ok && p.(mqttsn.Puback).Code == mqttsn.Accepted {
				g.wasAcked(payload)
			}
		}
		lost = true
	}
}

// tools is mqtt-sn-pub, run for each report by a script that runs it again when it fails: CONNECT with keep-alive 10 s, REGISTER, PUBLISH, DISCONNECT, each sent once and waited for; every other
// time at QoS -1 to a predefined topic, where nothing is waited for. It subscribes to nothing.
func tools(g *gadget) {
	const wait = 10 * time.Second
	for time.Now().Before(g.until) {
		g.await(fieldReport, nil)
		g.send(mqttsn.Publish{QoS: mqttsn.QoSMinusOne, TopicIDType: mqttsn.Predefined, TopicID: 1, Data: []byte("minus one")})
		payload := g.report()
		for run := 0; run < 20 && !g.runTool(payload, wait); run++ {
			g.await(time.Second, nil)
		}
	}
}

func (g *gadget) runTool(payload []byte, wait time.Duration) bool {
	if a, ok := g.request(mqttsn.Connect{ProtocolID: 1, ClientID: "mqtt-sn-tools-4711", CleanSession: true, Duration: 10}, wait, 0, isConnack); !ok || a.(mqttsn.Connack).Code != 0 {
		return false
	}
	a, ok := g.request(mqttsn.Register{MsgID: 1, TopicName: "up/" + g.id}, wait, 0, isRegack(1))
	if !ok {
		return false
	}
	p, ok := g.request(mqttsn.Publish{QoS: 1, TopicID: a.(mqttsn.Regack).TopicID, MsgID: 2, Data: payload}, wait, 0, isPuback(2))
	if ok && p.(mqttsn.Puback).Code == mqttsn.Accepted {
		g.wasAcked(payload)
	}
	g.request(mqttsn.Disconnect{}, wait, 0, isDisconnect)
	return ok
}

// wolfmqtt uses all that there is, one blocking call at a time that its application repeats: QoS 2 both ways, a will and its updates, long messages. Its parser refuses MsgId 0 beside QoS 1 and 2
// and what it does not expect, so it is a judge of what the gateway sends.
func wolfmqtt(g *gadget) {
	const wait, repeats = 10 * time.Second, 4
	id := uint16(0)
	names := map[uint16]string{}
	open := map[uint16]bool{} // QoS 2 messages that it has, until PUBREL
	lost := false
	ping := time.Now().Add(time.Minute)
	g.tickAt = func() (time.Time, bool) { return ping, true }
	g.tick = func(now time.Time) {
		if !now.Before(ping) {
			g.send(mqttsn.Pingreq{})
			ping = now.Add(30 * time.Second)
		}
	}
	g.on = func(p mqttsn.Packet) {
		switch p := p.(type) {
		case mqttsn.Register:
			if p.MsgID == 0 || p.TopicID == 0 || p.TopicID == mqttsn.ReservedTopicID {
				g.t.Errorf("wolfMQTT refuses %s", p)
			}
			names[p.TopicID] = p.TopicName
			g.send(mqttsn.Regack{TopicID: p.TopicID, MsgID: p.MsgID})
		case mqttsn.Publish:
			if (p.MsgID == 0) != (p.QoS == mqttsn.AtMostOnce) || p.QoS == mqttsn.QoSMinusOne {
				g.t.Errorf("wolfMQTT refuses %s", p)
			}
			switch {
			case names[p.TopicID] == "":
				g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID, Code: mqttsn.InvalidTopicID})
			case p.QoS == mqttsn.ExactlyOnce:
				if !open[p.MsgID] {
					open[p.MsgID] = true
					g.command(p.Data)
				}
				g.send(mqttsn.Pubrec{MsgID: p.MsgID})
			default:
				g.command(p.Data)
				g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
			}
		case mqttsn.Pubrel:
			delete(open, p.MsgID)
			g.send(mqttsn.Pubcomp{MsgID: p.MsgID})
		case mqttsn.Disconnect:
			lost = true
		}
	}
	for time.Now().Before(g.until) {
		if _, ok := g.request(mqttsn.Connect{ProtocolID: 1, ClientID: g.id, Will: true, Duration: 60}, wait, repeats, isType(mqttsn.TypeWillTopicReq)); !ok {
			continue
		}
		if _, ok := g.request(mqttsn.WillTopic{QoS: 2, Retain: true, Topic: "will/" + g.id}, wait, repeats, isType(mqttsn.TypeWillMsgReq)); !ok {
			continue
		}
		if a, ok := g.request(mqttsn.WillMsg{Data: []byte("gone")}, wait, repeats, isConnack); !ok || a.(mqttsn.Connack).Code != 0 {
			continue
		}
		lost = false
		id++
		a, ok := g.request(mqttsn.Subscribe{QoS: 2, MsgID: id, TopicName: "cmd/" + g.id}, wait, repeats, isSuback(id))
		if !ok {
			continue
		}
		names[a.(mqttsn.Suback).TopicID] = "cmd/" + g.id
		g.hasSession(true)
		id++
		a, ok = g.request(mqttsn.Register{MsgID: id, TopicName: "up/" + g.id}, wait, repeats, isRegack(id))
		for n := 0; ok && !lost && time.Now().Before(g.until); n++ {
			g.await(fieldReport, nil)
			if n%10 == 0 {
				g.request(mqttsn.WillMsgUpd{Data: make([]byte, 300)}, wait, repeats, isType(mqttsn.TypeWillMsgResp))
			}
			id++
			payload := g.report()
			long := append(payload, make([]byte, 300)...)
			if n%2 == 0 {
				long = payload
			}
			if ok = g.publishQoS2(mqttsn.Publish{QoS: 2, TopicID: a.(mqttsn.Regack).TopicID, MsgID: id, Data: long}, wait, repeats); ok {
				g.wasAcked(long)
			}
		}
	}
}

func (g *gadget) publishQoS2(p mqttsn.Publish, wait time.Duration, repeats int) bool {
	mine := func(a mqttsn.Packet) bool { r, ok := a.(mqttsn.Pubrec); return ok && r.MsgID == p.MsgID }
	if _, ok := g.request(p, wait, repeats, mine); !ok {
		return false
	}
	done := func(a mqttsn.Packet) bool { r, ok := a.(mqttsn.Pubcomp); return ok && r.MsgID == p.MsgID }
	_, ok := g.request(mqttsn.Pubrel{MsgID: p.MsgID}, wait, repeats, done)
	return ok
}

// arduino has one buffer for both directions: while its own message waits there for its answer, whatever else comes is gone. It sleeps between its reports, keeps its session, and
// takes half a second to work on a command, during which it hears nothing.
func arduino(g *gadget) {
	const retry, repeats, sleep = 10 * time.Second, 4, 300
	id := uint16(0)
	names := map[uint16]string{}
	lost := false
	busy := false // the buffer holds its own message
	take := func(p mqttsn.Packet) {
		if busy {
			return
		}
		switch p := p.(type) {
		case mqttsn.Register:
			names[p.TopicID] = p.TopicName
			g.send(mqttsn.Regack{TopicID: p.TopicID, MsgID: p.MsgID})
		case mqttsn.Publish:
			time.Sleep(500 * time.Millisecond)
			for len(g.in) > 0 {
				<-g.in
				g.lateFrames++
			}
			g.command(p.Data)
			g.send(mqttsn.Puback{TopicID: p.TopicID, MsgID: p.MsgID})
		case mqttsn.Disconnect:
			lost = true
		}
	}
	g.on = take
	request := func(p mqttsn.Packet, want func(mqttsn.Packet) bool) (mqttsn.Packet, bool) {
		busy = true
		defer func() { busy = false }()
		return g.request(p, retry, repeats, want)
	}
	for time.Now().Before(g.until) {
		if a, ok := request(mqttsn.Connect{ProtocolID: 1, ClientID: g.id, Duration: 60}, isConnack); !ok || a.(mqttsn.Connack).Code != 0 {
			continue
		}
		lost = false
		id++
		a, ok := request(mqttsn.Subscribe{QoS: 1, MsgID: id, TopicName: "cmd/" + g.id}, isSuback(id))
		if !ok {
			continue
		}
		names[a.(mqttsn.Suback).TopicID] = "cmd/" + g.id
		g.hasSession(true)
		id++
		if a, ok = request(mqttsn.Register{MsgID: id, TopicName: "up/" + g.id}, isRegack(id)); !ok {
			continue
		}
		up := a.(mqttsn.Regack).TopicID
		for ok && !lost && time.Now().Before(g.until) {
			id++
			payload := g.report()
			var p mqttsn.Packet
			if p, ok = request(mqttsn.Publish{QoS: 1, TopicID: up, MsgID: id, Data: payload}, isPuback(id)); ok && p.(mqttsn.Puback).Code == mqttsn.Accepted {
				g.wasAcked(payload)
			}
			if _, ok = request(mqttsn.Disconnect{HasDuration: true, Duration: sleep}, isDisconnect); !ok {
				break
			}
			g.await((sleep-10)*time.Second, nil)
			// it wakes, takes what there is, and sleeps on: PINGREQ again until PINGRESP
			if _, ok = g.request(mqttsn.Pingreq{ClientID: g.id}, retry, repeats, isPingresp); !ok || lost {
				break
			}
		}
	}
}
