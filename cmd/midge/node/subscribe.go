package node

import (
	"fmt"
	"strings"

	"midge/broker/mqtt"
)

// Subscribe subscribes an MQTT-SN device to filters, or takes subscriptions of it away, and says what became of each, a line each. It ends at the first error,
// which says what was done before.
func (n *Node) Subscribe(client string, filters []string, qos mqtt.QoS, remove bool) (string, error) {
	var lines []string
	for _, f := range filters {
		line, err := n.subscribeOne(client, f, qos, remove)
		if err != nil {
			return "", fmt.Errorf("%s", strings.Join(append(lines, fmt.Sprintf("%q %q: %v", client, f, err)), "\n"))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}

func (n *Node) subscribeOne(client, filter string, qos mqtt.QoS, remove bool) (string, error) {
	if !remove {
		granted, err := n.Gateway.Subscribe(client, filter, qos)
		return fmt.Sprintf("%q is subscribed to %q at QoS %d", client, filter, granted), err
	}
	was, err := n.Gateway.Unsubscribe(client, filter)
	if !was {
		return fmt.Sprintf("%q was not subscribed to %q", client, filter), err
	}
	return fmt.Sprintf("%q is no longer subscribed to %q", client, filter), err
}
