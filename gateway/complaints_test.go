package gateway

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"midge/mqttsn"
)

// complaints are the 25 threads in which users of other gateways complain the most (chapter 3.1 of the facts on MQTT-SN that this project goes by), each with the tests that hold that it does not happen
// here: a trace of testdata by its name, or a package and a test function in it.
var complaints = []struct {
	what  string
	tests []string
}{
	1:  {"raw serial lines are wanted", []string{"transports/serial TestConforms", "cmd/midge TestDevicesReachEveryone"}},
	2:  {"one transport per build", []string{"complaint-02-links", "restart-links", "cmd/midge TestDevicesReachEveryone"}},
	3:  {"everything is lost at a restart", []string{"restart-active", "restart-ids", "restart-sleeping", "restart-gone", "restart-unsafe", "cmd/midge TestCrash"}},
	4:  {"no REGISTER after a reconnect without clean session", []string{"complaint-04-reconnect-registers"}},
	5:  {"REGISTER is rejected, PUBLISH sent anyway", []string{"complaint-05-register-refused"}},
	6:  {"wildcard and sleep: only the REGISTER arrives", []string{"complaint-06-wildcard-asleep"}},
	7:  {"the wake window is not honoured", []string{"complaint-07-pingresp-last", "complaint-07-asleep-in-the-middle", "gateway TestDay"}},
	8:  {"no flush on CONNECT", []string{"complaint-08-flush-on-connect"}},
	9:  {"redelivery on each ping", []string{"complaint-09-no-redelivery"}},
	10: {"keep-alive against sleep", []string{"complaint-10-sleep-timer"}},
	11: {"unknown client, changed address", []string{"complaint-11-unknown-and-moved", "complaint-11-flood", "policy-rebind-never", "policy-rebind-same-identity"}},
	12: {"same address, other client id", []string{"complaint-12-one-address", "qos-minus-one"}},
	13: {"repeated CONNECT", []string{"complaint-13-repeated-connect", "complaint-22-will-handshake"}},
	14: {"a broker that drops is not signalled", []string{"broker/bridge TestMosquittoOutage", "broker/bridge TestDeadPeer", "cmd/midge TestUplinkCut", "discovery"}},
	15: {"forwarder encapsulation is broken", []string{"complaint-15-forwarder", "complaint-15-node-id-changes", "restart-forwarder", "mqttsn FuzzEncapsulated"}},
	16: {"radio modems crash the gateway", []string{"transports/xbee FuzzParser", "transports/xbee FuzzMachine", "transports/xbee TestParserPitfalls", "transports/serial FuzzChunks", "transports/serial TestDescriptorsBeyondSelect"}},
	17: {"the wrong topic id", []string{"complaint-17-topic-12", "gateway TestComplaint17IDs"}},
	18: {"large payloads are cut or lost", []string{"complaint-18-large", "complaint-18-too-long", "mqttsn TestSizes"}},
	19: {"odd but real senders", []string{"complaint-19-msgid-at-qos-0", "complaint-19-inline-name", "policy-lenient"}},
	20: {"credentials of each client", []string{"policy-auth", "policy-allow", "restart-auth", "gateway TestAccess", "cmd/midge TestDevicesLogIn"}},
	21: {"DTLS on real networks: the device is who it proves to be, wherever it is heard", []string{"transports/dtls TestASessionOutlivesItsAddress", "transports/dtls TestOpenSSL", "policy-rebind-same-identity"}},
	22: {"wills", []string{"complaint-22-will-fires", "complaint-22-will-handshake", "complaint-22-will-retransmission", "will-late-connect", "will-late-publish", "gateway TestKeepAliveTolerance"}},
	23: {"QoS 2", []string{"complaint-23-qos2", "awake-qos2", "gateway TestDay"}},
	24: {"many clients at once", []string{"gateway TestComplaint24Burst", "connect-refused"}},
	25: {"retained and predefined", []string{"complaint-25-retained", "predefined-per-link", "gateway TestReconfigure"}},
}

func TestEveryComplaintHasATest(t *testing.T) {
	if len(complaints) != 26 {
		t.Errorf("there are 25 complaints, got %d", len(complaints)-1)
	}
	for n, c := range complaints[1:] {
		wantTests(t, fmt.Sprintf("complaint %d (%s)", n+1, c.what), c.tests)
	}
}

