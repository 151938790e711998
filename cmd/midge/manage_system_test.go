package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports/udp"
)

// newField is a midge with a link of type udp and more configuration, and what makes devices on it.
func newField(t *testing.T, more string) (*estate, func(id string) *device) {
	t.Helper()
	over := peertest.FreePort(t)
	e := newEstate(t, "")
	e.write("config.toml", strings.NewReplacer("link = []\n", "", "[log]\n", "[log]\ntopic = true\n").Replace(e.config(""))+fmt.Sprintf("[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\n%s", over, more))
	e.run()
	return e, func(id string) *device {
		link, err := udp.Dial(fmt.Sprint("127.0.0.1:", over))
		if err != nil {
			t.Fatal(err)
		}
		d := newDevice(t, link, client.Config{ClientID: id, KeepAlive: time.Minute})
		d.connect()
		return d
	}
}

// TestStatusOfADevice asks a running midge for one device in full.
func TestStatusOfADevice(t *testing.T) {
	e, device := newField(t, "")
	device("pump")
	valve := device("valve")
	valve.subscribe("cmd/#", mqttsn.AtLeastOnce)
	valve.publish("up/valve", "42", mqttsn.AtLeastOnce)
	await[client.Published](valve, "it is acknowledged")
	out, errs, status := midge(t, e.dir, "status", "v*")
	for _, want := range []string{`"id": "valve"`, `"messages_in": 1`, `"filter": "cmd/#",` + "\n        \"qos\": 1", `"id": 1025,` + "\n        \"name\": \"up/valve\",\n        \"known\": true"} {
		if !strings.Contains(out, want) || strings.Contains(out, "pump") || errs != "" || status != 0 {
			t.Errorf("midge status of a device has %s, and no other device: %s%s", want, out, errs)
		}
	}
	if out, errs, status := midge(t, e.dir, "status", "door"); out != "" || errs != "midge: no MQTT-SN device has the client id \"door\"\n" || status != 1 {
		t.Errorf("who is not there is one sentence: %q %q, status %d", out, errs, status)
	}
}

// TestKickCommand disconnects clients of both kinds and ends sessions.
func TestKickCommand(t *testing.T) {
	e, device := newField(t, "")
	kick := func(want string, args ...string) {
		t.Helper()
		out, errs, status := midge(t, e.dir, append([]string{"kick"}, args...)...)
		if failed := strings.HasPrefix(want, "midge: "); out+errs != want+"\n" || failed != (status == 1) {
			t.Errorf("midge kick %s says %q, status %d, not %q", strings.Join(args, " "), out+errs, status, want)
		}
	}
	kick("midge: \"door\" is not connected", "door")
	kick("midge: \"door\" is not connected, and has no session", "door", "--forget")
	valve := device("valve")
	valve.subscribe("cmd/#", mqttsn.AtLeastOnce)
	here := start(t, midgePath(t), "sub", "-p", fmt.Sprint(e.port), "-V", "mqttv5", "-i", "reader", "-c", "-x", "100", "-q", "1", "-t", "a")
	e.waitFor("the subscriber is there", "msg=\"client connected\" client=reader ")
	kick("\"valve\" was disconnected\n\"reader\" was disconnected\n\"door\" is not connected", "valve", "reader", "door")
	await[client.Lost](valve, "the device is told")
	here.waitFor("so is the MQTT client, and why", "Administrative action")
	here.stop()
	device("valve")
	kick("\"valve\" was disconnected, and its session has ended", "valve", "--forget")
	kick("\"reader\" was not connected; its session has ended", "--forget", "reader")
	kick("midge: \"reader\" is not connected, and has no session\n\"valve\" is not connected, and has no session", "reader", "valve", "--forget")
}

