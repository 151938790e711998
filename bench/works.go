package main

import (
	"context"
	"fmt"
)

// A work is one row of the table for each peer.
type work struct {
	name string
	what string // one line for -list
	sn   bool   // only for peers that speak MQTT-SN
	run  func(context.Context, target, scale) (figures, error)
}

// works are in the order of the table.
var works = []work{
	{"qos0-fanin", "QoS 0, 4 publishers to 1 subscriber, as fast as it goes", false, fanIn},
	{"qos0-fanout", "QoS 0, 1 publisher to 10 subscribers, as fast as it goes", false, fanOut},
	{"qos1-pairs", "QoS 1, 4 pairs, window 16", false, pairs(1)},
	{"qos2-pairs", "QoS 2, 4 pairs, window 16", false, pairs(2)},
	{"slow-publishers", "QoS 1, 100 publishers of 50 msg/s to 1 subscriber", false, slowPublishers},
	{"lone", "QoS 1, 1 publisher of 20 msg/s to 1 subscriber", false, lonePublisher},
	{"idle-memory", "memory of 2,000 idle MQTT connections", false, idleMemory},
	{"sn-20", "MQTT-SN QoS 1, 20 clients in closed loop to 1 MQTT subscriber", true, snClosedLoop},
	{"sn-asleep", "memory of 100,000 sleeping MQTT-SN devices with a subscription each", true, snAsleep},
	{"sn-1000", "MQTT-SN QoS 1, 1,000 clients of 5 msg/s to 1 MQTT subscriber", true, snPaced},
}

// window is how many messages a publisher of a pair keeps open.
const window = 16

func fanIn(ctx context.Context, tgt target, sc scale) (figures, error) {
	var t traffic
	if err := t.buildFanIn(ctx, tgt, sc); err != nil {
		t.close()
		return figures{}, err
	}
	return t.run(ctx, tgt.pid, sc.budget)
}

func (t *traffic) buildFanIn(ctx context.Context, tgt target, sc scale) error {
	if err := t.addSubscriber(ctx, tgt, "bench/+", 0, sc.publisher); err != nil {
		return err
	}
	for i := range sc.publisher {
		p, err := newBlast(ctx, tgt.mqtt, fmt.Sprintf("bench/%d", i), uint32(i))
		if err != nil {
			return err
		}
		t.pubs = append(t.pubs, p)
	}
	t.subs[0].sources = t.sources()
	return nil
}

func fanOut(ctx context.Context, tgt target, sc scale) (figures, error) {
	var t traffic
	if err := t.buildFanOut(ctx, tgt, sc); err != nil {
		t.close()
		return figures{}, err
	}
	return t.run(ctx, tgt.pid, sc.budget)
}

func (t *traffic) buildFanOut(ctx context.Context, tgt target, sc scale) error {
	for range sc.fanSubs {
		if err := t.addSubscriber(ctx, tgt, "bench/all", 0, 1); err != nil {
			return err
		}
	}
	p, err := newBlast(ctx, tgt.mqtt, "bench/all", 0)
	if err != nil {
		return err
	}
	t.pubs = append(t.pubs, p)
	for _, s := range t.subs {
		s.sources = t.sources()
	}
	return nil
}

// pairs is the work of windowed publishers, each with a subscriber of its own, at QoS 1 or 2.
func pairs(qos byte) func(context.Context, target, scale) (figures, error) {
	return func(ctx context.Context, tgt target, sc scale) (figures, error) {
		var t traffic
		if err := t.buildPairs(ctx, tgt, sc, qos); err != nil {
			t.close()
			return figures{}, err
		}
		return t.run(ctx, tgt.pid, sc.budget)
	}
}

func (t *traffic) buildPairs(ctx context.Context, tgt target, sc scale, qos byte) error {
	l := &loop{}
	t.pubs = []publisher{l}
	for i := range sc.publisher {
		topic := fmt.Sprintf("pair/%d", i)
		if err := t.addSubscriber(ctx, tgt, topic, qos, sc.publisher); err != nil {
			return err
		}
		p, err := newWindowed(ctx, tgt.mqtt, topic, qos, uint32(i), window)
		if err != nil {
			return err
		}
		t.subs[i].sources = []source{p}
		if err := l.add(p, t.subs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *traffic) sources() []source {
	var all []source
	for _, p := range t.pubs {
		all = append(all, p)
	}
	return all
}

// addSubscriber connects one more; publishers is how many publisher numbers the run has.
func (t *traffic) addSubscriber(ctx context.Context, tgt target, filter string, qos byte, publishers int) error {
	id := fmt.Sprintf("sub-%d", len(t.subs))
	s, err := newSubscriber(ctx, tgt.mqtt, id, filter, qos, publishers)
	if err != nil {
		return err
	}
	t.subs = append(t.subs, s)
	return nil
}
