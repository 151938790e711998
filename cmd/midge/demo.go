package main

import (
	"context"
	"os"

	"midge/cmd/midge/demo"
)

type demoCmd struct {
	Port     int    `default:"1883" placeholder:"PORT" help:"Port for MQTT over TCP (${default}); 0 is any free one."`
	SNPort   int    `default:"1883" name:"sn-port" placeholder:"PORT" help:"Port for MQTT-SN over UDP (${default}); 0 is any free one."`
	HTTPPort int    `default:"0" name:"http-port" placeholder:"PORT" help:"Port for /healthz and /metrics; 0 is off."`
	Devices  int    `default:"10" placeholder:"N" help:"Simulated devices, 2 to 1000 (${default})."`
	Seed     uint64 `default:"1" placeholder:"S" help:"Seed of the simulation (${default})."`
}

// Run shows the demo until it is told to stop.
func (c *demoCmd) Run(ctx context.Context) error {
	addProcessor()
	return demo.Run(ctx, demo.Config{
		Port: c.Port, SNPort: c.SNPort, HTTPPort: c.HTTPPort, Devices: c.Devices, Seed: c.Seed,
		Out: os.Stdout, Terminal: demo.Terminal(os.Stdout),
	})
}
