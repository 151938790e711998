package client

import (
	"time"

	"midge/mqttsn"
)

// phase is how far the head of the publish queue has come.
type phase uint8

const (
	waiting  phase = iota // not sent, or to be sent as new
	sent                  // PUBLISH is out and unanswered
	released              // PUBREC came, PUBREL is out
)

// publication is a publish that is not done. Beyond waiting, MsgId and phase outlive the connection.
type publication struct {
	token  Token
	topic  Topic
	qos    mqttsn.QoS
	retain bool
	data   []byte
	msgID  uint16
	phase  phase
	second bool   // its id was refused once already
	badID  uint16 // that id
}

func (p *publication) packet(id uint16) mqttsn.Publish {
	return mqttsn.Publish{Dup: p.phase == sent, QoS: p.qos, Retain: p.retain, TopicIDType: p.topic.Type, TopicID: id, MsgID: p.msgID, Data: p.data}
}

// Publish sends one message. At QoS −1 it goes out at once in any state, by predefined id or short name; otherwise it takes its turn.
// The payload is copied.
func (c *Client) Publish(now time.Time, topic Topic, qos mqttsn.QoS, retain bool, payload []byte) (Token, error) {
	if qos < mqttsn.QoSMinusOne || qos > mqttsn.ExactlyOnce {
		return 0, ErrQoS
	}
	p := &publication{topic: topic, qos: qos, retain: retain, data: payload}
	if qos == mqttsn.QoSMinusOne {
		return c.publishMinusOne(now, p)
	}
	var err error
	if p.token, err = c.admit(p.packet(topic.ID)); err != nil {
		return 0, err
	}
	if topic.Type == mqttsn.Normal && !c.fits(mqttsn.Register{TopicName: topic.Name}) {
		return 0, ErrTooLong // its REGISTER would never arrive
	}
	p.data = append([]byte(nil), payload...)
	c.pubs = append(c.pubs, p)
	c.pump(now)
	return p.token, nil
}

// publishMinusOne sends without a session (§6.8).
func (c *Client) publishMinusOne(now time.Time, p *publication) (Token, error) {
	packet := p.packet(p.topic.ID)
	if p.topic.Type == mqttsn.Normal {
		if !c.cfg.InlineNames || p.topic.Name == "" || len(p.topic.Name) > mqttsn.MaxSize {
			return 0, ErrTopic
		}
		packet.TopicID = uint16(len(p.topic.Name))
		packet.Data = append([]byte(p.topic.Name), p.data...)
	}
	if !c.fits(packet) {
		return 0, ErrTooLong
	}
	token := c.nextToken()
	c.send(now, packet)
	c.emit(Published{Token: token, QoS: p.qos})
	return token, nil
}

// pumpPublish sends from the head of the queue until one has to wait for an answer.
func (c *Client) pumpPublish(now time.Time) {
	for len(c.pubs) > 0 && !c.lanes[lanePublish].open {
		p := c.pubs[0]
		if p.phase == released {
			c.begin(now, lanePublish, mqttsn.Pubrel{MsgID: p.msgID})
			return
		}
		id := p.topic.ID
		if p.topic.Type == mqttsn.Normal {
			var known bool
			if id, known = c.ids[p.topic.Name]; !known {
				c.register(now, registration{name: p.topic.Name})
				return
			}
		}
		if p.qos == mqttsn.AtMostOnce {
			c.send(now, p.packet(id))
			c.finish(Published{})
			continue
		}
		if p.phase == waiting {
			p.msgID = c.nextMsgID()
		} else {
			c.counters.Retransmissions++ // it went out before, perhaps in an earlier connection
		}
		c.begin(now, lanePublish, p.packet(id))
		p.phase = sent
	}
}

// finish takes the head off the queue and reports e with its token and QoS.
func (c *Client) finish(e Published) {
	p := c.pubs[0]
	c.pubs[0] = nil
	c.pubs = c.pubs[1:]
	c.end(lanePublish)
	e.Token, e.QoS = p.token, p.qos
	c.emit(e)
}

func (c *Client) refused(code mqttsn.ReturnCode) {
	c.counters.Refused++
	c.finish(Published{Code: code})
}

func (c *Client) acknowledged() {
	c.counters.Acknowledged++
	c.finish(Published{})
}

// onAir returns the publish that waits in that phase for an answer with that MsgId.
func (c *Client) onAir(msgID uint16, ph phase) (*publication, bool) {
	if !c.lanes[lanePublish].open || c.pubs[0].msgID != msgID || c.pubs[0].phase != ph {
		return nil, false
	}
	return c.pubs[0], true
}

// puback confirms QoS 1. With another code it refuses any QoS (§5.4.13).
func (c *Client) puback(now time.Time, a mqttsn.Puback) bool {
	p, ok := c.onAir(a.MsgID, sent)
	if !ok {
		if a.MsgID == 0 && a.Code == mqttsn.InvalidTopicID {
			c.unlearn(a.TopicID) // a QoS 0 publish came to nothing; the next one registers its name anew
			return true
		}
		return false
	}
	switch {
	case a.Code == mqttsn.Accepted:
		if p.qos != mqttsn.AtLeastOnce {
			return false
		}
		c.acknowledged()
	case a.Code == mqttsn.Congestion:
		c.takeBack(p)
		c.hold(now)
	case a.Code == mqttsn.InvalidTopicID && p.topic.Type == mqttsn.Normal:
		c.idRefused(p, a.TopicID)
	default:
		c.refused(a.Code)
	}
	return true
}

// idRefused handles a publish whose id the gateway does not know, or knows no more: the name is registered anew and the message
// goes once more, and only once, or a gateway that refuses the ids it gives would keep the client busy for ever.
func (c *Client) idRefused(p *publication, id uint16) {
	current := c.ids[p.topic.Name]
	if p.second && id == p.badID && id != current {
		c.counters.Duplicates++ // the answer to a repetition of the first attempt
		return
	}
	if p.second {
		c.refused(mqttsn.InvalidTopicID)
		return
	}
	p.second, p.badID = true, current
	c.unlearn(current)
	c.takeBack(p)
}

// takeBack puts a refused publish back to the head of the queue. At QoS 2 it keeps its MsgId: the refusal may answer a
// repetition whose original the gateway has taken, and then only the MsgId tells that both are one.
func (c *Client) takeBack(p *publication) {
	c.end(lanePublish)
	if p.qos != mqttsn.ExactlyOnce {
		p.phase, p.msgID = waiting, 0
	}
}

func (c *Client) pubrec(now time.Time, a mqttsn.Pubrec) bool {
	if _, again := c.onAir(a.MsgID, released); again {
		c.counters.Duplicates++ // PUBREL is out and repeated by its own timer
		return true
	}
	p, ok := c.onAir(a.MsgID, sent)
	if !ok || p.qos != mqttsn.ExactlyOnce {
		return false
	}
	p.phase = released
	p.data = nil
	c.begin(now, lanePublish, mqttsn.Pubrel{MsgID: p.msgID})
	return true
}

func (c *Client) pubcomp(a mqttsn.Pubcomp) bool {
	if _, ok := c.onAir(a.MsgID, released); !ok {
		return false
	}
	c.acknowledged()
	return true
}
