package gateway

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"midge/mqttsn"
	device "midge/mqttsn/client"
	"midge/transports"
)

// habits are what one device is and does.
type habits struct {
	every     time.Duration // between two reports
	qos       int           // of reports: 0 to 2, 3 = all of them in turn
	sleep     time.Duration // it sleeps between reports for so long at most; 0 = it is always there
	wake      time.Duration // it wakes by itself after so long
	keepAlive time.Duration
	clean     bool // CleanSession=1
	forgets   bool // it loses all that it knows with its power
	will      bool
	commands  int   // QoS at which it subscribes to its commands; -1 = it does not
	wildcard  bool  // to all of them, by a filter
	raw       bool  // it is on a line without checksum, and nothing is asked of it but that it goes on
	setting   bool  // it subscribes to one of the settings, at QoS 1
	reads     []int // devices whose reports it subscribes to, at QoS 2
}

// quality is how good a device's radio is.
type quality struct{ loss, dup, damage float64 }

// report is a message that a device has published.
type report struct {
	topic uint8
	qos   uint8
	acked bool
	over  bool // the device cannot know what became of it
}

// command is a message to a device.
type command struct {
	qos   uint8
	owed  bool // its publisher has the acknowledgement, and the session was there
	got   int
	topic uint8
}

// dev is one device with its surroundings, and what it knows to be true.
type dev struct {
	w       *world
	i       int
	id      string
	rng     *rand.Rand
	habits  habits
	quality quality

	c      *device.Client
	off    bool // it has no power
	away   bool // it is out of reach of everything
	place  *place
	addr   transports.Addr
	path   *path // to the gateway
	down   *path // from it
	alarm  alarm
	gone   int // grows when its power goes: what it had meant to do is void
	frames []device.Frame
	events []device.Event

	asked      map[device.Token]int // reports that it has asked for
	reports    []report
	subscribed map[string]bool // filters that were confirmed in the present session
	wanted     map[device.Token]string
	commands   []command
	last       [2]int // command at QoS 1 or 2 that came last, by topic
	lastQoS0   [2]int
	readFrom   []int // of reads: the first report that it must get, -1 = not subscribed yet
	read       []map[int]int
	readLast   []map[uint8]int
	wills      int
	heeds      heeds
	sessions   int // clean sessions that it has begun

	readers []*dev // who subscribes to its reports
	shadow  shadow
	beacon  *beacon // it has no session
	trace   []note
	notes   int // where it ends, after a fault; 0 = nowhere yet
}

func (w *world) newDev(i int, h habits, q quality) *dev {
	d := &dev{w: w, i: i, id: fmt.Sprint("d", i), rng: w.stream(uint64(1000 + i)), habits: h, quality: q,
		asked: map[device.Token]int{}, subscribed: map[string]bool{}, wanted: map[device.Token]string{}, last: [2]int{-1, -1}}
	for range h.reads {
		d.readFrom = append(d.readFrom, -1)
		d.read = append(d.read, map[int]int{})
		d.readLast = append(d.readLast, map[uint8]int{})
	}
	d.heeds.got = map[int]bool{}
	d.heeds.reset()
	d.shadow = newShadow(d)
	d.alarm = alarm{w: w, ring: d.advance}
	d.boot()
	w.devs = append(w.devs, d)
	return d
}

// boot is a device that knows nothing but how it was built.
func (d *dev) boot() {
	h := &d.habits
	cfg := device.Config{ClientID: d.id, KeepAlive: h.keepAlive, CleanSession: h.clean, Reconnect: time.Duration(2+d.rng.IntN(20)) * time.Second, QueueMax: 48,
		FirstMsgID: uint16(d.rng.IntN(65535)), WakeEvery: h.wake, Predefined: map[uint16]string{predefinedReport: reportTopic(d.i, 1)}}
	if h.will {
		cfg.Will = &device.Will{Topic: fmt.Sprint("will/", d.i), Message: fmt.Appendf(nil, "w%d", d.i), QoS: 1}
	}
	d.c = device.New(cfg)
}

// connect gives the device a way to the gateway.
func (d *dev) connect(reorder float64, delay time.Duration) {
	q := d.quality
	d.path = &path{rng: d.rng, loss: q.loss, dup: q.dup, damage: q.damage, reorder: reorder, delay: delay}
	down := *d.path
	down.rng = rand.New(rand.NewPCG(d.rng.Uint64(), 1))
	d.path.rng = rand.New(rand.NewPCG(d.rng.Uint64(), 2))
	d.down = &down
}

func (d *dev) heal() {
	d.quality = quality{}
	for _, p := range []*path{d.path, d.down} {
		p.loss, p.dup, p.damage, p.reorder = 0, 0, 0, 0
	}
}

// listens reports whether its receiver is on.
func (d *dev) listens() bool { return !d.off && !d.away && d.c.State() != device.Asleep }

func (d *dev) receive(data []byte) {
	if !d.listens() {
		return
	}
	d.c.Receive(d.w.now, data)
	d.settle()
}

func (d *dev) advance() {
	if d.off {
		return
	}
	d.c.Advance(d.w.now)
	d.settle()
}

// settle ends an input of the client.
func (d *dev) settle() {
	for {
		d.frames = d.c.Output(d.frames[:0])
		for _, f := range d.frames {
			d.w.count.frames++
			if p, err := mqttsn.Decode(f.Data); err == nil {
				if c, ok := p.(mqttsn.Connect); ok && c.CleanSession {
					d.sessionEnds()
				}
			}
			if !d.away {
				d.place.air.up(d, append([]byte(nil), f.Data...))
			}
		}
		d.events = d.c.Events(d.events[:0])
		if len(d.events) == 0 {
			break
		}
		for _, e := range d.events {
			d.event(e)
		}
	}
	d.alarm.at(d.c.Deadline())
}

