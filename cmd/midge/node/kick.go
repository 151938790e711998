package node

import (
	"fmt"
	"strings"
	"time"

	"midge/broker"
	"midge/broker/listener"
)

// Kick ends what clients have here, those of MQTT and devices alike, and says what became of each, a line each: it is disconnected, and with forget its
// session ends too, whether or not it was connected. The error is that there was nothing to end.
func (n *Node) Kick(clients []string, forget bool) (said string, err error) {
	now := time.Now()
	lines, some := make([]string, len(clients)), false
	for i, id := range clients {
		was := n.kick(now, id, forget)
		some = some || was != ""
		lines[i] = fmt.Sprintf("%q %s", id, was)
		if was == "" {
			lines[i] = fmt.Sprintf("%q is not connected", id)
			if forget {
				lines[i] += ", and has no session"
			}
		}
	}
	said = strings.Join(lines, "\n")
	if !some {
		return "", fmt.Errorf("%s", said)
	}
	return said, nil
}

// kick does so with one client and says what was done, "" = nothing. Midge's own sessions, whose ids begin with '$', are no clients.
func (n *Node) kick(now time.Time, id string, forget bool) string {
	if strings.HasPrefix(id, "$") || id == "" {
		return ""
	}
	known := forget && n.Broker.Has(id)
	there := n.Gateway.Kick(id, forget)
	there = n.Server.Kick(id) || there
	switch {
	case there && forget:
		n.forget(now, id)
		return "was disconnected, and its session has ended"
	case there:
		return "was disconnected"
	case known:
		n.forget(now, id)
		return "was not connected; its session has ended"
	}
	return ""
}

// forget ends the session of a client, if it has not ended with its connection.
func (n *Node) forget(now time.Time, id string) {
	if !n.Broker.Has(id) {
		return
	}
	if s, _, err := n.Broker.Open(now, broker.Options{ClientID: id, Protocol: listener.Protocol, CleanStart: true}); err == nil {
		s.Close(now, broker.Closing{}) // an error means that the client is back, with a session that is new
	}
}
