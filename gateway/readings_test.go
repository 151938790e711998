package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"midge/broker"
	"midge/mqttsn"
	"midge/transports"
)

// readings are the 25 places where MQTT-SN 1.2 is silent or says two things (chapter 1.9 of the facts on MQTT-SN that this project goes by), each with the tests that show
// the reading that doc.go names; notation as in complaints.
var readings = []struct {
	what  string
	tests []string
}{
	1:  {"CONNECT while asleep counts with all its flags", []string{"complaint-08-flush-on-connect", "ccmqttsn-connect-from-asleep"}},
	2:  {"a sleeper may send, stays asleep and is counted", []string{"publish", "complaint-25-retained", "gateway TestFromSleepers"}},
	3:  {"no DISCONNECT of one's own soon after one that was a confirmation", []string{"disconnect", "emqx-connect"}},
	4:  {"CleanSession as MQTT means it", []string{"emqx-resume", "will-kept"}},
	5:  {"topic id in SUBACK", []string{"subscribe", "emqx-subscribe"}},
	6:  {"UNSUBACK always", []string{"subscribe", "ccmqttsn-subscribe-kinds"}},
	7:  {"PUBACK for a refused QoS 0, never for -1", []string{"emqx-publish-qos0", "qos-minus-one"}},
	8:  {"a refused QoS 2 gets PUBACK", []string{"emqx-publish-qos2"}},
	9:  {"QoS is granted as requested, up to the link's cap", []string{"emqx-subscribe", "readings-max-qos", "readings-max-qos-0", "max-qos-moved"}},
	10: {"no keep-alive: an idle limit", []string{"keepalive-off", "gateway TestKeepAliveTolerance"}},
	11: {"ProtocolId", []string{"connect-refused"}},
	12: {"wildcards by predefined id or short name", []string{"subscribe"}},
	13: {"type 00 with two octets is a name", []string{"subscribe", "complaint-17-topic-12"}},
	14: {"REGISTER before the first PUBLISH after a reconnect", []string{"complaint-04-reconnect-registers"}},
	15: {"topic ids live as long as the session", []string{"complaint-04-reconnect-registers", "restart-ids"}},
	16: {"REGISTER is rejected", []string{"complaint-05-register-refused", "readings-regack-congestion"}},
	17: {"PUBACK «invalid topic id» from a client", []string{"deliver-refused", "suback-lost"}},
	18: {"a message too long for the link", []string{"complaint-18-too-long", "device-drops"}},
	19: {"ADVERTISE whatever the bridge does, unless it is told otherwise", []string{"discovery", "gateway TestFoundWithItsUpstream"}},
	20: {"PINGREQ of the gateway", []string{"policy-probe"}},
	21: {"the will of a client that is lost asleep", []string{"complaint-10-sleep-timer", "complaint-22-will-fires"}},
	22: {"DUP on SUBSCRIBE", []string{"subscribe", "subscribe-dup"}},
	23: {"retained messages after SUBACK, for a sleeper at its wake", []string{"complaint-25-retained", "subscribe"}},
	24: {"one REGISTER at a time before retained messages", []string{"emqx-register-queue", "complaint-25-retained"}},
	25: {"a second gateway with our id is complained about", []string{"gateway TestSecondGateway"}},
}

