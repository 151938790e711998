package client

import (
	"time"

	"midge/mqttsn"
)

// willUpdate is a WILLTOPICUPD or WILLMSGUPD to send; neither has a MsgId, so one goes at a time (§6.4).
type willUpdate struct {
	token  Token
	packet mqttsn.Packet
}

// UpdateWillTopic changes topic, QoS and Retain of the will, now at the gateway and for later sessions. The message stays; an empty
// topic deletes both.
func (c *Client) UpdateWillTopic(now time.Time, topic string, qos mqttsn.QoS, retain bool) (Token, error) {
	if qos < mqttsn.AtMostOnce || qos > mqttsn.ExactlyOnce {
		return 0, ErrQoS
	}
	if topic == "" {
		return c.updateWill(now, mqttsn.WillTopicUpd{Empty: true}, nil)
	}
	will := Will{Topic: topic, QoS: qos, Retain: retain}
	if c.cfg.Will != nil {
		will.Message = c.cfg.Will.Message
	}
	return c.updateWill(now, mqttsn.WillTopicUpd(willTopic(&will)), &will)
}

// UpdateWillMessage changes the message of the will likewise. It is kept, not copied.
func (c *Client) UpdateWillMessage(now time.Time, message []byte) (Token, error) {
	will := c.cfg.Will
	if will != nil {
		copied := *will
		copied.Message = message
		will = &copied
	}
	return c.updateWill(now, mqttsn.WillMsgUpd{Data: message}, will)
}

func (c *Client) updateWill(now time.Time, p mqttsn.Packet, will *Will) (Token, error) {
	token, err := c.admit(p)
	if err != nil {
		return 0, err
	}
	c.cfg.Will = will
	c.wills = append(c.wills, willUpdate{token: token, packet: p})
	c.pump(now)
	return token, nil
}

func (c *Client) pumpWill(now time.Time) {
	if len(c.wills) > 0 && !c.lanes[laneWill].open {
		c.begin(now, laneWill, c.wills[0].packet)
	}
}

func (c *Client) willResp(now time.Time, code mqttsn.ReturnCode, answers mqttsn.Type) bool {
	if !c.lanes[laneWill].open || c.wills[0].packet.Type() != answers {
		return false
	}
	c.end(laneWill)
	if code == mqttsn.Congestion {
		c.hold(now)
		return true
	}
	c.emit(WillUpdated{Token: c.wills[0].token, Code: code})
	c.wills = c.wills[1:]
	return true
}
