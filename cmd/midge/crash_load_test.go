package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports/udp"
)

// quietMosquitto is a real central broker without bounds that does not tell every packet.
func quietMosquitto(t *testing.T) (port int) {
	t.Helper()
	peertest.Need(t, "mosquitto")
	port = peertest.FreePort(t)
	conf := writeFile(t, "mosquitto.conf", fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"+
		"persistence false\nlog_type error\nlog_type warning\nlog_type notice\nlog_type information\nuser root\n", port))
	start(t, "mosquitto", "-c", conf).waitFor("mosquitto starts", "running")
	return port
}

// subscribers makes all MQTT subscribers and waits until their subscriptions stand.
func (e *episode) subscribers() {
	for i, qos := range []mqtt.QoS{mqtt.AtLeastOnce, mqtt.ExactlyOnce} {
		version, maximum := []mqtt.Version{mqtt.V311, mqtt.V5}[i], uint16(20)
		e.online = append(e.online, e.subscriber(fmt.Sprint("online-", qos), version, qos, maximum))
		e.offline = append(e.offline, e.subscriber(fmt.Sprint("offline-", qos), mqtt.V311+mqtt.V5-version, qos, 0))
	}
	archive := e.subscriber("archive", mqtt.V311, mqtt.ExactlyOnce, 0)
	archive.addr, archive.prefix, archive.filters, archive.sink.prefixes = e.up, "site/", []string{"site/load/#"}, []string{"load/"}
	e.broken = e.broken[:len(e.broken)-1] // nobody cuts this one
	e.online = append(e.online, archive)
	for _, s := range e.online {
		e.wg.Go(func() { s.run(e.ctx) })
	}
	for _, s := range e.offline {
		e.visit(s, func() bool { return true })
	}
	for _, s := range e.online {
		until(e.t, s.id+" is subscribed", func() bool {
			e.h.mu.Lock()
			defer e.h.mu.Unlock()
			return s.sink.since != 0
		})
	}
}

func (e *episode) client(id string, v mqtt.Version) mqttClient {
	return mqttClient{h: e.h, id: id, addr: e.box.mqtt, version: v}
}

func (e *episode) subscriber(id string, v mqtt.Version, qos mqtt.QoS, maximum uint16) *subscriber {
	s := &subscriber{mqttClient: e.client(id, v), sink: e.h.newSink(id, qos, "load/", "cmd/"), filters: []string{"load/#", "cmd/#"}, done: make(chan struct{})}
	s.receiveMaximum = maximum
	e.broken = append(e.broken, &s.mqttClient)
	return s
}

// device makes a device and connects it.
func (e *episode) device(id string) unaware {
	e.t.Helper()
	link, err := udp.Dial(e.box.sn)
	if err != nil {
		e.t.Fatal(err)
	}
	d := unaware{device: newDevice(e.t, link, enduring(id)), h: e.h, id: id, rng: e.seeded(), registered: map[string]registration{}, done: make(chan struct{})}
	d.connect()
	return d
}

func (e *episode) seeded() *rand.Rand { return rand.New(rand.NewPCG(e.rng.Uint64(), 0)) }

func (e *episode) addSleeper(id string, qos mqtt.QoS) {
	e.t.Helper()
	s := &sleeper{unaware: e.device(id), sink: e.h.newSink(id, qos, "cmd/"), nap: 200 * time.Millisecond}
	s.sink.radio = true
	s.subscribe("cmd/#", mqttsn.QoS(qos))
	s.sink.subscribed()
	s.do("sleep", func(c *client.Client, now time.Time) error { return c.Sleep(now, time.Hour) })
	await[client.FellAsleep](s.device, "the gateway acknowledges the sleep")
	s.over = func() bool {
		e.h.mu.Lock()
		over := e.over
		e.h.mu.Unlock()
		return over && s.sink.complete(e.h.now())
	}
	e.sleepers, e.devices = append(e.sleepers, s), append(e.devices, &s.unaware)
	e.wg.Go(func() { s.run(e.ctx) })
}

