package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"midge/broker/mqtt"
)

// Pub is midge pub: it publishes what the arguments and stdin say and returns the exit code. Ending ctx ends it.
func Pub(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runProgram(ctx, pubProgram, args, stdin, stdout, stderr)
}

// A publisher is the tool behind Pub.
type publisher struct {
	connected bool
	payload   []byte
	left      int  // messages still to be published, unless they are lines
	eof       bool // all lines are out
	aliased   bool // the topic alias was set on this connection
}

// newPublisher reads the message, unless lines are published.
func newPublisher(o *options, stdin io.Reader) (*publisher, error) {
	p := &publisher{left: o.repeat}
	var err error
	switch o.source {
	case fromArgument:
		p.payload = []byte(o.message)
	case fromFile:
		if p.payload, err = os.ReadFile(o.file); err != nil {
			return nil, fmt.Errorf("message file cannot be read: %w", err)
		}
	case fromInput:
		if p.payload, err = io.ReadAll(stdin); err != nil {
			return nil, fmt.Errorf("standard input cannot be read: %w", err)
		}
		if len(p.payload) == 0 { // the program in front has failed: with -r it would delete the retained message
			return nil, errors.New("-s: standard input is empty; -n publishes an empty message")
		}
	}
	return p, nil
}

func (p *publisher) event(r *runner, e event) error {
	switch e.kind {
	case accepted:
		p.connected, p.aliased = true, false
		if r.o.source != fromLines {
			return p.publish(r, p.payload)
		}
		return p.finishLines(r) // what was in flight may have been the last
	case published:
		if e.reason.Failed() {
			r.o.complain("message %d was refused: %v", e.id, e.reason)
			if e.props.Has(mqtt.PropReasonString) {
				r.o.complain("%s", e.props.ReasonString)
			}
		}
		return p.completed(r)
	}
	return nil
}

// publish sends one message. With a topic alias the topic itself goes out once per connection.
func (p *publisher) publish(r *runner, payload []byte) error {
	f := &flight{topic: r.o.topic, payload: payload, qos: r.o.qos, retain: r.o.retain, props: present(&r.o.publish)}
	if r.o.publish.Has(mqtt.PropTopicAlias) && p.aliased && f.qos == mqtt.AtMostOnce {
		f.topic = ""
	}
	id, err := r.engine.publish(f)
	if err != nil {
		r.engine.disconnect(mqtt.Success, nil)
		return fail(exitUnsupported, "%v", err)
	}
	p.aliased = true
	if id == 0 {
		return p.completed(r)
	}
	return nil
}

// completed counts one message as delivered, as far as its QoS can tell.
func (p *publisher) completed(r *runner) error {
	if r.o.source == fromLines {
		return p.finishLines(r)
	}
	if p.left--; p.left > 0 {
		r.after(r.o.repeatDelay)
		return nil
	}
	return r.finish()
}

// finishLines ends the program when there are no more lines and nothing is in flight.
func (p *publisher) finishLines(r *runner) error {
	if p.eof && len(r.engine.inflight) == 0 {
		return r.finish()
	}
	return nil
}

func (p *publisher) tick(r *runner) error { return p.publish(r, p.payload) }

func (p *publisher) ready(r *runner) bool {
	return p.connected && r.o.source == fromLines && !p.eof && (r.o.qos == mqtt.AtMostOnce || !r.engine.full())
}

func (p *publisher) line(r *runner, text []byte, err error) error {
	if err == nil {
		return p.publish(r, text)
	}
	p.eof = true
	if err != io.EOF {
		r.engine.disconnect(mqtt.Success, nil)
		return fail(exitUsage, "standard input cannot be read: %v", err)
	}
	return p.finishLines(r)
}

// lost: lines go on after connecting again; a single message is the caller's to repeat.
func (p *publisher) lost(r *runner) error {
	p.connected = false
	if r.o.source == fromLines {
		return nil
	}
	return fail(exitLost, "%v before the message was delivered", errLost)
}
