package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
	"midge/transports/linktest"
)

// TestMain fails the package when a goroutine outlives the tests.
func TestMain(m *testing.M) { linktest.Main(m) }

// served is a gateway that serves one in-memory link in a synctest bubble.
type served struct {
	t    *testing.T
	b    *broker.Broker
	g    *Gateway
	net  *linktest.Net
	stop func()
	err  error
}

func serve(t *testing.T, cfg Config) *served { return serveWith(t, cfg, LinkConfig{}) }

func serveWith(t *testing.T, cfg Config, lc LinkConfig) *served {
	net := linktest.NewNet(1)
	return serveOver(t, cfg, lc, net, net.Gateway())
}

// serveOver serves the gateway's end of a net, or what wraps it.
func serveOver(t *testing.T, cfg Config, lc LinkConfig, net *linktest.Net, end transports.Link) *served {
	s := &served{t: t, b: broker.New(broker.Limits{}), net: net}
	s.g = New(s.b, cfg, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.err = s.g.Serve(ctx, "lan", end, lc) })
	s.stop = func() {
		cancel()
		wg.Wait()
	}
	return s
}

// station is one device's end of the radio.
type station struct {
	s   *served
	end *linktest.End
	got chan string
}

func (s *served) station() *station {
	d := &station{s: s, end: s.net.Device(), got: make(chan string, 1000)}
	go func() {
		defer close(d.got)
		for {
			frames := []transports.Frame{{Data: make([]byte, 1024)}}
			if _, err := d.end.ReadFrames(frames); err != nil {
				return
			}
			p, err := mqttsn.Decode(frames[0].Data)
			if err != nil {
				d.got <- err.Error()
				continue
			}
			d.got <- mqttsn.Text(p)
		}
	}()
	return d
}

// say sends one packet and waits until everything has come to rest.
func (d *station) say(p mqttsn.Packet) {
	d.send(p)
	synctest.Wait()
}

func (d *station) send(p mqttsn.Packet) {
	d.end.WriteFrames([]transports.Frame{{Data: p.Append(nil)}})
}

// want checks all that has come since.
func (d *station) want(sentence string, want ...string) {
	d.s.t.Helper()
	synctest.Wait()
	var got []string
	for len(d.got) > 0 {
		got = append(got, <-d.got)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.s.t.Errorf("%s: got %q, want %q", sentence, got, want)
	}
}

func (s *served) publish(topic, payload string) {
	p, _, err := s.b.Open(time.Now(), broker.Options{ClientID: "publisher"})
	if err != nil {
		s.t.Fatal(err)
	}
	p.Publish(time.Now(), []broker.Inbound{{ID: 1, Message: &broker.Message{Topic: topic, QoS: 1, Payload: []byte(payload)}}})
}

// mute is a link that reaches nobody by broadcast.
type mute struct{ transports.Link }

func (mute) Broadcasts() bool { return false }

func TestNoAdvertiseWhereNobodyHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := linktest.NewNet(1)
		s := serveOver(t, Config{GatewayID: 7, AdvertiseInterval: 15 * time.Minute}, LinkConfig{}, net, mute{net.Gateway()})
		time.Sleep(time.Hour)
		if n := net.Gateway().Stats().FramesOut; n != 0 {
			t.Errorf("a link that reaches nobody by broadcast carries no ADVERTISE: %d frames", n)
		}
		s.stop()
	})
}

// flood is a link whose first reads are all full, of frames that are no message.
type flood struct {
	transports.Link
	full  int
	asked []int // for how many frames each read asked
}

func (f *flood) ReadFrames(frames []transports.Frame) (n int, err error) {
	f.asked = append(f.asked, len(frames))
	if f.full--; f.full < 0 {
		return f.Link.ReadFrames(frames)
	}
	for i := range frames {
		frames[i].Data = frames[i].Data[:1]
	}
	return len(frames), nil
}

func TestBuffersComeWithTheFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := linktest.NewNet(1)
		link := &flood{Link: net.Gateway(), full: 6}
		s := serveOver(t, Config{}, LinkConfig{}, net, link)
		synctest.Wait()
		s.stop()
		if want := []int{8, 16, 32, 64, 128, 128, 128}; !slices.Equal(link.asked, want) {
			t.Errorf("a link begins with few buffers, and as long as they fill up there are twice as many, up to a bound: got %v, want %v", link.asked, want)
		}
	})
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{GatewayID: 7, AdvertiseInterval: 15 * time.Minute})
		d := s.station()
		d.want("the gateway advertises itself at once", "ADVERTISE gwid=7 duration=900")
		d.say(mqttsn.SearchGw{})
		d.want("and answers who searches", "GWINFO gwid=7")
		d.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
		d.say(mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"})
		d.want("CONNECT and SUBSCRIBE are answered", "CONNACK accepted", "SUBACK qos=1 topic=0x0401 msgid=1 accepted")
		s.publish("cmd", "open")
		d.want("a message is sent when the broker has it", `PUBLISH qos=1 topic=0x0401(normal) msgid=1 data="open"`)
		time.Sleep(10*time.Second + time.Millisecond)
		d.want("it is repeated after T_retry", `PUBLISH dup qos=1 topic=0x0401(normal) msgid=1 data="open"`)
		d.say(mqttsn.Puback{TopicID: 0x0401, MsgID: 1})
		time.Sleep(20 * time.Second)
		d.want("and not after its PUBACK")
		d.say(mqttsn.Disconnect{HasDuration: true, Duration: 3600})
		d.want("sleep is confirmed", "DISCONNECT")
		s.publish("cmd", "close")
		time.Sleep(15 * time.Minute)
		d.want("a sleeper is left alone, but for the broadcast", "ADVERTISE gwid=7 duration=900")
		d.say(mqttsn.Pingreq{ClientID: "valve7"})
		d.say(mqttsn.Puback{TopicID: 0x0401, MsgID: 2})
		d.want("PINGRESP comes last", `PUBLISH qos=1 topic=0x0401(normal) msgid=2 data="close"`, "PINGRESP")
		s.stop()
		d.want("the end of the link is not told to anybody")
		if s.err != nil {
			t.Errorf("Serve returns nil when its context has ended, got %v", s.err)
		}
		d.end.Close()
	})
}

// TestLossOverTime: the shell's timer fires for a client that nobody hears any more.
func TestLossOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		d := s.station()
		w, _, _ := s.b.Open(time.Now(), broker.Options{ClientID: "watcher"})
		w.Subscribe(time.Now(), []broker.Subscription{{Filter: "will", QoS: 1}})
		d.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60, Will: true, CleanSession: true})
		d.say(mqttsn.WillTopic{Topic: "will"})
		d.say(mqttsn.WillMsg{Data: []byte("gone")})
		time.Sleep(89 * time.Second)
		if n := w.Waiting(); n != 0 {
			t.Error("no will before the tolerance has passed")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := w.Waiting(); n != 1 {
			t.Error("the will is published when it has")
		}
		s.stop()
		d.end.Close()
	})
}