// cases are what other projects test (chapter 4 there), by project.
var cases = []struct {
	what  string
	tests []string
}{
	{"EMQX: connect", []string{"emqx-connect", "complaint-22-will-handshake", "complaint-13-repeated-connect", "gateway TestReconfigure"}},
	{"EMQX: subscribe 01 to 08, predefined", []string{"emqx-subscribe"}},
	{"EMQX: publish at QoS 0", []string{"emqx-publish-qos0"}},
	{"EMQX: publish at QoS 1", []string{"emqx-publish-qos1"}},
	{"EMQX: publish at QoS 2", []string{"emqx-publish-qos2"}},
	{"EMQX: publish under an ACL", []string{"gateway TestAccess", "cmd/midge TestDevicesLogIn"}},
	{"EMQX: QoS -1 on, off, from idle sources under a hardened profile", []string{"qos-minus-one", "qos-minus-one-off", "emqx-qos-minus-one-hardened"}},
	{"EMQX: the client answers with invalid topic id", []string{"deliver-refused"}},
	{"EMQX: REGISTER queue, REGACK failure, retries exhausted", []string{"emqx-register-queue", "complaint-05-register-refused", "retries"}},
	{"EMQX: will", []string{"emqx-will", "will-update", "gateway TestWillAccess"}},
	{"EMQX: asleep 01 to 09", []string{"emqx-asleep"}},
	{"EMQX: awake", []string{"emqx-awake", "awake-silent", "awake-qos2"}},
	{"EMQX: address games", []string{"emqx-address-reused", "emqx-address-new-port", "complaint-12-one-address", "policy-rebind-never"}},
	{"EMQX: resume", []string{"emqx-resume"}},

	{"S3ler: client ids of 1, 23, 24 and 0 octets", []string{"gateway TestS3lerClientIDs"}},
	{"S3ler: will topic and message, shortest, longest, empty", []string{"gateway TestS3lerWillLengths"}},
	{"S3ler: keep-alive", []string{"gateway TestKeepAliveTolerance"}},
	{"S3ler: MsgId and TopicId in REGISTER", []string{"s3ler-msgid"}},
	{"S3ler: topic names", []string{"gateway TestS3lerTopicNames", "register"}},
	{"S3ler: SEARCHGW", []string{"s3ler-searchgw"}},
	{"S3ler: DISCONNECT, sleep of 3 s and 600 s", []string{"s3ler-sleep"}},
	{"S3ler: PINGREQ", []string{"gateway TestS3lerPingreq"}},
	{"S3ler: SUBSCRIBE with unused flags", []string{"gateway TestS3lerSubscribeFlags", "policy-strict", "policy-lenient"}},
	{"S3ler: retained", []string{"s3ler-retained"}},

	{"cc.mqttsn gateway: SEARCHGW, PINGREQ before CONNECT", []string{"ccmqttsn-discovery"}},
	{"cc.mqttsn gateway: connect with and without will, keep-alive loss", []string{"emqx-connect", "emqx-will"}},
	{"cc.mqttsn gateway: CONNECT from asleep", []string{"ccmqttsn-connect-from-asleep"}},
	{"cc.mqttsn gateway: register, also a predefined name", []string{"ccmqttsn-register-predefined"}},
	{"cc.mqttsn gateway: downlink, REGISTER again, two interleaved", []string{"ccmqttsn-downlink"}},
	{"cc.mqttsn gateway: sleep backlog, two wakes, CONNECT; pings upstream go on", []string{"ccmqttsn-sleep-backlog"}},
	{"cc.mqttsn gateway: uplink", []string{"ccmqttsn-uplink"}},
	{"cc.mqttsn gateway: subscribe and unsubscribe by three kinds of topic", []string{"ccmqttsn-subscribe-kinds"}},
	{"cc.mqttsn gateway: will updates", []string{"will-update"}},
	{"cc.mqttsn gateway: sleep limit", []string{"ccmqttsn-sleep-limit"}},
	{"cc.mqttsn gateway: publish-only client", []string{"ccmqttsn-pub-only"}},
	{"cc.mqttsn gateway: empty client id", []string{"policy-empty-id"}},
	{"cc.mqttsn gateway: forwarder", []string{"ccmqttsn-forwarder-subscribe", "complaint-15-forwarder"}},
	{"cc.mqttsn client: as behaviours of the simulated device", []string{"mqttsn/client TestTraces"}},

	{"client libraries: a day with the habits of emcute, asymcute, Zephyr, mqtt-sn-tools, wolfMQTT and a one-buffer Arduino", []string{"gateway TestADayOfEachDevice", "habits-refuses-dup", "habits-no-register"}},

	{"wolfMQTT: every decoder", []string{"mqttsn TestWolfMQTTRows", "mqttsn TestWolfMQTTWrongType", "mqttsn TestWolfMQTTAckTypes", "mqttsn TestRefusals"}},
	{"wolfMQTT: MsgId 0 beside QoS 1 and 2", []string{"s3ler-msgid"}},
	{"wolfMQTT: log injection", []string{"mqttsn TestWolfMQTTLogInjection"}},

	{"issues: 16-bit ids wrap", []string{"gateway TestMsgIDWraps", "gateway TestAllTopicIDs"}},
	{"issues: XBee frame ids wrap", []string{"transports/xbee TestFrameIDsWrap"}},
	{"issues: the topic \"12\"", []string{"complaint-17-topic-12"}},
	{"issues: many CONNECTs at once", []string{"gateway TestComplaint24Burst", "cmd/midge TestFiveHundredDevicesAtOnce"}},
	{"issues: PUBLISH of 256 octets and more", []string{"complaint-18-large"}},
	{"issues: QoS 0 with a MsgId", []string{"complaint-19-msgid-at-qos-0"}},
	{"issues: CONNECT three times", []string{"complaint-13-repeated-connect"}},
	{"issues: the gateway dies between PUBLISH and PUBACK", []string{"restart-active", "cmd/midge TestCrash"}},
}

func TestEveryReadingAndCaseHasATest(t *testing.T) {
	if len(readings) != 26 {
		t.Errorf("there are 25 ambiguities, got %d", len(readings)-1)
	}
	for n, r := range readings[1:] {
		wantTests(t, fmt.Sprintf("A%d (%s)", n+1, r.what), r.tests)
	}
	for _, c := range cases {
		wantTests(t, c.what, c.tests)
	}
}