// wantTests checks that tests which a table names exist.
func wantTests(t *testing.T, of string, tests []string) {
	t.Helper()
	if len(tests) == 0 {
		t.Errorf("%s has a test", of)
	}
	for _, name := range tests {
		pkg, function, isFunction := strings.Cut(name, " ")
		switch {
		case isFunction && !hasTest(t, pkg, function):
			t.Errorf("%s is held by %s in package %s, which is not there", of, function, pkg)
		case !isFunction && !isFile(filepath.Join("testdata", name+".trace")):
			t.Errorf("%s is held by the trace %s, which is not there", of, name)
		}
	}
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var testSources = map[string]string{} // of the packages, all test files of each in one

func hasTest(t *testing.T, pkg, function string) bool {
	if _, ok := testSources[pkg]; !ok {
		files, _ := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			testSources[pkg] += string(text)
		}
	}
	return strings.Contains(testSources[pkg], "\nfunc "+function+"(")
}

// TestComplaint17IDs: whatever ids a device uses, every answer carries the one it was asked with, and every name keeps its own.
func TestComplaint17IDs(t *testing.T) {
	const seed = 17
	rng := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t, Config{}, LinkConfig{})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, CleanSession: true})
	ids, names := map[string]uint16{}, map[uint16]string{}
	for n := uint16(1); n < 5000; n++ {
		name := fmt.Sprint(rng.IntN(300)) // of one, two and three characters
		switch rng.IntN(3) {
		case 0:
			got := r.from("dev", mqttsn.Register{MsgID: n, TopicName: name})
			id, known := ids[name]
			if !known {
				id = uint16(firstTopicID + len(ids))
				ids[name], names[id] = id, name
			}
			r.want("a name has one id", got, fmt.Sprintf("dev< REGACK topic=0x%04x msgid=%d accepted", id, n))
		case 1:
			id := uint16(firstTopicID + rng.IntN(320))
			code := "accepted"
			if names[id] == "" {
				code = "invalid-topic-id"
			}
			r.want("PUBACK repeats the id", r.from("dev", mqttsn.Publish{QoS: 1, TopicID: id, MsgID: n}), fmt.Sprintf("dev< PUBACK topic=0x%04x msgid=%d %s", id, n, code))
		default:
			id := uint16(rng.Uint32())
			want := fmt.Sprintf("dev< PUBACK topic=0x%04x msgid=%d accepted", id, n)
			if _, ok := shortName(id); !ok {
				want = fmt.Sprintf("dev< PUBACK topic=0x%04x msgid=%d invalid-topic-id", id, n)
			}
			r.want("and so for a short name", r.from("dev", mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Short, TopicID: id, MsgID: n}), want)
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, n)
		}
	}
}

// TestComplaint24Burst has 500 devices that connect in the same instant, after a power cut in the field: all are answered, those with a will too.
func TestComplaint24Burst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Config{})
		const devices = 500
		field := make([]*station, devices)
		for i := range field {
			field[i] = s.station()
		}
		for i, d := range field {
			d.send(mqttsn.Connect{ClientID: fmt.Sprint("d", i), ProtocolID: 1, Duration: 60, Will: i%2 == 0, CleanSession: i%3 == 0})
		}
		synctest.Wait()
		for i, d := range field {
			if i%2 == 0 {
				d.want("a device with a will is asked for it", "WILLTOPICREQ")
				d.send(mqttsn.WillTopic{Topic: "will"})
			} else {
				d.want("a device without a will is in", "CONNACK accepted")
			}
		}
		synctest.Wait()
		for i, d := range field {
			if i%2 == 0 {
				d.want("then for its message", "WILLMSGREQ")
				d.send(mqttsn.WillMsg{Data: []byte("gone")})
			}
		}
		synctest.Wait()
		for i, d := range field {
			if i%2 == 0 {
				d.want("and is in", "CONNACK accepted")
			}
		}
		if got := s.g.Counters().Links["lan"].Clients[Active.String()]; got != devices {
			t.Errorf("all %d are active, got %d", devices, got)
		}
		time.Sleep(time.Minute)
		s.stop()
		for _, d := range field {
			d.end.Close()
		}
	})
}