// TestEndWithoutWill: a link that ends is not the loss of its clients: no will is published, and what comes meanwhile is sent when it is served again.
func TestEndWithoutWill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		d := s.station()
		w, _, _ := s.b.Open(time.Now(), broker.Options{ClientID: "watcher"})
		w.Subscribe(time.Now(), []broker.Subscription{{Filter: "will", QoS: 1}})
		d.say(mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60, Will: true})
		d.say(mqttsn.WillTopic{Topic: "will"})
		d.say(mqttsn.WillMsg{Data: []byte("gone")})
		d.say(mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"})
		s.stop()
		s.publish("cmd", "while away")
		if n := w.Waiting(); n != 0 {
			t.Error("the end of the gateway is not the loss of its clients")
		}
		if got := s.g.Devices()[0].State; got != Disconnected {
			t.Errorf("a client whose link is not served is shown as disconnected, not as %s", got)
		}
		d.end.Close()
		time.Sleep(time.Hour)

		s.net = linktest.NewNet(1) // the same seed: the device has the same address
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		d = s.station()
		wg.Go(func() { s.g.Serve(ctx, "lan", s.net.Gateway(), LinkConfig{}) })
		d.want("what was published meanwhile comes when the link is served again", `PUBLISH qos=1 topic=0x0401(normal) msgid=1 data="while away"`)
		d.say(mqttsn.Puback{TopicID: 0x0401, MsgID: 1})
		time.Sleep(80 * time.Second)
		d.say(mqttsn.Pingreq{})
		d.want("the keep-alive counts from then", "PINGRESP")
		if c := s.g.Counters().Links["lan"]; c.In["CONNECT"] != 1 || c.In["PINGREQ"] != 1 {
			t.Errorf("counters go on where they were, got %v", c.In)
		}
		if n := w.Waiting(); n != 0 {
			t.Error("it was not lost meanwhile")
		}
		cancel()
		wg.Wait()
		d.end.Close()
	})
}

// TestManyAtOnce: 500 devices that connect in the same moment are all answered.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		var devices []*station
		for range 500 {
			devices = append(devices, s.station())
		}
		for i, d := range devices {
			p := mqttsn.Connect{ClientID: fmt.Sprint("d", i), ProtocolID: 1, Duration: 60, CleanSession: true}
			d.end.WriteFrames([]transports.Frame{{Data: p.Append(nil)}})
		}
		time.Sleep(time.Second)
		for _, d := range devices {
			d.want("every CONNECT is answered", "CONNACK accepted")
		}
		s.stop()
		for _, d := range devices {
			d.end.Close()
		}
	})
}

// TestLinksTogether: publishers on the MQTT side and devices on two links at the same time; for the race detector.
func TestLinksTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		second := linktest.NewNet(9)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { s.g.Serve(ctx, "radio", second.Gateway(), LinkConfig{}) })
		a := s.station()
		b := &served{t: t, b: s.b, g: s.g, net: second}
		d := b.station()
		for i := range 200 { // the same client, now here, now there
			on := a
			if i%2 == 1 {
				on = d
			}
			on.end.WriteFrames([]transports.Frame{
				{Data: mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60}.Append(nil)},
				{Data: mqttsn.Subscribe{QoS: 1, MsgID: 1, TopicName: "cmd"}.Append(nil)},
			})
			wg.Go(func() {
				p, _, err := s.b.Open(time.Now(), broker.Options{ClientID: fmt.Sprint("p", i)})
				if err == nil {
					p.Publish(time.Now(), []broker.Inbound{{Message: &broker.Message{Topic: "cmd"}}})
				}
				s.g.Devices()
				s.g.Counters()
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.g.Devices(); len(got) != 1 || got[0].State != Active {
			t.Errorf("it is one client in the end: %+v", got)
		}
		cancel()
		wg.Wait()
		s.stop()
		a.end.Close()
		d.end.Close()
	})
}

func TestServeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		synctest.Wait()
		err := s.g.Serve(context.Background(), "lan", linktest.NewNet(3).Gateway(), LinkConfig{})
		if err == nil || !strings.Contains(err.Error(), "lan") {
			t.Errorf("a link name is served once at a time, got %v", err)
		}
		s.stop()
	})
}

// TestLinkFails: a link that ends by itself is an error that names it.
func TestLinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := linktest.NewNet(1)
		g := New(broker.New(broker.Limits{}), Config{}, slog.New(slog.DiscardHandler))
		go func() {
			time.Sleep(time.Second)
			net.Gateway().Close()
		}()
		if err := g.Serve(context.Background(), "lan", net.Gateway(), LinkConfig{}); err == nil || !strings.Contains(err.Error(), "lan") {
			t.Errorf("Serve names the link that has ended, got %v", err)
		}
	})
}
