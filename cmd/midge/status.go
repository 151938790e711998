package main

type statusCmd struct {
	Clients []string `arg:"" optional:"" name:"client" help:"Client ids of MQTT-SN devices, with * and ?: only these, with their subscriptions, topic ids and wills."`
	Config  string   `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run prints what the midge that uses the configuration's data_dir says of its links, bridges and devices, or of some devices in full.
func (c *statusCmd) Run() error {
	if len(c.Clients) == 0 {
		return ask(c.Config, statusRequest, nil)
	}
	return ask(c.Config, statusRequest, c.Clients)
}