// TestStatesOfDevices: who subscribes to the availability topics knows where the devices are.
func TestStatesOfDevices(t *testing.T) {
	e, device := newField(t, "[gateway]\navailability_topic = \"midge/{node}/device/{client}/state\"\n")
	valve := device("valve")
	here := start(t, midgePath(t), "sub", "-p", fmt.Sprint(e.port), "-v", "-t", "midge/#")
	here.waitFor("a device that is there is active", "midge/estate/device/valve/state active")
	valve.do("sleep", func(c *client.Client, now time.Time) error { return c.Sleep(now, time.Minute) })
	here.waitFor("one that sleeps is asleep", "midge/estate/device/valve/state asleep")
}

// TestLogIsPublished: the log can be read from afar, and does not feed itself.
func TestLogIsPublished(t *testing.T) {
	e, device := newField(t, "")
	ready := start(t, midgePath(t), "pub", "-p", fmt.Sprint(e.port), "-r", "-t", "ready", "-m", "yes")
	<-ready.done
	log := start(t, midgePath(t), "sub", "-p", fmt.Sprint(e.port), "-v", "-t", "$SYS/broker/log/#", "-t", "ready")
	log.waitFor("the reader is subscribed", "ready yes")
	device("valve").publish("a", "1", mqttsn.AtLeastOnce)
	log.waitFor("what is logged is published", "msg=\"client connected\" link=lan client=valve ")
	publisher := start(t, midgePath(t), "pub", "-p", fmt.Sprint(e.port), "-i", "last", "-t", "a", "-m", "2")
	<-publisher.done
	log.waitFor("and so on", "client=last ")
	for _, line := range log.output() {
		if line != "ready yes" && !strings.HasPrefix(line, "$SYS/broker/log/I time=") || strings.Contains(line, "level=DEBUG") {
			t.Errorf("only what is there to be told: %s", line)
		}
	}
}

// TestSubscribeCommand subscribes a device that has not asked for it.
func TestSubscribeCommand(t *testing.T) {
	e, device := newField(t, "")
	valve := device("valve")
	subscribe := func(want string, args ...string) {
		t.Helper()
		out, errs, status := midge(t, e.dir, append([]string{"subscribe-for"}, args...)...)
		if failed := strings.HasPrefix(want, "midge: "); out+errs != want+"\n" || failed != (status == 1) {
			t.Errorf("midge subscribe-for %s says %q, status %d, not %q", strings.Join(args, " "), out+errs, status, want)
		}
	}
	subscribe("\"valve\" is subscribed to \"cmd/#\" at QoS 1\n\"valve\" is subscribed to \"a\" at QoS 1", "valve", "cmd/#", "a", "-q", "1")
	device("pump").publish("cmd/open", "7", mqttsn.AtLeastOnce)
	if m := await[client.Message](valve, "the device gets it"); string(m.Payload) != "7" {
		t.Errorf("what was published: %+v", m)
	}
	subscribe("\"valve\" is no longer subscribed to \"cmd/#\"\n\"valve\" was not subscribed to \"b\"", "valve", "--remove", "cmd/#", "b")
	subscribe("midge: \"door\" \"a\": it is neither connected nor asleep", "door", "a")
	subscribe("midge: \"valve\" is subscribed to \"c\" at QoS 0\n\"valve\" \"a/#/b\": \"a/#/b\" is no filter: '#' must be the last level and stand alone in it", "valve", "c", "a/#/b")
}

// TestStatusOverHTTP has what midge status prints under /status, if that is meant.
func TestStatusOverHTTP(t *testing.T) {
	e := newEstate(t, "")
	at := fmt.Sprintf("127.0.0.1:%d", peertest.FreePort(t))
	e.write("config.toml", strings.Replace(e.config(""), "[http]\naddress = \"\"\n", "[http]\naddress = \""+at+"\"\nstatus = true\n", 1))
	e.run()
	for path, want := range map[string]string{"/status": `"devices": []`, "/status/valve": "no MQTT-SN device has the client id"} {
		r, err := http.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("GET %s says %s: %s, %v", path, want, body, err)
		}
	}
}
