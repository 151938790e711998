package status

import (
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// busy are sources in which every figure differs.
func busy() Sources {
	return Sources{
		Version: "1.2.3",
		Broker: func() Broker {
			return Broker{Sessions: 1, Connected: 2, Subscriptions: 3, Retained: 4, RetainedBytes: 5, Queued: 6, QueuedBytes: 7, Inflight: 8,
				Traffic: map[string]Traffic{
					"mqtt":         {In: [3]uint64{10, 11, 12}, Out: [3]uint64{20, 21, 22}},
					ProtocolMQTTSN: {In: [3]uint64{30, 31, 32}, Out: [3]uint64{40, 41, 42}, InMinusOne: 43},
					"bridge":       {},
				},
				Dropped: map[string]uint64{"queue_full": 50, "expired": 0},
				Faults:  map[string]uint64{"protocol_error": 51},
				Refused: map[string]uint64{"tls_handshake": 52}}
		},
		Store: func() Store {
			return Store{Commits: 80, CommitTime: 81 * time.Second, LogBytes: 82, FlushBytes: 83, CompactBytes: 84, UsedBytes: 85, FreeBytes: 86,
				Waiting: 87, Full: true}
		},
		Links: func() []Link {
			return []Link{
				{Name: "lan", Type: "udp", Up: true, FramesIn: 60, FramesOut: 61, BytesIn: 62, BytesOut: 63, Retransmissions: 64,
					Errors: map[string]uint64{"oversize": 65, "send": 0}, Discarded: map[string]uint64{"malformed": 66},
					Clients: map[string]int{"active": 67, "asleep": 68, "lost": 0}},
				{Name: "field", Type: "serial", Up: false, Why: "/dev/ttyUSB0 is not there", Errors: map[string]uint64{"crc": 0}},
			}
		},
		Bridges: func() []Bridge {
			return []Bridge{{Name: "cloud", Backlog: 70, Oldest: 71500 * time.Millisecond, Acknowledged: 72, Received: 73}}
		},
	}
}

func ask(t *testing.T, s Sources, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	New(s).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func TestMetricsText(t *testing.T) {
	w := ask(t, busy(), "/metrics")
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answers 200, got %d: %s", w.Code, w.Body)
	}
	var ours, runtime, process strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		switch name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); {
		case strings.HasPrefix(name, "midge_"):
			ours.WriteString(line)
		case strings.HasPrefix(name, "go_"):
			runtime.WriteString(line)
		case strings.HasPrefix(name, "process_"):
			process.WriteString(line)
		default:
			t.Errorf("/metrics has midge_, go_ and process_, but also %q", line)
		}
	}
	if runtime.Len() == 0 {
		t.Error("/metrics has the figures of the Go runtime")
	}
	if process.Len() == 0 {
		t.Error("/metrics has the figures of the process")
	}
	golden(t, "metrics", ours.String())
}

// golden compares got with testdata/NAME.txt.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name + ".txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the answer is that of %s:\n%s\ngot\n%s", file, want, got)
	}
}

// The linter parses the text with Prometheus' own parser first.
func TestMetricsKeepTheConventions(t *testing.T) {
	found, err := promlint.New(ask(t, busy(), "/metrics").Body).Lint()
	if err != nil {
		t.Fatalf("Prometheus reads the answer, but: %v", err)
	}
	for _, p := range found {
		if strings.HasPrefix(p.Metric, "midge_") {
			t.Errorf("metric names keep the conventions, but %s: %s", p.Metric, p.Text)
		}
	}
}

func TestEveryFamilyIsCollected(t *testing.T) {
	text := ask(t, busy(), "/metrics").Body.String()
	for _, f := range families {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.desc.String(), `Desc{fqName: "`), `"`)
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("a metric that is described is collected, but not %s", name)
		}
	}
}

func TestWithoutSources(t *testing.T) {
	w := ask(t, Sources{Version: "1"}, "/metrics")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `midge_build_info{version="1"} 1`) {
		t.Errorf("/metrics answers before there is anything to ask, got %d: %s", w.Code, w.Body)
	}
	w = ask(t, Sources{}, "/healthz")
	if w.Code != http.StatusOK || w.Body.String() != "ok\n" {
		t.Errorf("/healthz of nothing is ok, got %d: %q", w.Code, w.Body)
	}
}

func TestHealth(t *testing.T) {
	up, down := Link{Name: "lan", Up: true}, Link{Name: "field", Why: "/dev/ttyUSB0 is not there"}
	here, away := Bridge{Name: "near", Connected: true}, Bridge{Name: "cloud", Why: "dial up.example.com:8883: no route\nto host", Backlog: 12, Oldest: 90 * time.Second}
	links := func(l ...Link) func() []Link { return func() []Link { return l } }
	bridges := func(b ...Bridge) func() []Bridge { return func() []Bridge { return b } }
	for _, row := range []struct {
		sentence string
		s        Sources
		code     int
		body     string
	}{
		{"all well is ok", Sources{Links: links(up), Bridges: bridges(here)}, 200, "ok\n"},
		{"ready is ok", Sources{Ready: func() error { return nil }}, 200, "ok\n"},
		{"starting is not ready, whatever else", Sources{Ready: func() error { return errors.New("starting") }, Links: links(down)}, 503, "not ready: starting\n"},
		{"a link without its device is a reason", Sources{Links: links(up, down)}, 503, "link field: /dev/ttyUSB0 is not there\n"},
		{"a link that does not say why is down", Sources{Links: links(Link{Name: "x"})}, 503, "link x: down\n"},
		{"trouble is a reason, a line each", Sources{Trouble: func() []string { return []string{"the disk is full"} }, Links: links(down), Bridges: bridges(away)}, 503,
			"the disk is full\nlink field: /dev/ttyUSB0 is not there\n"},
		{"a bridge without its upstream is a note", Sources{Bridges: bridges(here, away)}, 200,
			"ok\nbridge cloud: dial up.example.com:8883: no route to host; 12 messages wait, the oldest for 1m30s\n"},
		{"a bridge that has not tried yet is a note", Sources{Bridges: bridges(Bridge{Name: "cloud"})}, 200, "ok\nbridge cloud: not connected\n"},
	} {
		w := ask(t, row.s, "/healthz")
		if w.Code != row.code || w.Body.String() != row.body {
			t.Errorf("%s: want %d\n%s\ngot %d\n%s", row.sentence, row.code, row.body, w.Code, w.Body)
		}
	}
}

func TestOtherPaths(t *testing.T) {
	if w := ask(t, Sources{}, "/"); w.Code != 200 || w.Body.String() != endpointsOverview {
		t.Errorf("/ lists what there is, got %d %q", w.Code, w.Body)
	}
	if w := ask(t, Sources{}, "/other"); w.Code != 404 {
		t.Errorf("another path is not found, got %d", w.Code)
	}
	w := httptest.NewRecorder()
	New(Sources{}).ServeHTTP(w, httptest.NewRequest("POST", "/healthz", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("nothing can be changed here, got %d", w.Code)
	}
}
