// Command firmware-sim runs a seeded fleet of simulated MQTT-SN devices against a gateway:
//
//	go run ./firmware-sim -link udp://127.0.0.1:1883 -devices 50 -interval 1s -qos 1 -loss 0.1 -duration 1m
//	go run ./firmware-sim -link 'serial:///dev/ttyUSB0?baud=115200&framing=raw' -devices 8
//	go run ./firmware-sim -link 'xbee:///dev/ttyUSB0?baud=9600&ap=2' -devices 3
//	go run ./firmware-sim -pty -devices 8 -sleep 0.5
//	go run ./firmware-sim -pty -framing xbee -devices 8
//
// The last two make a virtual serial port and print the path that the gateway is to open: with framing slip the fleet plays an Aquila bridge and its
// nodes, with radiohead numbered nodes, with loralink a modem and its nodes, with xbee a radio whose network has an address for each device. A -link of xbee is a real
// radio, through which all devices speak to the gateway's. While the fleet runs, a line of progress is shown: in place on a terminal, every five seconds elsewhere. At the end, or after Ctrl-C, a report tells what was sent, acknowledged,
// sent again, received and lost. The exit status is 0 when nothing at QoS 1 or 2 was lost and everything was answered, 1 when something was not, 2 for
// a mistake in the flags.
//
// What the devices do is the chapter of midge/firmware-sim/fleet.
package main
