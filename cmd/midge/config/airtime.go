package config

// airtime checks what a [[link]] says of the time on the air that it has.
func (v checker) airtime(at string, l Link) {
	if l.BitRate != 0 {
		v.number(at+".bit_rate", l.BitRate, 50, 1_000_000_000)
	}
	v.number(at+".frame_overhead", l.FrameOverhead, 0, 1000)
	if !(l.DutyCycle >= 0.01 && l.DutyCycle <= 100) {
		v.addf(at+".duty_cycle", "[link] duty_cycle = %v must be from 0.01 to 100: percent of an hour that may be sent", l.DutyCycle)
	}
	if rate, _ := l.Rate(); rate > 0 {
		return
	}
	for key, said := range map[string]bool{"duty_cycle": l.DutyCycle < 100, "frame_overhead": l.FrameOverhead > 0} {
		if said {
			v.addf(at+"."+key, "[link] %s needs to know how fast the radio is; write for example bit_rate = 250000", key)
		}
	}
}

// serialOverhead is about what a framing adds to each message, in octets.
var serialOverhead = map[string]int{"hdlc": 4, "slip": 10, "radiohead": 10, "loralink": 6}

// Rate is how fast the link may be sent to: octets a second of what it carries, and how many octets it adds to each message. 0 = without limit. Of a radio
// behind a serial port the slower of the two counts.
func (l Link) Rate() (octets float64, overhead int) {
	air := float64(l.BitRate) / 8
	if l.Type != "serial" && l.Type != "xbee" {
		return air, l.FrameOverhead
	}
	port := float64(l.Speed()) / 10 // start and stop bit
	if air > 0 && air < port {
		return air, l.FrameOverhead
	}
	return port, l.FrameOverhead + l.portOverhead()
}

func (l Link) portOverhead() int {
	if l.Type == "xbee" {
		return 18 // of an API frame
	}
	return serialOverhead[l.Framing]
}
