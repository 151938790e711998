package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"midge/broker/mqtt"
)

// The exit codes that are not a reason code of CONNACK; Mosquitto's numbers.
const (
	exitUsage       = 1
	exitProtocol    = 2
	exitUnsupported = 10 // by the server: QoS, RETAIN, size
	exitLost        = 7
	exitTimeout     = 27
)

// An exit ends the program with a code and, unless empty, one sentence.
type exit struct {
	code int
	text string
}

func (e *exit) Error() string { return e.text }

// done is a good end.
var done = &exit{}

func fail(code int, format string, args ...any) *exit {
	return &exit{code, fmt.Sprintf(format, args...)}
}

// errLost says that the connection ended though nobody wanted it to.
var errLost = errors.New("the connection was lost")

// A tool is what differs between the two programs.
type tool interface {
	// event is told what happened. It may send through the engine.
	event(r *runner, e event) error
	// line takes one line of standard input, io.EOF at its end; ready says that there is room for one.
	line(r *runner, text []byte, err error) error
	ready(r *runner) bool
	// tick comes when the time set in runner.next is reached.
	tick(r *runner) error
	// lost says what becomes of the program when the connection is lost: nil means connect again.
	lost(r *runner) error
}

// reconnectAfter is the pause between attempts to connect again.
const reconnectAfter = time.Second

// A runner is the shell: it owns the connection, the clock and the streams. Errors that end the program are *exit.
type runner struct {
	o      *options
	tool   tool
	engine *engine
	dial   func(context.Context) (net.Conn, error)
	stdin  io.Reader
	stdout *bufio.Writer

	lines     chan inputLine
	next      time.Time // when tool.tick is due, see after; zero never
	keepAlive time.Duration
	sent      time.Time // when something was last sent
	pinged    time.Time
	ending    error // once set, the program ends when out is written
}

type inputLine struct {
	text []byte
	err  error
}

// run connects, and connects again as long as the tool wants it.
func (r *runner) run(ctx context.Context) error {
	for first := true; ; first = false {
		conn, err := r.dial(ctx)
		switch {
		case err == nil:
			err = r.serve(ctx, conn)
		case ctx.Err() != nil:
			return interrupted(ctx)
		case first:
			return fail(exitUsage, "%v", r.o.dialFault(err))
		}
		var end *exit
		if errors.As(err, &end) {
			return end
		}
		if err := r.tool.lost(r); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return interrupted(ctx)
		case <-time.After(reconnectAfter):
		}
	}
}

// interrupted is the end that the context brings: Ctrl-C, or the time that -W gives.
func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fail(exitTimeout, "timed out")
	}
	return done
}

// A chunk is what one read returned.
type chunk struct {
	b   []byte
	err error
}

// serve works one connection until it ends. It returns when its reader has ended.
func (r *runner) serve(ctx context.Context, conn net.Conn) error {
	chunks, stop, ended := make(chan chunk), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		read(conn, chunks, stop)
	}()
	defer func() {
		close(stop)
		conn.Close()
		<-ended
	}()
	r.keepAlive, r.sent, r.pinged = r.o.keepAlive, time.Now(), time.Time{}
	r.engine.connect(r.o.connectPacket())
	var in []byte
	for {
		if err := r.flush(conn); err != nil {
			return err
		}
		if r.ending != nil {
			drain(chunks)
			return r.ending
		}
		select {
		case <-ctx.Done():
			// Ctrl-C is not an orderly end: the will, if there is one, is published (MQTT 5).
			r.engine.disconnect(mqtt.DisconnectWithWill, present(&r.o.disconnect))
			r.ending = interrupted(ctx)
		case c := <-chunks:
			if c.err != nil {
				return errLost
			}
			var err error
			if in, err = r.packets(append(in, c.b...)); err != nil {
				return err
			}
		case l := <-r.input():
			r.end(r.tool.line(r, l.text, l.err))
			r.moreLines()
		case <-time.After(time.Until(r.deadline())):
			if err := r.timers(time.Now()); err != nil {
				return err
			}
		}
	}
}

// after makes the tool's tick come once, in d.
func (r *runner) after(d time.Duration) { r.next = time.Now().Add(d) }

// finish disconnects and ends the program well.
func (r *runner) finish() error {
	r.engine.disconnect(mqtt.Success, present(&r.o.disconnect))
	return done
}

// drainTimeout is how long the server has to close the connection after our DISCONNECT.
const drainTimeout = 500 * time.Millisecond

// drain waits for the server to close the connection. To close it first, with something of the server's unread, would reset it, and a reset
// may overtake the message that was just published.
func drain(chunks <-chan chunk) {
	timeout := time.After(drainTimeout)
	for {
		select {
		case c := <-chunks:
			if c.err != nil {
				return
			}
		case <-timeout:
			return
		}
	}
}

