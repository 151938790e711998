// Package status serves what an operator's tools ask: /healthz, whether Midge can do its work and why not, and /metrics,
// its figures for Prometheus.
//
// The package knows no other package of Midge. main fills [Sources] with functions that return snapshots: plain structs,
// taken at the moment of the question, owned by the caller afterwards. Nothing is counted here and nothing is kept
// between two questions, so a figure is as fresh as its source and a scrape that nobody makes costs nothing. The functions
// are called from several goroutines and must not block for long.
//
// Health has two kinds of lines. A reason makes the answer 503: Midge is still starting, a link's device is not there.
// A note leaves it 200: a bridge without its upstream is a normal state of a bridge, which is there to wait.
//
// Metric names follow the Prometheus conventions: midge_ in front, base units, _total on counters. Whatever a source lists
// appears with its zero from the start, so a rate over the first event is right; the lists of reasons, states and
// protocols are the sources'. Label values are the names of the configuration, never anything that came over a network:
// no client can make the number of series grow.
//
// Answers go to whoever can reach the address; they hold no topic, no client id and no payload.
package status