// begin has the device do what it is for, from some time on.
func (d *dev) begin(first time.Duration) {
	gone := d.gone
	d.w.after(first, func() {
		if d.gone != gone {
			return
		}
		d.act()
		h := d.habits.every
		d.begin(h/2 + time.Duration(d.rng.Int64N(int64(h))))
	})
}

func (d *dev) act() {
	if d.w.tail {
		return
	}
	now := d.w.now
	if s := d.c.State(); s == device.Disconnected || s == device.Asleep {
		d.c.Connect(now)
	}
	d.report()
	d.rest()
	d.settle()
}

// rest has a sleeper sleep when all is done.
func (d *dev) rest() {
	if d.habits.sleep > 0 && !d.w.tail {
		d.c.Sleep(d.w.now, d.habits.sleep)
	}
}

const predefinedReport = 7

func reportTopic(i, n int) string { return fmt.Sprint("up/", i, "/", n) }

func commandTopic(i, n int) string { return fmt.Sprint("cmd/", i, "/", n) }

// report publishes something.
func (d *dev) report() {
	if d.habits.raw {
		d.c.Publish(d.w.now, device.Named("raw/value"), mqttsn.QoS(d.rng.IntN(3)), false, []byte("21.5 degrees"))
		return
	}
	n := len(d.reports)
	qos := d.habits.qos
	if qos == 3 {
		qos = n % 3
	}
	qos = min(qos, d.place.maxQoS())
	r := report{topic: uint8(n % 3), qos: uint8(qos)}
	topic := device.Named(reportTopic(d.i, int(r.topic)))
	if r.topic == 1 {
		topic = device.Predefined(predefinedReport)
	}
	payload := fmt.Appendf(nil, "u%d.%d 21.5 degrees", d.i, n)
	token, err := d.c.Publish(d.w.now, topic, mqttsn.QoS(qos), false, payload)
	if err != nil {
		return // it has too much to say already
	}
	d.w.published(payload)
	d.w.count.reports++
	d.asked[token] = n
	d.reports = append(d.reports, r)
}

// filters are what the device subscribes to.
func (d *dev) filters() (list []string) {
	h := &d.habits
	if h.commands >= 0 && h.wildcard {
		list = append(list, fmt.Sprint("cmd/", d.i, "/#"))
	} else if h.commands >= 0 {
		list = append(list, commandTopic(d.i, 0), commandTopic(d.i, 1))
	}
	for _, other := range h.reads {
		list = append(list, fmt.Sprint("up/", other, "/+"))
	}
	if h.setting {
		list = append(list, settingTopic(d.i%settingTopics))
	}
	return list
}

func (d *dev) event(e device.Event) {
	if d.habits.raw || d.beacon != nil {
		return
	}
	switch e := e.(type) {
	case device.Connected:
		d.connected()
	case device.Published:
		d.published(e)
	case device.Subscribed:
		d.confirmed(e)
	case device.Message:
		d.message(e)
	case device.ConnectRefused:
		d.w.fault(d, "it is refused with %v", e.Code)
	case device.Lost:
		d.note("lost: %s", e.Reason)
	}
}

func (d *dev) connected() {
	for _, f := range d.filters() {
		if d.subscribed[f] {
			continue
		}
		qos := 2
		if strings.HasPrefix(f, "cmd/") {
			qos = d.habits.commands
		}
		if strings.HasPrefix(f, "set/") {
			qos = 1
		}
		if token, err := d.c.Subscribe(d.w.now, device.Named(f), mqttsn.QoS(qos)); err == nil {
			d.wanted[token] = f
		}
	}
	d.rest()
}

func (d *dev) published(e device.Published) {
	n, ok := d.asked[e.Token]
	if !ok {
		d.w.fault(d, "a publish is done that it has not asked for")
		return
	}
	delete(d.asked, e.Token)
	r := &d.reports[n]
	switch {
	case e.Discarded:
		r.over = true
	case e.Code == mqttsn.NotSupported && int(r.qos) > d.place.maxQoS():
		r.over = true // it was meant for another link
	case e.Code != mqttsn.Accepted:
		d.w.fault(d, "report %d is refused with %v", n, e.Code)
	default:
		r.acked = true
	}
}

func (d *dev) confirmed(e device.Subscribed) {
	f := d.wanted[e.Token]
	delete(d.wanted, e.Token)
	if e.Code != mqttsn.Accepted {
		d.w.fault(d, "subscription to %s is refused with %v", f, e.Code)
		return
	}
	d.subscribed[f] = true
	for i, other := range d.habits.reads {
		if f == fmt.Sprint("up/", other, "/+") && d.readFrom[i] < 0 {
			d.readFrom[i] = len(d.w.devs[other].reports)
		}
	}
}

// sessionEnds is when the device begins a clean session: what its old one held need not come any more.
func (d *dev) sessionEnds() {
	d.sessions++
	d.heeds.reset()
	clear(d.subscribed)
	for i := range d.commands {
		d.commands[i].owed = false
	}
	for i := range d.readFrom {
		d.readFrom[i] = -1
	}
}

// spend counts what a frame costs on the air.
func (d *dev) spend(t time.Duration) { d.w.count.air += t }
