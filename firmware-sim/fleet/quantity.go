package fleet

import (
	"math/rand/v2"
	"strconv"
)

// quantity is what a device measures: a value that wanders about a middle.
type quantity struct {
	name     string // last level of the topic
	middle   float64
	step     float64 // largest change between two readings
	decimals int
}

// quantities are given to the devices in turn.
var quantities = []quantity{
	{"temperature", 21, 0.3, 1},   // °C
	{"humidity", 48, 1.5, 0},      // %
	{"pressure", 1013, 0.4, 1},    // hPa
	{"co2", 620, 15, 0},           // ppm
	{"battery", 3.7, 0.01, 2},     // V
	{"illuminance", 340, 12, 0},   // lx
	{"soil-moisture", 31, 0.5, 1}, // %
}

// probe is one device's sensor.
type probe struct {
	quantity
	value float64
}

func newProbe(device int, rng *rand.Rand) probe {
	q := quantities[device%len(quantities)]
	return probe{q, q.middle + 4*q.step*(2*rng.Float64()-1)}
}

// read takes the next step of a random walk that is drawn back to the middle.
func (p *probe) read(rng *rand.Rand) string {
	p.value += p.step*(2*rng.Float64()-1) + (p.middle-p.value)/20
	return strconv.FormatFloat(p.value, 'f', p.decimals, 64)
}

// set makes a commanded number the middle at once, so that the next readings show it. It reports false for what is no usable number.
func (p *probe) set(command string) bool {
	v, err := strconv.ParseFloat(command, 64)
	if err != nil || !(v > -1e6 && v < 1e6) {
		return false
	}
	p.middle, p.value = v, v
	return true
}