// end notes an error of the tool; what the engine has to send is still sent.
func (r *runner) end(err error) {
	if err != nil && r.ending == nil {
		r.ending = err
	}
}

// read passes on what arrives, until the connection or the program ends. The next read begins when the chunk was taken.
func read(conn net.Conn, chunks chan<- chunk, stop <-chan struct{}) {
	buf := [2][]byte{make([]byte, 32<<10), make([]byte, 32<<10)}
	for i := 0; ; i++ {
		n, err := conn.Read(buf[i%2])
		c := chunk{b: buf[i%2][:n]}
		if n == 0 {
			c.err = err
		}
		select {
		case chunks <- c:
		case <-stop:
			return
		}
		if err != nil && n == 0 {
			return
		}
	}
}

// packets takes every whole packet from the front of in and returns the rest.
func (r *runner) packets(in []byte) ([]byte, error) {
	b := in
	for r.ending == nil {
		h, err := mqtt.ParseHeader(b)
		if err == mqtt.ErrIncomplete || err == nil && len(b) < h.Total() {
			break
		}
		var e event
		if err == nil {
			e, err = r.engine.handle(h.First, b[h.Size:h.Total()])
		}
		if err != nil {
			return nil, fail(exitProtocol, "the server sent something that is not MQTT: %v", err)
		}
		b = b[h.Total():]
		r.event(e)
	}
	return append(in[:0], b...), nil
}

// event sees to what concerns the connection and leaves the rest to the tool.
func (r *runner) event(e event) {
	switch e.kind {
	case nothing:
		return
	case accepted:
		if e.props.Has(mqtt.PropServerKeepAlive) {
			r.keepAlive = time.Duration(e.props.ServerKeepAlive) * time.Second
		}
	case refused:
		r.end(r.refusal(e))
		return
	case disconnectedByServer:
		if e.reason == mqtt.SessionTakenOver {
			r.end(fail(exitLost, "another client took over the session of %q", r.engine.name))
			return
		}
		r.o.complain("the server ended the connection: %v", e.reason)
		return // the end of the stream follows
	}
	r.end(r.tool.event(r, e))
}

// refusal is the end after a CONNACK that says no; the exit code is what CONNACK said.
func (r *runner) refusal(e event) error {
	why := e.reason.String()
	if e.props.Has(mqtt.PropReasonString) {
		why += " (" + e.props.ReasonString + ")"
	}
	hint := ""
	if e.reason == mqtt.UnsupportedProtocolVersion {
		hint = fmt.Sprintf("; it does not speak MQTT %v, try another -V", r.o.version)
	}
	return fail(int(mqtt.ConnackCode(r.o.version, e.reason)), "the server refused the connection: %s%s", why, hint)
}

// writeTimeout bounds one write: a server that reads nothing for so long is gone.
const writeTimeout = 30 * time.Second

// flush writes what the engine has to send, and what there is to print.
func (r *runner) flush(conn net.Conn) error {
	if err := r.stdout.Flush(); err != nil {
		return done // nobody reads any more, e.g. "| head"
	}
	if len(r.engine.out) == 0 {
		return nil
	}
	conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := conn.Write(r.engine.out)
	r.engine.out = r.engine.out[:0]
	r.sent = time.Now()
	if err != nil {
		return errLost
	}
	return nil
}

// input is the channel of lines while the tool has room for one, else nil, which never delivers.
func (r *runner) input() <-chan inputLine {
	if r.ending != nil || !r.tool.ready(r) {
		return nil
	}
	if r.lines == nil {
		r.lines = make(chan inputLine, linesAhead)
		go readLines(r.stdin, r.lines)
	}
	return r.lines
}

// linesAhead is how many lines are read before there is room for them, and outMax, in octets, how much of them one write takes.
const (
	linesAhead = 64
	outMax     = 32 << 10
)

// moreLines takes the lines that are already there, so that many go out with one write.
func (r *runner) moreLines() {
	for r.input() != nil && len(r.engine.out) < outMax {
		select {
		case l := <-r.lines:
			r.end(r.tool.line(r, l.text, l.err))
		default:
			return
		}
	}
}

// readLines passes on lines without their newline, then the error. A read of standard input cannot be interrupted: this
// goroutine may outlive run, and ends with its input or with the process.
func readLines(in io.Reader, lines chan<- inputLine) {
	b := bufio.NewReader(in)
	for {
		text, err := b.ReadBytes('\n')
		if n := len(text); n > 0 && text[n-1] == '\n' {
			text = text[:n-1]
		} else if n == 0 {
			lines <- inputLine{err: err}
			return
		}
		lines <- inputLine{text: text}
	}
}
