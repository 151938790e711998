package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Protocol levels of CONNECT. The high bit says «I am a bridge»: a broker that knows it sends no echo and keeps Retain as published.
const (
	versionBridge = 0x84
	versionPlain  = 4
)

// link is one connection upstream: one Paho client that is used once.
type link struct {
	client  paho.Client
	version uint
	inbound chan paho.Message // from Paho's handler
	result  chan outcome      // one: how Connect went
	granted chan grant        // one per SUBSCRIBE
	down    chan struct{}     // closed when Paho's goroutines have ended after a failure of an accepted connection
	cancel  context.CancelFunc
	tasks   sync.WaitGroup

	wire     *wire // nil until Connect has succeeded
	since    time.Time
	phase    phase
	deadline time.Time // of the phase; zero: none
	consumed uint64    // messages taken from inbound
	acked    bool      // upstream has acknowledged a message
	pending  []filter  // not yet asked for
	asked    []filter  // in the SUBSCRIBE that is open
	closing  bool      // the bridge stops: nothing new goes out
}

// phase is what a connection waits for.
type phase uint8

const (
	dialling    phase = iota // for CONNACK
	subscribing              // for SUBACK, so that no answer to what goes out is missed
	open                     // for nothing
	trying                   // for the end of a trial: see trial
)

// outcome is how Connect went.
type outcome struct {
	wire  *wire // nil when the connection could not even be opened
	code  byte  // CONNACK's return code
	err   error
	since time.Time
}

// grant is an answered SUBSCRIBE: codes by filter.
type grant struct {
	codes map[string]byte
	err   error
}

// newLink starts to connect. The result comes through link.result, even after cancel.
func (r *runner) newLink() *link {
	ctx, cancel := context.WithCancel(context.Background()) // not the run's: a stop is said upstream first
	l := &link{
		version: r.version, cancel: cancel,
		inbound: make(chan paho.Message, inboundBuffer), result: make(chan outcome, 1),
		granted: make(chan grant, 1), down: make(chan struct{}),
	}
	var w *wire
	var dialErr error
	o := r.options(l)
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		conn, err := r.connectTo(ctx)
		if err != nil {
			dialErr = err
			return nil, err
		}
		w = newWire(conn, r.cfg.KeepAlive+pingSlack)
		context.AfterFunc(ctx, func() { w.fail(errStopped) })
		return w, nil
	})
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		// It may wait: nothing that the loop waits for depends on Paho's reading, and a broken wire ends the wait.
		select {
		case l.inbound <- m:
		case <-w.broken:
		}
	})
	l.client = paho.NewClient(o)
	l.tasks.Go(func() {
		token := l.client.Connect().(*paho.ConnectToken)
		<-token.Done()
		res := outcome{wire: w, code: token.ReturnCode(), err: token.Error(), since: time.Now()}
		if dialErr != nil {
			res.err = dialErr
		} else if res.err != nil && w != nil && w.why() != nil && res.code == packets.ErrNetworkError {
			res.err = w.why()
		}
		l.result <- res
	})
	return l
}

// options are Paho's defaults turned off one by one: see the package's documentation.
func (r *runner) options(l *link) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.AddBroker("tcp://" + r.peer) // only a name here: the connection is opened by us
	o.SetClientID(r.cfg.ClientID)
	o.SetUsername(r.cfg.Username)
	o.SetPassword(r.cfg.Password)
	o.SetProtocolVersion(l.version)
	o.SetCleanSession(false)
	o.SetStore(seed(r.flight.farOff()))
	o.SetResumeSubs(false)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetOrderMatters(true)
	o.SetAutoAckDisabled(true)
	o.SetConnectTimeout(connectTime)
	o.SetKeepAlive(r.cfg.KeepAlive)
	o.SetPingTimeout(24 * time.Hour) // the wire's read deadline does it
	o.SetConnectionLostHandler(func(paho.Client, error) { close(l.down) })
	if r.cfg.AvailabilityTopic != "" {
		o.SetWill(r.cfg.AvailabilityTopic, "0", 1, true)
	}
	return o
}

// subscribe asks for the next filters. The answer comes through granted.
func (l *link) subscribe() {
	n := min(len(l.pending), filtersPerSubscribe)
	l.asked, l.pending = l.pending[:n], l.pending[n:]
	ask := make(map[string]byte, n)
	for _, f := range l.asked {
		ask[f.name] = byte(f.qos)
	}
	l.wire.expect(n)
	token := l.client.SubscribeMultiple(ask, nil).(*paho.SubscribeToken)
	l.tasks.Go(func() {
		select {
		case <-token.Done():
			l.granted <- grant{codes: token.Result(), err: token.Error()}
		case <-l.wire.broken:
		}
	})
}

// expect says how many codes the next SUBACK has.
func (w *wire) expect(codes int) {
	w.mu.Lock()
	w.codes = codes
	w.mu.Unlock()
}

// end tears an accepted connection down, for the reason given unless it is broken already, and returns when Paho has ended. Nobody may be in one of Paho's
// calls.
func (l *link) end(why error) error {
	l.wire.fail(why)
	l.wire.letGo()
	<-l.down
	l.free()
	return l.wire.why()
}

// free waits for what is left of a link whose Paho client has ended or never was connected.
func (l *link) free() {
	l.cancel()
	l.tasks.Wait()
	if l.wire != nil {
		<-l.wire.gone
	}
}

// refusal turns a failed Connect into one sentence. plain reports whether the bridge bit may be the reason.
func refusal(peer string, o outcome) (err error, plain bool) {
	switch o.code {
	case packets.ErrRefusedBadProtocolVersion:
		return fmt.Errorf("%s refused the protocol version", peer), true
	case packets.ErrRefusedIDRejected:
		return fmt.Errorf("%s refused the client id", peer), false
	case packets.ErrRefusedServerUnavailable:
		return fmt.Errorf("%s says that its MQTT service is unavailable", peer), false
	case packets.ErrRefusedBadUsernameOrPassword:
		return fmt.Errorf("%s refused the user name or password", peer), false
	case packets.ErrRefusedNotAuthorised:
		return fmt.Errorf("%s says that the bridge is not authorised to connect", peer), false
	}
	if o.wire == nil {
		return fmt.Errorf("cannot connect to %s: %w", peer, o.err), false
	}
	if errors.Is(o.err, errPeerClosed) {
		return fmt.Errorf("%s closed the connection before it answered CONNECT", peer), true
	}
	return fmt.Errorf("%s did not answer CONNECT: %w", peer, o.err), false
}
