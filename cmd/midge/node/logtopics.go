package node

import (
	"context"
	"io"
	"log/slog"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// LogTopics passes on what is logged to topics, as Mosquitto does with log_dest topic: $SYS/broker/log/E for errors, W for warnings, I for information. What is
// logged for debug stays out, because its messages would be logged in their turn.
type LogTopics struct {
	lines chan logLine
}

// logLinesMax bounds what waits to be published; beyond it lines stand on standard error only.
const logLinesMax = 256

type logLine struct{ topic, text string }

// logTopicOf is what each level goes to.
var logTopicOf = []struct {
	from  slog.Level
	topic string
}{{slog.LevelError, "$SYS/broker/log/E"}, {slog.LevelWarn, "$SYS/broker/log/W"}, {slog.LevelInfo, "$SYS/broker/log/I"}}

// NewLogTopics returns LogTopics that keep the first lines until a node publishes.
func NewLogTopics() *LogTopics { return &LogTopics{lines: make(chan logLine, logLinesMax)} }

// Beside returns a handler that logs to main and passes on what main takes, in the form that format gives to a writer of lines.
func (t *LogTopics) Beside(main slog.Handler, format func(io.Writer) slog.Handler) slog.Handler {
	h := teeHandler{main: main}
	for _, to := range logTopicOf {
		h.topics = append(h.topics, format(lineWriter{t, to.topic}))
	}
	return h
}

// lineWriter takes whole lines.
type lineWriter struct {
	*LogTopics
	topic string
}

func (w lineWriter) Write(line []byte) (int, error) {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	select {
	case w.lines <- logLine{w.topic, string(line)}:
	default:
	}
	return n, nil
}

// teeHandler is a handler and one for each entry of logTopicOf.
type teeHandler struct {
	main   slog.Handler
	topics []slog.Handler
}

func (h teeHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.main.Enabled(ctx, l) }

func (h teeHandler) Handle(ctx context.Context, r slog.Record) error {
	for i, to := range logTopicOf {
		if r.Level >= to.from {
			h.topics[i].Handle(ctx, r.Clone())
			break
		}
	}
	return h.main.Handle(ctx, r)
}

func (h teeHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.each(func(one slog.Handler) slog.Handler { return one.WithAttrs(attrs) })
}

func (h teeHandler) WithGroup(name string) slog.Handler {
	return h.each(func(one slog.Handler) slog.Handler { return one.WithGroup(name) })
}

func (h teeHandler) each(f func(slog.Handler) slog.Handler) slog.Handler {
	with := teeHandler{main: f(h.main)}
	for _, one := range h.topics {
		with.topics = append(with.topics, f(one))
	}
	return with
}

// PublishLog has the node publish what t passes on. QoS 1, so that a central broker has the lines that were logged while it was away.
func (n *Node) PublishLog(t *LogTopics) {
	n.Add("log topics", func(ctx context.Context) error {
		var wakes broker.Wakes
		for {
			select {
			case <-ctx.Done():
				return nil
			case l := <-t.lines:
				n.Broker.Say(time.Now(), &wakes, &broker.Message{Topic: l.topic, Payload: []byte(l.text), QoS: mqtt.AtLeastOnce})
				wakes.Flush()
			}
		}
	})
}
