package gateway

import (
	"time"

	device "midge/mqttsn/client"
)

// every calls do again and again, after times that are mean on average, until the day is over.
func (w *world) every(stream uint64, mean time.Duration, do func()) {
	if mean == 0 {
		return
	}
	rng := w.stream(stream)
	var next func()
	next = func() {
		w.after(time.Duration(rng.ExpFloat64()*float64(mean)), func() {
			if w.tail {
				return
			}
			do()
			next()
		})
	}
	next()
}

// misfortune plans what happens to the box, the lines and the devices.
func (w *world) misfortune() {
	p := &w.plan
	rng := w.stream(10)
	w.every(11, p.crashes, func() {
		switch n := rng.IntN(10); {
		case !w.box.up:
		case n < 2:
			w.crash(true)
		case n < 4:
			w.box.cutNext = true
		case n < 7:
			w.box.cutFirst = true
		default:
			w.crash(false)
		}
	})
	for i, place := range w.places {
		if x, ok := place.air.(*wire); ok {
			w.every(uint64(20+i), p.outages, func() { w.outage(x, time.Duration(1+rng.IntN(200))*time.Second) })
			w.every(uint64(40+i), p.outages, x.reset)
		}
	}
	for _, d := range w.devs {
		n := uint64(10_000 + 10*d.i)
		w.every(n, p.reboots, func() { d.reboot(time.Duration(1+d.rng.IntN(90)) * time.Second) })
		w.every(n+1, p.moves, func() { d.move() })
		w.every(n+2, p.deaths, func() { d.die() })
	}
}

// crash ends the process, and starts it again after a while.
func (w *world) crash(orderly bool) {
	w.count.crashes++
	if orderly {
		w.count.orderly++
	}
	w.box.stop(orderly)
	off := time.Duration(0)
	if w.box.rng.IntN(2) == 0 {
		off = time.Duration(w.box.rng.Int64N(int64(90 * time.Second)))
	}
	w.after(off, w.box.start)
}

// outage is a line that is pulled out and put back.
func (w *world) outage(x *wire, d time.Duration) {
	if x.out {
		return
	}
	w.count.outages++
	x.unplug()
	w.after(d, x.plug)
}

// reboot takes the device's power away for a while.
func (d *dev) reboot(off time.Duration) {
	if d.off {
		return
	}
	d.w.count.reboots++
	d.powerOff()
	d.w.after(off, d.powerOn)
}

func (d *dev) powerOff() {
	d.note("power off")
	d.off = true
	d.gone++
	d.alarm.at(time.Time{}, false)
}

func (d *dev) powerOn() {
	d.note("power on")
	d.off = false
	if d.habits.forgets {
		for _, n := range d.asked {
			d.reports[n].over = true
		}
		clear(d.asked)
		clear(d.wanted)
		clear(d.subscribed)
		d.heeds.most = -1
		d.boot()
	} else {
		d.c.Restart()
	}
	if d.w.tail && !d.away {
		d.heal()
	}
	d.c.Connect(d.w.now)
	d.settle()
	d.begin(time.Duration(d.rng.Int64N(int64(d.habits.every))))
}

// move takes the device out of reach, and to another address or another link: long enough for what is on its way to be over.
func (d *dev) move() {
	if d.off || d.away {
		return
	}
	d.w.count.moves++
	d.note("moves")
	d.away = true
	d.place.air.leave(d)
	off := time.Duration(15+d.rng.IntN(40)) * time.Second
	if d.rng.IntN(2) == 0 {
		d.place = d.w.places[d.rng.IntN(len(d.w.places)-1)] // but not the raw line
	}
	d.w.after(off, func() {
		d.away = false
		d.place.air.join(d)
		d.note("is on %s", d.place.name)
		if d.w.tail {
			d.heal()
			if !d.off {
				d.wakeForGood()
			}
		}
	})
}

// die is a device that is silent for so long that it counts as lost, and comes back.
func (d *dev) die() {
	if d.off || d.away {
		return
	}
	d.w.count.deaths++
	d.powerOff()
	d.shadow.dies()
	d.w.after(tolerance(uint16(max(d.habits.keepAlive, d.habits.sleep)/time.Second))+time.Duration(10+d.rng.IntN(600))*time.Second, func() {
		d.shadow.wasDead()
		d.powerOn()
	})
}

// heal makes everything whole for the end of the day, so that it can be seen what has come through.
func (w *world) heal() {
	w.tail = true
	if !w.box.up {
		w.after(2*time.Minute, w.heal)
		return
	}
	for _, p := range w.places {
		if x, ok := p.air.(*wire); ok {
			x.damage = 0
			if x.out {
				x.plug()
			}
		}
	}
	for _, d := range w.devs {
		if d.off || d.away {
			continue // it is coming back
		}
		d.heal()
		d.wakeForGood()
	}
}

// wakeForGood has the device be there until the end.
func (d *dev) wakeForGood() {
	if d.habits.clean || d.c.State() != device.Active {
		d.c.Restart()
		d.c.Connect(d.w.now)
	}
	d.settle()
}
