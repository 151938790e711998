package main

import (
	"encoding/json"
	"fmt"

	"midge/cmd/midge/control"
)

type statusCmd struct {
	Clients []string `arg:"" optional:"" name:"client" help:"Client ids of MQTT-SN devices, with * and ?: only these, with their subscriptions, topic ids and wills."`
	Config  string   `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run prints what the midge that uses the configuration's data_dir says of its links, bridges and devices, or of some devices in full.
func (c *statusCmd) Run() error {
	dir, err := running(c.Config)
	if err != nil {
		return err
	}
	request := statusRequest
	if len(c.Clients) > 0 {
		clients, err := json.Marshal(c.Clients)
		if err != nil {
			return err
		}
		request += " " + string(clients)
	}
	text, err := control.Ask(dir, request)
	if err == nil {
		fmt.Println(text)
	}
	return err
}
