package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the server. It has few and patient callers; nobody else is to hold memory through it.
const (
	connectionsMax    = 32                     // open connections; the next caller waits for one to end
	scrapesMax        = 4                      // answers to /metrics that are made at the same time; 503 beyond
	headerBytesMax    = 8 << 10                // octets of a request's header
	headerTimeout     = 5 * time.Second        // for a whole header to arrive
	requestTimeout    = 10 * time.Second       // for a whole request to arrive
	answerTimeout     = 30 * time.Second       // from the header's arrival to the end of the answer
	idleTimeout       = time.Minute            // a Prometheus asks every 15 s to 60 s and may keep its connection
	shutdownPatience  = 250 * time.Millisecond // for answers under way at the end; Ctrl-C is to end Midge within a second
	endpointsOverview = "/healthz\n/metrics\n" // the answer to "/"
)

// New returns the handler of /healthz and /metrics, and of /status if there is a report. Beside the metrics of the sources, /metrics has those of the Go runtime
// and of the process.
func New(s Sources) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesMax}))
	overview := endpointsOverview
	if s.Report != nil {
		s.reports(mux)
		overview += "/status\n"
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, overview)
	})
	return mux
}

// Listen opens the address of [http]. The error is one sentence that names the address and the key; errors.Is finds the
// system's error in it.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, inUseError{address, err}
	}
	if err != nil {
		return nil, fmt.Errorf("open http.address = %q: %w", address, err)
	}
	return l, nil
}

// inUseError says that another program has the address.
type inUseError struct {
	address string
	err     error
}

func (e inUseError) Error() string {
	return fmt.Sprintf(`another program has %s; choose another http.address in the configuration, or "" for none`, e.address)
}

func (e inUseError) Unwrap() error { return e.err }

// Run serves the handler on l until ctx is done, and closes l. It returns when no goroutine of it is left, but for a handler
// that does not return: nil after ctx, else why it cannot go on.
func Run(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug), // a caller's mistake, not ours
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limit(l, connectionsMax)) }()
	select {
	case err := <-failed:
		server.Close()
		return fmt.Errorf("serve http on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	if server.Shutdown(patience) != nil {
		server.Close() // whoever still reads or asks is cut off
	}
	<-failed
	return nil
}
