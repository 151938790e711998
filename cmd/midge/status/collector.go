package status

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector turns the snapshots into metrics whenever Prometheus asks.
type collector struct{ Sources }

// A family is one metric with its kind; all that Midge has stand in the list below.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

var families []family

// counter and gauge make a family and put it on the list. Labels are given in the order in which values follow.
func counter(name, help string, labels ...string) family {
	return define(name, help, prometheus.CounterValue, labels)
}

func gauge(name, help string, labels ...string) family {
	return define(name, help, prometheus.GaugeValue, labels)
}

func define(name, help string, kind prometheus.ValueType, labels []string) family {
	f := family{prometheus.NewDesc("midge_"+name, help, labels, nil), kind}
	families = append(families, f)
	return f
}

// The metrics of Midge.
var (
	buildInfo = gauge("build_info", "Always 1; the label tells which Midge this is.", "version")

	sessions      = gauge("sessions", "Sessions that the broker holds, connected or not.")
	connected     = gauge("sessions_connected", "Sessions that a client is connected to.")
	subscriptions = gauge("subscriptions", "Subscriptions of all sessions.")
	retained      = gauge("retained_messages", "Retained messages held.")
	retainedBytes = gauge("retained_bytes", "Memory that retained messages count for.")
	queued        = gauge("queued_messages", "Messages that wait in sessions, those in flight excluded.")
	queuedBytes   = gauge("queued_bytes", "Memory that waiting messages count for.")
	inflight      = gauge("inflight_messages", "Deliveries handed out and not yet acknowledged.")

	storeCommits    = counter("store_commits_total", "Synced writes of state to disk.")
	storeCommitTime = counter("store_commit_seconds_total", "Time that they took together.")
	storeWritten    = counter("store_written_bytes_total", "Octets written to the state's files, by kind of write.", "kind")
	storeUsed       = gauge("store_used_bytes", "Space that the state takes on disk.")
	storeFree       = gauge("store_free_bytes", "Space that is free on its file system; 0 when the state is in memory.")
	storeWaiting    = gauge("store_waiting_messages", "Messages of queued_messages that wait on disk alone.")
	storeFull       = gauge("store_full", "1 while the disk is nearly full: messages at QoS 1 and 2 are refused.")
	storeSalvaged   = gauge("store_salvaged", "1 when the state was found damaged at the start; the log and /healthz say what was lost.")

	received = counter("messages_received_total", "Messages that clients published, by protocol and QoS.", "protocol", "qos")
	sent     = counter("messages_sent_total", "Messages delivered to clients, by protocol and QoS.", "protocol", "qos")
	dropped  = counter("messages_dropped_total", "Messages, or one receiver's copy of them, that were not delivered, by reason.", "reason")

	faults  = counter("connection_faults_total", "MQTT connections refused or closed as their clients' fault, by reason.", "reason")
	refused = counter("connections_refused_total", "MQTT connections refused before their first packet, by reason.", "reason")

	linkUp              = gauge("link_up", "1 while the link's device is open and usable.", "link", "type")
	linkFramesReceived  = counter("link_frames_received_total", "MQTT-SN messages that arrived on the link.", "link")
	linkFramesSent      = counter("link_frames_sent_total", "MQTT-SN messages sent on the link.", "link")
	linkBytesReceived   = counter("link_received_bytes_total", "Octets of the messages that arrived on the link.", "link")
	linkBytesSent       = counter("link_sent_bytes_total", "Octets of the messages sent on the link.", "link")
	linkErrors          = counter("link_errors_total", "What went wrong on the link, by reason.", "link", "reason")
	linkDiscarded       = counter("link_messages_discarded_total", "MQTT-SN messages that the gateway did not take, by reason.", "link", "reason")
	linkRetransmissions = counter("link_retransmissions_total", "Messages repeated because a device did not answer.", "link")
	linkClients         = gauge("link_clients", "MQTT-SN clients of the link, by state.", "link", "state")

	bridgeConnected    = gauge("bridge_connected", "1 while the bridge is connected to its upstream.", "bridge")
	bridgeBacklog      = gauge("bridge_backlog_messages", "Messages that wait for the upstream, those in flight included.", "bridge")
	bridgeOldest       = gauge("bridge_backlog_oldest_age_seconds", "How long the oldest message has waited for the upstream; 0 without one.", "bridge")
	bridgeAcknowledged = counter("bridge_messages_acknowledged_total", "Messages that the upstream has taken.", "bridge")
	bridgeReceived     = counter("bridge_messages_received_total", "Messages that came from the upstream.", "bridge")
)