// TestSecondGateway: a gateway that advertises our id is a fault that an operator has to hear of, once an hour; one with another id, and our own echo, are not.
func TestSecondGateway(t *testing.T) {
	var log bytes.Buffer
	b := broker.New(broker.Limits{})
	now := time.Unix(1_000_000_000, 0)
	g := newGateway(b, Config{GatewayID: 7, AdvertiseInterval: 15 * time.Minute}, slog.New(slog.NewTextHandler(&log, nil)), now)
	l := g.open("lan", LinkConfig{}, 1024, func(transports.Addr) string { return "a" }, now)
	l.Advance(now)
	hear := func(sentence string, id uint8, after time.Duration, want int) {
		t.Helper()
		now = now.Add(after)
		l.Receive(now, &transports.Frame{Broadcast: true, Data: mqttsn.Advertise{GwID: id, Duration: 900}.Append(nil)})
		if got := strings.Count(log.String(), "another gateway advertises our id"); got != want {
			t.Errorf("%s: %d complaints, got %d", sentence, want, got)
		}
	}
	hear("our own echo", 7, time.Second, 0)
	hear("another id", 8, time.Minute, 0)
	hear("our id", 7, time.Minute, 1)
	hear("and again", 7, time.Minute, 1)
	hear("an hour later", 7, time.Hour, 2)
}

// TestFromSleepers counts what is sent by clients that should be active first.
func TestFromSleepers(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 60})
	r.from("dev", registerAs("a"))
	r.from("dev", mqttsn.Disconnect{HasDuration: true, Duration: 60})
	r.from("dev", publishTo(firstTopicID))
	r.from("dev", mqttsn.Subscribe{MsgID: 2, TopicName: "b"})
	r.from("dev", mqttsn.Pingreq{ClientID: "valve7"})
	if got := r.g.Counters().Links["lan"].FromSleepers; got != 2 {
		t.Errorf("a publish and a request are counted, and not what a sleeper may send: got %d", got)
	}
}

// TestWillAccess: a will that its client may not write is not published; one that it may is.
func TestWillAccess(t *testing.T) {
	r := newRig(t, Config{Access: func(_, id string) broker.Access { return below(id) }}, LinkConfig{})
	watcher, _, _ := r.b.Open(r.now, broker.Options{ClientID: "watcher"})
	watcher.Subscribe(r.now, []broker.Subscription{{Filter: "#"}})
	for _, topic := range []string{"valve8/will", "valve7/will"} {
		r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Duration: 10, Will: true})
		r.from("dev", mqttsn.WillTopic{Topic: topic})
		r.from("dev", mqttsn.WillMsg{Data: []byte("gone")})
		r.now = r.now.Add(20 * time.Second)
		r.l.Advance(r.now)
	}
	var out [8]broker.Outbound
	if n, _ := watcher.Next(r.now, out[:]); n != 1 || out[0].Message.Topic != "valve7/will" {
		t.Errorf("one will is published, the allowed one: got %d", n)
	}
}

// TestFoundWithItsUpstream: a gateway that is told so shows itself to devices only while its upstream is there, and soon after it has come back.
func TestFoundWithItsUpstream(t *testing.T) {
	up := false
	r := newRig(t, Config{GatewayID: 7, AdvertiseInterval: 15 * time.Minute, Advertised: func() bool { return up }}, LinkConfig{})
	pass := func(d time.Duration) (texts []string) {
		for end := r.now.Add(d); ; {
			at, ok := r.l.Deadline()
			if !ok || at.After(end) {
				r.now = end
				return texts
			}
			if at.After(r.now) {
				r.now = at
			}
			r.l.Advance(r.now)
			for _, f := range r.l.frames() {
				texts = append(texts, describe("lan", f))
			}
		}
	}
	r.want("it does not advertise itself without its upstream", pass(time.Hour))
	r.want("and is not found by a search", r.from("dev", mqttsn.SearchGw{}))
	if got := r.g.Counters().Links["lan"].Dropped["unadvertised"]; got != 1 {
		t.Errorf("which is counted: %d", got)
	}
	r.want("who knows it may connect", r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1}), "dev< CONNACK accepted")
	up = true
	r.want("it is found again soon after", pass(10*time.Second), "everyone(radius 0)< ADVERTISE gwid=7 duration=900")
	r.want("a search too", r.from("dev", mqttsn.SearchGw{}), "dev< GWINFO gwid=7")
	r.want("and then advertises as always", pass(15*time.Minute), "everyone(radius 0)< ADVERTISE gwid=7 duration=900")
}
