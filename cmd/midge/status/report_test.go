package status

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReports(t *testing.T) {
	asked := make(chan struct{})
	goOn := make(chan struct{})
	h := New(Sources{Report: func(clients []string) (any, error) {
		switch strings.Join(clients, ",") {
		case "":
			return []string{"all", "<x>"}, nil
		case "a/b c":
			return map[string]int{"one": 1}, nil
		case "slow":
			close(asked)
			<-goOn
			return "at last", nil
		}
		return nil, errors.New("nobody is called that")
	}})
	get := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return strings.Join([]string{w.Result().Status, w.Header().Get("Content-Type"), w.Body.String()}, "|")
	}
	for _, row := range []struct{ path, want string }{
		{"/status", "200 OK|application/json|[\n  \"all\",\n  \"\\u003cx\\u003e\"\n]\n"},
		{"/status/a/b%20c", "200 OK|application/json|{\n  \"one\": 1\n}\n"},
		{"/status/nobody", "404 Not Found|text/plain; charset=utf-8|nobody is called that\n"},
		{"/", "200 OK|text/plain; charset=utf-8|/healthz\n/metrics\n/status\n"},
	} {
		if got := get(row.path); got != row.want {
			t.Errorf("GET %s: got %q, want %q", row.path, got, row.want)
		}
	}
	slow := make(chan string)
	go func() { slow <- get("/status/slow") }()
	<-asked
	if got := get("/status"); !strings.HasPrefix(got, "503 ") {
		t.Errorf("one report at a time: %q", got)
	}
	close(goOn)
	if got := <-slow; !strings.HasPrefix(got, "200 ") {
		t.Errorf("and that one is made: %q", got)
	}
	none := httptest.NewRecorder()
	New(Sources{}).ServeHTTP(none, httptest.NewRequest("GET", "/status", nil))
	if none.Code != 404 {
		t.Errorf("without being told to, nobody is told of devices: %d", none.Code)
	}
}
