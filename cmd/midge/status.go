package main

import (
	"fmt"

	"midge/cmd/midge/control"
)

type statusCmd struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run prints what the midge that uses the configuration's data_dir says of its links, bridges and devices.
func (c *statusCmd) Run() error {
	dir, err := running(c.Config)
	if err != nil {
		return err
	}
	text, err := control.Ask(dir, statusRequest)
	if err == nil {
		fmt.Println(text)
	}
	return err
}
