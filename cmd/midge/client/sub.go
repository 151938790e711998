package client

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// Sub is midge sub: it prints the messages that the arguments ask for and returns the exit code. Ending ctx ends it.
func Sub(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runProgram(ctx, subProgram, args, stdin, stdout, stderr)
}

// A subscriber is the tool behind Sub.
type subscriber struct {
	printer   printer
	now       func() time.Time // for the formats that tell it
	seen      int              // messages counted for -C
	removals  []string         // topics whose retained message is to be deleted and for which there was no room in flight
	finishing bool             // nothing more is printed; retained messages may still be in the course of removal
}

func (s *subscriber) event(r *runner, e event) error {
	switch e.kind {
	case accepted:
		s.subscribe(r)
	case subscribed:
		return s.subscribed(r, e)
	case unsubscribed:
		if r.o.exitAfterSub && len(r.o.topics) == 0 {
			return r.finish()
		}
	case arrived:
		return s.arrived(r, &e.message)
	case published:
		s.remove(r)
		return s.finish(r)
	}
	return nil
}

// subscribe asks for everything, on each connection anew.
func (s *subscriber) subscribe(r *runner) {
	if len(r.o.topics) > 0 {
		options := mqtt.Subscription{QoS: r.o.qos, RetainAsPublished: r.o.retainAsPublished, RetainHandling: r.o.retainHandling}
		if r.o.version != mqtt.V5 {
			options = mqtt.Subscription{QoS: r.o.qos}
		}
		r.engine.subscribe(r.o.topics, options, present(&r.o.subscribe))
	}
	for _, f := range r.o.unsubscribeFrom {
		r.engine.unsubscribe(f, present(&r.o.unsubscribe))
	}
}

func (s *subscriber) subscribed(r *runner, e event) error {
	codes := make([]string, len(e.codes))
	refused := 0
	for i, c := range e.codes {
		codes[i] = fmt.Sprint(uint8(c))
		if c.Failed() {
			refused++
		}
	}
	r.engine.debug("Subscribed (mid: %d): %s", e.id, strings.Join(codes, ", "))
	if refused == len(e.codes) {
		r.engine.disconnect(mqtt.Success, present(&r.o.disconnect))
		return fail(exitUsage, "every subscription was refused: %v", e.codes[0])
	}
	if r.o.exitAfterSub {
		return r.finish()
	}
	return nil
}

func (s *subscriber) arrived(r *runner, m *message) error {
	if s.finishing {
		return nil
	}
	if r.o.retainedOnly && !m.retain {
		s.finishing = true
		return s.finish(r)
	}
	if m.retain && r.o.noRetain {
		return nil
	}
	for _, f := range r.o.filterOut {
		if topic.Match(f, m.topic) {
			return nil
		}
	}
	if r.o.removeRetained && m.retain {
		s.removals = append(s.removals, m.topic)
		s.remove(r)
	}
	if r.o.percent >= 100 || rand.Float64()*100 < r.o.percent {
		if err := s.printer.print(r.stdout, m, s.now()); err != nil {
			r.o.complain("%v", err)
		}
	}
	if s.seen++; s.seen == r.o.count {
		s.finishing = true
	}
	return s.finish(r)
}

// remove deletes retained messages, as many at a time as the server takes.
func (s *subscriber) remove(r *runner) {
	for len(s.removals) > 0 && !r.engine.full() {
		name := s.removals[0]
		s.removals = s.removals[1:]
		if _, err := r.engine.publish(&flight{topic: name, qos: mqtt.AtLeastOnce, retain: true}); err != nil {
			r.o.complain("retained message on %q cannot be removed: %v", name, err)
		}
	}
}

// finish ends the program once it is to end and every removal is acknowledged.
func (s *subscriber) finish(r *runner) error {
	if s.finishing && len(r.engine.inflight)+len(s.removals) == 0 {
		return r.finish()
	}
	return nil
}

func (s *subscriber) ready(*runner) bool                { return false }
func (s *subscriber) line(*runner, []byte, error) error { return nil }
func (s *subscriber) tick(*runner) error                { return nil }

// lost: connect again, for ever.
func (s *subscriber) lost(*runner) error { return nil }
