package fleet

import (
	"strings"
	"testing"
	"time"

	"midge/transports"
)

func TestMistakesGetOneSentence(t *testing.T) {
	const link = "udp://127.0.0.1:1883"
	rows := []struct {
		cfg  Config
		want string
	}{
		{Config{}, "exactly one way to the gateway"},
		{Config{Link: link, Open: func(int) (transports.Link, error) { return nil, nil }}, "exactly one way to the gateway"},
		{Config{Link: link, Devices: -1}, "-1 devices are asked for, 1 to 60000 are possible"},
		{Config{Link: link, Devices: 70000}, "70000 devices"},
		{Config{Link: link, ClientPrefix: "a/b"}, `client prefix "a/b"`},
		{Config{Link: link, ClientPrefix: strings.Repeat("x", 17)}, "1 to 16 letters"},
		{Config{Link: link, Interval: -time.Second}, "interval -1s must be 1ms or more"},
		{Config{Link: link, QoS: 4}, "QoS 4 does not exist"},
		{Config{Link: link, Payload: 70000}, "payload of 70000 octets"},
		{Config{Link: link, SleepDuration: 1500 * time.Millisecond}, "sleep duration 1.5s must be whole seconds"},
		{Config{Link: link, Loss: 1.5}, "loss is 1.5, must be 0 to 1"},
		{Config{Link: link, Sleep: -0.1}, "share of sleepers is -0.1"},
		{Config{Link: link, Duration: -1}, "negative"},
		{Config{Link: "127.0.0.1:1883"}, "udp://127.0.0.1:1883"},
		{Config{Link: "host"}, "is not a URL such as udp://127.0.0.1:1883"},
		{Config{Link: "udp://127.0.0.1"}, "must be udp://HOST:PORT"},
		{Config{Link: "udp://:1883"}, "must be udp://HOST:PORT"},
		{Config{Link: "udp://127.0.0.1:1883/x?y=1"}, "something after the port"},
		{Config{Link: "xbee:///dev/ttyUSB0?to=12"}, "must be 16 hexadecimal digits"},
		{Config{Link: "tcp://127.0.0.1:1883"}, "there are udp://, serial:// and xbee://, not tcp://"},
		{Config{Link: "serial://dev/ttyUSB0"}, "serial:///PATH with three slashes"},
		{Config{Link: "serial:///dev/ttyUSB0?baud=fast"}, "baud=fast is not a number"},
		{Config{Link: "serial:///dev/ttyUSB0?framing=cobs"}, "cobs"},
		{Config{Link: "serial:///dev/ttyUSB0?parity=odd"}, `options baud and framing, not "parity"`},
	}
	for _, row := range rows {
		_, err := New(row.cfg)
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the mistake gets one sentence with %q, got %v", row.want, err)
		}
	}
}

func TestSleepersAreSpreadEvenly(t *testing.T) {
	for _, row := range []struct {
		share float64
		want  string
	}{{0, ".........."}, {1, "zzzzzzzzzz"}, {0.5, ".z.z.z.z.z"}, {0.4, "..z.z..z.z"}, {0.3, "...z..z..z"}} {
		got := ""
		for i := range 10 {
			got += map[bool]string{true: "z", false: "."}[Config{Sleep: row.share}.sleeper(i)]
		}
		if got != row.want {
			t.Errorf("with a share of %v the sleepers are %s, got %s", row.share, row.want, got)
		}
	}
}

func TestPayloadTooLongForTheLine(t *testing.T) {
	shared, _, err := OpenPty("raw")
	if err != nil {
		t.Skip("this system has no pseudo-terminals:", err)
	}
	f, err := New(Config{Shared: shared, Devices: 2, Payload: 1020})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run(t.Context()); err == nil || err.Error() != "payload of 1020 octets is too long for the link, which carries 1010" {
		t.Errorf("a payload that no frame of the line holds is told before anything starts, got %v", err)
	}
}
