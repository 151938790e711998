package main

// kicking is what midge kick asks for.
type kicking struct {
	Clients []string `json:"clients"`
	Forget  bool     `json:"forget,omitempty"`
}

type kickCmd struct {
	Clients []string `arg:"" name:"client" help:"Client ids, of MQTT clients or of MQTT-SN devices. Who may connect will soon do so again."`
	Forget  bool     `help:"End their sessions too, also of those that are away: subscriptions, what waits for them, topic ids."`
	Config  string   `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run has the midge that uses the configuration's data_dir disconnect clients, and prints what became of each.
func (c *kickCmd) Run() error { return ask(c.Config, kickRequest, kicking{c.Clients, c.Forget}) }
