package gateway

import (
	"errors"
	"fmt"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/topic"
	"midge/mqttsn"
)

// ErrNotConnected is a client that is neither connected nor asleep.
var ErrNotConnected = errors.New("it is neither connected nor asleep")

// Subscribe subscribes a client that is connected or asleep, for devices that cannot do it themselves. It hears of it by the first message: each name is registered
// before. The QoS is bounded as if the client had asked for it, and so is what it may have. Until it ends with its session or by Unsubscribe the subscription
// is one as any other. The filter is as the client would write it: the link's mount point goes in front.
func (g *Gateway) Subscribe(clientID, filter string, qos mqtt.QoS) (granted mqtt.QoS, err error) {
	return g.subscribeFor(time.Now(), clientID, filter, qos)
}

func (g *Gateway) subscribeFor(now time.Time, clientID, filter string, qos mqtt.QoS) (granted mqtt.QoS, err error) {
	if err := topic.ValidFilter(filter); err != nil {
		return 0, fmt.Errorf("%q is no filter: %w", filter, err)
	}
	err = g.onBehalf(now, clientID, func(l *link, c *client) error {
		sub := broker.Subscription{Filter: l.mountOf(c).Filter(filter), QoS: l.capped(mqttsn.QoS(qos))}
		reasons, err := c.s.Subscribe(l.now, []broker.Subscription{sub})
		if err == nil && reasons[0].Failed() {
			return errors.New(reasons[0].String())
		}
		granted = sub.QoS
		c.receives = true
		l.sp.keep(c)
		return err
	})
	return granted, err
}

// Unsubscribe takes a subscription of a client away, whoever made it. was says whether there was one.
func (g *Gateway) Unsubscribe(clientID, filter string) (was bool, err error) {
	err = g.onBehalf(time.Now(), clientID, func(l *link, c *client) error {
		reasons, err := c.s.Unsubscribe(l.now, []string{l.mountOf(c).Filter(filter)})
		was = err == nil && reasons[0] == mqtt.Success
		return err
	})
	return was, err
}

// onBehalf does something with the session of a client.
func (g *Gateway) onBehalf(now time.Time, clientID string, do func(*link, *client) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.sp.clients[clientID]
	if c == nil || !c.connected() {
		return ErrNotConnected
	}
	l := c.link.Load()
	l.enter(now)
	err := do(l, c)
	if errors.Is(err, broker.ErrTakenOver) {
		l.takenOver(c)
		return ErrNotConnected
	}
	l.pump(c)
	l.flush()
	return err
}
