package main

import "time"

// A target is a server under load.
type target struct {
	name string
	mqtt string // HOST:PORT of its MQTT listener on TCP
	sn   string // HOST:PORT of its MQTT-SN link on UDP, "" = it has none
	pid  int
}

// A scale says how large a work is made.
type scale struct {
	budget    time.Duration // how long publishers send
	idle      int           // idle connections
	pause     time.Duration // between the last idle connection and the reading of memory
	slow      int           // slow MQTT publishers
	snClosed  int           // MQTT-SN clients in closed loop
	snPaced   int           // slow MQTT-SN clients
	asleep    int           // sleeping MQTT-SN devices
	lull      time.Duration // as pause, for them
	grain     time.Duration // slow senders send at multiples of it, 0 = each alone
	fanSubs   int           // subscribers of the fan-out
	publisher int           // publishers of the fan-in, and pairs
}

// fullScale is what the table of the README means.
var fullScale = scale{
	budget: 5 * time.Second, idle: 2000, pause: 3 * time.Second,
	slow: 100, snClosed: 20, snPaced: 1000, asleep: 100_000, lull: 30 * time.Second, fanSubs: 10, publisher: 4,
}

// quickScale keeps the sizes and shortens the time.
func quickScale() scale {
	s := fullScale
	s.budget, s.pause = 1500*time.Millisecond, time.Second
	return s
}
