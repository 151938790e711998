package main

import "midge/broker/mqtt"

// subscribing is what midge subscribe-for asks for.
type subscribing struct {
	Client  string   `json:"client"`
	Filters []string `json:"filters"`
	QoS     mqtt.QoS `json:"qos,omitempty"`
	Remove  bool     `json:"remove,omitempty"`
}

type behalfCmd struct {
	Client  string   `arg:"" help:"Client id of an MQTT-SN device that is connected or asleep."`
	Filters []string `arg:"" name:"filter" help:"What it is to be sent; it is told each topic's id before. The subscription ends with the device's session."`
	QoS     int      `short:"q" name:"qos" enum:"0,1,2" default:"0" help:"The highest QoS at which it is sent: 0, 1, 2."`
	Remove  bool     `help:"Take the subscriptions away instead, whoever made them."`
	Config  string   `short:"c" placeholder:"FILE" help:"Configuration of the midge that is meant; without it ./config.toml if that exists, else the built-in defaults."`
}

// Run has the midge that uses the configuration's data_dir subscribe a device, and prints what became of it.
func (c *behalfCmd) Run() error {
	return ask(c.Config, subscribeRequest, subscribing{c.Client, c.Filters, mqtt.QoS(c.QoS), c.Remove})
}
