package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
	"midge/transports/linktest"
)

func connectAs(id string) mqttsn.Packet    { return mqttsn.Connect{ClientID: id, ProtocolID: 1} }
func registerAs(name string) mqttsn.Packet { return mqttsn.Register{MsgID: 9, TopicName: name} }
func publishTo(id uint16) mqttsn.Packet {
	return mqttsn.Publish{QoS: 1, TopicID: id, MsgID: 9, Data: []byte("x")}
}

// TestServeAgain is a whole life with the shell: two processes, one store, and a device to which they are one.
func TestServeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewCrashableMem()
		life := func(live func(s *served, d *station)) {
			c := startCore(t, disk, 0)
			s := &served{t: t, b: c.b, net: linktest.NewNet(1), g: New(c.b, Config{}, slog.New(slog.DiscardHandler))} // the same seed: the device has the same address
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() { s.err = s.g.Serve(ctx, "lan", s.net.Gateway(), LinkConfig{}) })
			d := s.station()
			synctest.Wait()
			live(s, d)
			cancel()
			wg.Wait()
			d.end.Close()
			disk = c.stop(true)
		}
		life(func(s *served, d *station) {
			d.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
			d.say(mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"})
			d.say(mqttsn.Disconnect{HasDuration: true, Duration: 600})
			d.want("answers come out when they are safe", "CONNACK accepted", "SUBACK qos=1 topic=0x0401 msgid=1 accepted", "DISCONNECT")
			s.publish("cmd", "open")
			synctest.Wait()
		})
		time.Sleep(time.Hour)
		life(func(s *served, d *station) {
			if got := s.g.Devices(); len(got) != 1 || got[0].State != Asleep || got[0].Queued != 1 || got[0].TopicIDs != 1 {
				t.Errorf("the device is asleep as before: %+v", got)
			}
			time.Sleep(650 * time.Second)
			d.say(mqttsn.Pingreq{ClientID: "valve7"})
			d.say(mqttsn.Puback{TopicID: 0x0401, MsgID: 1})
			d.want("its PINGREQ is all it takes", `PUBLISH dup qos=1 topic=0x0401(normal) msgid=1 data="open"`, "PINGRESP")
		})
	})
}

// TestAwayLinkLosesItsClients: while one link is served, the clients of another that is not are lost in their time, and wake-ups do not get lost with it.
func TestAwayLinkLosesItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		second := linktest.NewNet(9)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { s.g.Serve(ctx, "radio", second.Gateway(), LinkConfig{}) })
		w, _, _ := s.b.Open(time.Now(), broker.Options{ClientID: "watcher"})
		w.Subscribe(time.Now(), []broker.Subscription{{Filter: "will/#", QoS: 1}})
		here, there := s.station(), (&served{t: t, net: second}).station()
		for _, id := range []string{"lost", "moves"} {
			there.say(mqttsn.Connect{ClientID: id, ProtocolID: 1, Duration: 60, Will: true})
			there.say(mqttsn.WillTopic{Topic: "will/" + id})
			there.say(mqttsn.WillMsg{Data: []byte("gone")})
			there.say(mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"})
			there.say(mqttsn.Disconnect{HasDuration: true, Duration: 600})
		}
		cancel()
		wg.Wait()
		there.end.Close()
		s.publish("cmd", "one") // wakes both on the link that is not served
		time.Sleep(600 * time.Second)
		here.say(mqttsn.Pingreq{ClientID: "moves"})
		here.say(mqttsn.Puback{TopicID: 0x0401, MsgID: 1})
		here.want("it is found on the other link", `PUBLISH qos=1 topic=0x0401(normal) msgid=1 data="one"`, "PINGRESP")
		here.say(mqttsn.Connect{ClientID: "moves", ProtocolID: 1, Duration: 0})
		s.publish("cmd", "two")
		synctest.Wait()
		here.say(mqttsn.Regack{TopicID: 0x0401, MsgID: 1})
		here.want("and woken there", "CONNACK accepted", "REGISTER topic=0x0401 msgid=1 name=cmd", `PUBLISH qos=1 topic=0x0401(normal) msgid=2 data="two"`)
		if n := w.Waiting(); n != 0 {
			t.Error("nobody is lost before its time")
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := w.Waiting(); n != 1 {
			t.Errorf("the other is lost when its time has come, and its will is published; got %d wills", n)
		}
		s.stop()
		here.end.Close()
	})
}

// TestAnswersOwedAreBounded: while the disk does not get on, requests are handled and owed an answer up to a bound, and repeated by their device beyond it.
func TestAnswersOwedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCore(t, vfs.NewCrashableMem(), time.Hour)
		g := New(c.b, Config{}, slog.New(slog.DiscardHandler))
		l := g.open("lan", LinkConfig{}, 1024, func(transports.Addr) string { return "" }, time.Now())
		r := &rig{t: t, now: time.Now(), b: c.b, g: g, l: l}
		r.want("nothing is answered before it is safe", r.from("dev", connectAs("dev")))
		for i := range 3 * promisedMax {
			r.from("dev", registerAs(fmt.Sprint("t", i)))
			r.from("dev", mqttsn.Subscribe{MsgID: 1, TopicName: "#"})
			r.from("dev", connectAs("dev"))
			r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: 60})
		}
		if got := g.sp.clients["dev"].promised; got != promisedMax {
			t.Errorf("a client is owed %d answers at most, got %d", promisedMax, got)
		}
		if got := g.Counters().Links["lan"].Dropped["congestion"]; got == 0 {
			t.Error("what is beyond the bound is counted")
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		r.now = time.Now()
		l.Pull(r.now)
		connacks, disconnects := 0, 0
		for _, f := range l.frames() {
			switch typ, _ := mqttsn.PeekType(f.Data); typ {
			case mqttsn.TypeConnack:
				connacks++
			case mqttsn.TypeDisconnect:
				disconnects++
			}
		}
		if connacks+disconnects != 1 {
			t.Errorf("of what tells the state the last is said, got %d CONNACK and %d DISCONNECT", connacks, disconnects)
		}
		if got := g.sp.clients["dev"].promised; got != 0 {
			t.Errorf("in the end all is answered, %d are not", got)
		}
		c.stop(true)
	})
}

// TestNotesAreRare: neither publishing nor waking changes what is kept, so they cost no write.
func TestNotesAreRare(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", connectAs("dev"))
	r.from("dev", registerAs("up"))
	r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: 600})
	c := r.g.sp.clients["dev"]
	before := c.noted
	kept := func() []byte { rec := c.record(); return rec.append(nil) }
	was := kept()
	r.from("dev", publishTo(firstTopicID))
	r.from("dev", mqttsn.Pingreq{ClientID: "dev"})
	r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: 600})
	if c.noted != before || string(kept()) != string(was) {
		t.Error("a device that publishes and wakes is the same to the next process")
	}
	r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: 601})
	if c.noted == before {
		t.Error("another sleep duration is kept")
	}
}
