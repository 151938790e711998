package status

import (
	"encoding/json"
	"net/http"
)

// reports answers GET /status with Sources.Report, and GET /status/CLIENT with what that says of one device: 404 when there is none. One report is made at a time,
// because a hundred thousand devices are some 40 MB of it; 503 beyond.
func (s Sources) reports(mux *http.ServeMux) {
	turn := make(chan struct{}, 1)
	answer := func(w http.ResponseWriter, clients ...string) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		default:
			http.Error(w, "another report is being made", http.StatusServiceUnavailable)
			return
		}
		report, err := s.Report(clients)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w) // what comes from the wire is escaped, for HTML too
		e.SetIndent("", "  ")
		e.Encode(report) // an error is the caller's, who has gone
	}
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	mux.HandleFunc("GET /status/{client...}", func(w http.ResponseWriter, r *http.Request) { answer(w, r.PathValue("client")) })
}