// Describe lists every metric that Collect may send.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		out <- f.desc
	}
}

// Collect asks every source once.
func (c collector) Collect(out chan<- prometheus.Metric) {
	m := metrics(out)
	m.put(buildInfo, 1, c.Version)
	if c.Broker != nil {
		m.broker(c.Broker())
	}
	if c.Store != nil {
		m.store(c.Store())
	}
	for _, l := range snapshot(c.Links) {
		m.link(l)
	}
	for _, b := range snapshot(c.Bridges) {
		m.bridge(b)
	}
}

// metrics is where Collect sends.
type metrics chan<- prometheus.Metric

func (m metrics) put(f family, value float64, labels ...string) {
	m <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

func (m metrics) broker(b Broker) {
	m.put(sessions, float64(b.Sessions))
	m.put(connected, float64(b.Connected))
	m.put(subscriptions, float64(b.Subscriptions))
	m.put(retained, float64(b.Retained))
	m.put(retainedBytes, float64(b.RetainedBytes))
	m.put(queued, float64(b.Queued))
	m.put(queuedBytes, float64(b.QueuedBytes))
	m.put(inflight, float64(b.Inflight))
	for protocol, t := range b.Traffic {
		for qos := range t.In {
			m.put(received, float64(t.In[qos]), protocol, strconv.Itoa(qos))
			m.put(sent, float64(t.Out[qos]), protocol, strconv.Itoa(qos))
		}
		if protocol == ProtocolMQTTSN {
			m.put(received, float64(t.InMinusOne), protocol, "-1")
		}
	}
	for reason, n := range b.Dropped {
		m.put(dropped, float64(n), reason)
	}
	for reason, n := range b.Faults {
		m.put(faults, float64(n), reason)
	}
	for reason, n := range b.Refused {
		m.put(refused, float64(n), reason)
	}
}

func (m metrics) store(s Store) {
	m.put(storeCommits, float64(s.Commits))
	m.put(storeCommitTime, s.CommitTime.Seconds())
	m.put(storeWritten, float64(s.LogBytes), "log")
	m.put(storeWritten, float64(s.FlushBytes), "flush")
	m.put(storeWritten, float64(s.CompactBytes), "compaction")
	m.put(storeUsed, float64(s.UsedBytes))
	m.put(storeFree, float64(s.FreeBytes))
	m.put(storeWaiting, float64(s.Waiting))
	m.put(storeFull, truth(s.Full))
	m.put(storeSalvaged, truth(s.Salvaged))
}

func (m metrics) link(l Link) {
	m.put(linkUp, truth(l.Up), l.Name, l.Type)
	m.put(linkFramesReceived, float64(l.FramesIn), l.Name)
	m.put(linkFramesSent, float64(l.FramesOut), l.Name)
	m.put(linkBytesReceived, float64(l.BytesIn), l.Name)
	m.put(linkBytesSent, float64(l.BytesOut), l.Name)
	m.put(linkRetransmissions, float64(l.Retransmissions), l.Name)
	for reason, n := range l.Errors {
		m.put(linkErrors, float64(n), l.Name, reason)
	}
	for reason, n := range l.Discarded {
		m.put(linkDiscarded, float64(n), l.Name, reason)
	}
	for state, n := range l.Clients {
		m.put(linkClients, float64(n), l.Name, state)
	}
}

func (m metrics) bridge(b Bridge) {
	m.put(bridgeConnected, truth(b.Connected), b.Name)
	m.put(bridgeBacklog, float64(b.Backlog), b.Name)
	m.put(bridgeOldest, b.Oldest.Seconds(), b.Name)
	m.put(bridgeAcknowledged, float64(b.Acknowledged), b.Name)
	m.put(bridgeReceived, float64(b.Received), b.Name)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
