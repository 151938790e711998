package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
)

// TestMosquittoFive: what Mosquitto's tools can do in MQTT 5 alone.
func TestMosquittoFive(t *testing.T) {
	peertest.Need(t, "mosquitto_rr")
	s := &site{t: t, mqtt: peertest.FreePort(t)}
	s.process = startMidge(t, fmt.Sprintf(smallConfig, s.mqtt, peertest.FreePort(t), peertest.FreePort(t)))
	publish(t, s.mqtt, "-t", "ready", "-m", "now", "-r", "-q", "1")
	e := end{theirTools(t), t, s.mqtt, "mqttv5"}
	testRequest(t, e)
	testExpiry(t, e)
	testProperties(t, e)
}

func testRequest(t *testing.T, e end) {
	p := start(t, e.sub[0], e.args(e.sub, []string{"-t", "service", "-t", "ready", "-F", "%t %p for %R with %D"})...)
	p.waitFor("the service is subscribed", "ready now")
	caller := start(t, "stdbuf", append([]string{"-oL", "mosquitto_rr"}, e.args([]string{"mosquitto_rr"}, []string{"-t", "service", "-e", "answers/1", "-m", "time?", "-D", "publish", "correlation-data", "17"})...)...)
	p.waitFor("the request comes with response topic and correlation data", "service time? for answers/1 with 17")
	e.publish("-t", "answers/1", "-m", "late", "-D", "publish", "correlation-data", "17")
	caller.waitFor("the answer comes", "late")
	p.stop()
}

func testExpiry(t *testing.T, e end) {
	session := []string{"-t", "expiry", "-q", "1", "-c", "-i", "keeper"}
	e.subscribe(session...).stop()
	e.publish("-t", "expiry", "-m", "short", "-q", "1", "-D", "publish", "message-expiry-interval", "1")
	e.publish("-t", "expiry", "-m", "long", "-q", "1", "-D", "publish", "message-expiry-interval", "1000")
	time.Sleep(1100 * time.Millisecond) // the first has to expire, and there is no other clock to turn
	p := e.subscribe(session...)
	e.publish("-t", "expiry", "-m", "end", "-q", "1")
	equal(t, "what has expired does not come", p.upTo("expiry", "expiry end"), []string{"expiry long", "expiry end"})
	p.stop()
	e.subscribe("-i", "keeper").stop()
}

func testProperties(t *testing.T, e end) {
	p := start(t, e.sub[0], e.args(e.sub, []string{"-t", "properties", "-t", "ready", "-F", "%t %p %C %P %F"})...)
	p.waitFor("the subscriber is there", "ready now")
	e.publish("-t", "properties", "-m", "x", "-D", "publish", "content-type", "text", "-D", "publish", "user-property", "b", "1",
		"-D", "publish", "user-property", "a", "2", "-D", "publish", "payload-format-indicator", "1")
	line := p.waitFor("the message comes", "properties x text")
	if !strings.Contains(line, "b:1 a:2") {
		t.Errorf("user properties come in their order: %q", line)
	}
	p.stop()
}
