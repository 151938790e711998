package node

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestLogTopics(t *testing.T) {
	plain := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	var stderr bytes.Buffer
	topics := NewLogTopics()
	level := new(slog.LevelVar)
	main := slog.NewTextHandler(&stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: plain.ReplaceAttr})
	log := slog.New(topics.Beside(main, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, plain) })).With("link", "lan")
	level.Set(slog.LevelDebug)
	log.Debug("packet in")
	log.Info("client connected", "client", "valve\n7")
	level.Set(slog.LevelWarn)
	log.Info("not logged")
	log.WithGroup("g").Warn("client refused", "client", "x")
	log.Error("disk")
	if got, want := stderr.String(), `level=DEBUG msg="packet in" link=lan
level=INFO msg="client connected" link=lan client="valve\n7"
level=WARN msg="client refused" link=lan g.client=x
level=ERROR msg=disk link=lan
`; got != want {
		t.Errorf("standard error has all that the level lets through:\n%swant\n%s", got, want)
	}
	var got strings.Builder
	for range len(topics.lines) {
		l := <-topics.lines
		got.WriteString(l.topic + " " + l.text + "\n")
	}
	if want := `$SYS/broker/log/I level=INFO msg="client connected" link=lan client="valve\n7"
$SYS/broker/log/W level=WARN msg="client refused" link=lan g.client=x
$SYS/broker/log/E level=ERROR msg=disk link=lan
`; got.String() != want {
		t.Errorf("the topics have the same but for debug:\n%swant\n%s", got.String(), want)
	}
	for range 2 * logLinesMax {
		log.Error("flood")
	}
	if n := len(topics.lines); n != logLinesMax {
		t.Errorf("nobody waits for them to be published, and they are bounded: %d lines", n)
	}
}
