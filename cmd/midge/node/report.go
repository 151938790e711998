package node

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"midge/broker/mqtt"
	"midge/gateway"
)

// Report is what midge status prints: links, bridges and devices as they are now. Texts of devices come from the wire; JSON escapes them.
type Report struct {
	Version string         `json:"version"`
	Links   []LinkReport   `json:"links"`
	Bridges []BridgeReport `json:"bridges"`
	Devices []DeviceReport `json:"devices"`
}

// LinkReport is one link. Errors are the driver's own, Dropped is what the gateway did not take or could not deliver; reasons that never happened are left out.
type LinkReport struct {
	Name            string            `json:"name"`
	Type            string            `json:"type"`
	Up              bool              `json:"up"`
	Why             string            `json:"why,omitempty"` // when not up
	FramesIn        uint64            `json:"frames_in"`
	FramesOut       uint64            `json:"frames_out"`
	BytesIn         uint64            `json:"bytes_in"`
	BytesOut        uint64            `json:"bytes_out"`
	Retransmissions uint64            `json:"retransmissions"`
	Errors          map[string]uint64 `json:"errors,omitempty"`
	Dropped         map[string]uint64 `json:"dropped,omitempty"`
}

// BridgeReport is one bridge.
type BridgeReport struct {
	Name         string `json:"name"`
	Connected    bool   `json:"connected"`
	Why          string `json:"why,omitempty"` // when not connected
	Backlog      int    `json:"backlog"`
	Acknowledged uint64 `json:"acknowledged"`
	Received     uint64 `json:"received"`
}

// DeviceReport is one MQTT-SN client.
type DeviceReport struct {
	ID            string            `json:"id"`
	User          string            `json:"user,omitempty"`
	Link          string            `json:"link"`
	Address       string            `json:"address"`
	Node          []byte            `json:"node,omitempty"` // behind a forwarder, in base64
	State         string            `json:"state"`
	KeepAlive     float64           `json:"keep_alive_seconds,omitempty"`
	Sleep         float64           `json:"sleep_seconds,omitempty"`
	LastSeen      *time.Time        `json:"last_seen,omitempty"`
	RSSI          int               `json:"rssi_dbm,omitempty"`
	LQI           uint8             `json:"lqi,omitempty"`
	In            uint64            `json:"messages_in"`
	Out           uint64            `json:"messages_out"`
	Queued        int               `json:"queued"`
	TopicIDs      int               `json:"topic_ids"`
	Retransmitted uint64            `json:"retransmitted"`
	Dropped       map[string]uint64 `json:"dropped,omitempty"`
}

// DetailReport is one MQTT-SN client with what only midge status of that client prints.
type DetailReport struct {
	DeviceReport
	CleanSession  bool                 `json:"clean_session"`
	Mount         string               `json:"mount,omitempty"` // in front of all topics here; the device knows nothing of it
	WillTopic     string               `json:"will_topic,omitempty"`
	Subscriptions []SubscriptionReport `json:"subscriptions"`
	Topics        []TopicReport        `json:"topics"`
}

// SubscriptionReport is one subscription of a device.
type SubscriptionReport struct {
	Filter string   `json:"filter"`
	QoS    mqtt.QoS `json:"qos"`
}

// TopicReport is one topic id that a device was given. Known: it has been told of it, or has used it, since its last CONNECT.
type TopicReport struct {
	ID    uint16 `json:"id"`
	Name  string `json:"name"`
	Known bool   `json:"known"`
}

// Report asks every part.
func (n *Node) Report() Report {
	r := Report{Version: Version, Links: []LinkReport{}, Bridges: []BridgeReport{}, Devices: []DeviceReport{}}
	for _, l := range n.linkFigures() {
		r.Links = append(r.Links, LinkReport{Name: l.Name, Type: l.Type, Up: l.Up, Why: l.Why, FramesIn: l.FramesIn, FramesOut: l.FramesOut,
			BytesIn: l.BytesIn, BytesOut: l.BytesOut, Retransmissions: l.Retransmissions, Errors: happened(l.Errors), Dropped: happened(l.Discarded)})
	}
	for _, b := range n.bridgeFigures() {
		r.Bridges = append(r.Bridges, BridgeReport{b.Name, b.Connected, b.Why, b.Backlog, b.Acknowledged, b.Received})
	}
	for _, d := range n.Gateway.Devices() {
		r.Devices = append(r.Devices, deviceReport(d))
	}
	return r
}

// reportOf is Report, or Details of these clients.
func (n *Node) reportOf(clients []string) (any, error) {
	if len(clients) == 0 {
		return n.Report(), nil
	}
	return n.Details(clients)
}

func deviceReport(d gateway.Device) DeviceReport {
	r := DeviceReport{ID: d.ID, User: d.User, Link: d.Link, Address: d.Address, Node: []byte(d.Node), State: d.State.String(),
		KeepAlive: d.KeepAlive.Seconds(), Sleep: d.Sleep.Seconds(), RSSI: d.RSSI, LQI: d.LQI, In: d.In, Out: d.Out, Queued: d.Queued,
		TopicIDs: d.TopicIDs, Retransmitted: d.Retransmitted, Dropped: d.Dropped}
	if !d.LastSeen.IsZero() {
		r.LastSeen = &d.LastSeen
	}
	return r
}

// Details reports the devices whose client ids are these or match them, with * and ?. It is an error if there are none.
func (n *Node) Details(clients []string) ([]DetailReport, error) {
	list := []DetailReport{}
	for _, d := range n.Gateway.Details(clients) {
		r := DetailReport{DeviceReport: deviceReport(d.Device), CleanSession: d.CleanSession, Mount: string(d.Mount), WillTopic: d.WillTopic,
			Subscriptions: []SubscriptionReport{}, Topics: []TopicReport{}}
		for _, s := range d.Subscriptions {
			r.Subscriptions = append(r.Subscriptions, SubscriptionReport{s.Filter, s.QoS})
		}
		for _, t := range d.Topics {
			r.Topics = append(r.Topics, TopicReport(t))
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no MQTT-SN device has the client id %s", quoted(clients))
	}
	return list, nil
}

// quoted lists client ids for people.
func quoted(ids []string) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = strconv.Quote(id)
	}
	return strings.Join(list, " or ")
}

// happened leaves zeros out.
func happened(counts map[string]uint64) map[string]uint64 {
	some := map[string]uint64{}
	for reason, n := range counts {
		if n > 0 {
			some[reason] = n
		}
	}
	return some
}