// loads starts all publishers.
func (e *episode) loads() {
	e.publisher("mqtt-1", mqtt.V311, mqtt.AtLeastOnce, 8, live("mqtt-1"))
	e.publisher("mqtt-1-v5", mqtt.V5, mqtt.AtLeastOnce, 32, live("mqtt-1-v5"))
	e.publisher("mqtt-2", mqtt.V311, mqtt.ExactlyOnce, 8, live("mqtt-2"))
	e.publisher("mqtt-2-v5", mqtt.V5, mqtt.ExactlyOnce, 32, live("mqtt-2-v5"))
	e.publisher("kept-1", mqtt.V5, mqtt.AtLeastOnce, 8, kept("kept-1"))
	e.publisher("kept-2", mqtt.V311, mqtt.ExactlyOnce, 8, kept("kept-2"))
	for _, qos := range []mqtt.QoS{mqtt.AtLeastOnce, mqtt.ExactlyOnce} {
		id := fmt.Sprint("up-", qos)
		p := e.publisher(id, mqtt.V311, qos, 8, commands(id))
		p.src.counting, p.src.lag = byKill, ackLag // what the central broker does with it is not seen
		e.snPublisher(fmt.Sprint("sn-", qos), qos)
	}
	e.wills = e.h.newSource("wills", mqtt.AtLeastOnce)
	e.hellos = e.h.newSource("hellos", mqtt.AtLeastOnce)
	e.wills.unpaired, e.wills.counting, e.wills.lag = true, byKill, patience
}

func (e *episode) publisher(id string, v mqtt.Version, qos mqtt.QoS, window int, next func(*rand.Rand, int) message) *publisher {
	p := &publisher{mqttClient: e.client(id, v), src: e.h.newSource(id, qos), rng: e.seeded(), window: window, every: 10 * time.Millisecond, burst: 3,
		next: next, done: make(chan struct{})}
	if strings.HasPrefix(id, "up-") {
		p.addr, p.prefix, p.every, p.burst = e.up, "site/", 200*time.Millisecond, 2
	} else {
		e.broken = append(e.broken, &p.mqttClient)
	}
	e.publishers, e.ended = append(e.publishers, p), append(e.ended, p.done)
	e.wg.Go(func() { p.run(e.ctx) })
	return p
}

func (e *episode) snPublisher(id string, qos mqtt.QoS) {
	e.t.Helper()
	p := &snPublisher{unaware: e.device(id), src: e.h.newSource(id, qos), every: 5 * time.Millisecond, next: measured(id)}
	e.publishers, e.ended, e.devices = append(e.publishers, p), append(e.ended, p.done), append(e.devices, &p.unaware)
	e.wg.Go(func() { p.run(e.ctx) })
}

// live gives a publisher's messages: most on one of three topics, some to the devices, a few of them large.
func live(id string) func(*rand.Rand, int) message {
	return func(rng *rand.Rand, _ int) message {
		switch n := rng.IntN(60); {
		case n < 2: // a sleeping device gets them one by one, at QoS 2 with a commit for each
			return message{topic: "cmd/" + id, size: rng.IntN(150)}
		case n == 2:
			return message{topic: "load/" + id + "/large", size: 20_000}
		default:
			return message{topic: fmt.Sprintf("load/%s/%d", id, n%3), size: rng.IntN(600)}
		}
	}
}

// kept gives retained values on five topics; some take the value away.
func kept(id string) func(*rand.Rand, int) message {
	return func(rng *rand.Rand, _ int) message {
		return message{topic: fmt.Sprintf("%s%s/%d", keptPrefix, id, rng.IntN(5)), retain: true, clear: rng.IntN(10) == 0, size: rng.IntN(300)}
	}
}

// commands go to the devices.
func commands(id string) func(*rand.Rand, int) message {
	return func(rng *rand.Rand, _ int) message { return message{topic: "cmd/" + id, size: rng.IntN(150)} }
}

// measured is what a device sends: under a new topic now and then, which it has to register.
func measured(id string) func(*rand.Rand, int) message {
	return func(rng *rand.Rand, number int) message {
		if number%10 == 9 {
			return message{topic: keptPrefix + id, retain: true, size: rng.IntN(100)}
		}
		return message{topic: fmt.Sprintf("load/%s/%d", id, number/25), size: rng.IntN(150)}
	}
}
