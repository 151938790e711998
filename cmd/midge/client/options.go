package client

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"midge/broker/mqtt"
)

// program is which of the two commands runs.
type program string

const (
	pubProgram program = "pub"
	subProgram program = "sub"
)

// source is where midge pub takes its messages from.
type source int

const (
	noSource source = iota
	fromArgument
	fromFile
	fromInput // all of standard input is one message
	fromLines // every line of standard input is one
	nullMessage
)

// options are the command line of either program.
type options struct {
	program program

	host, bind string
	socket     string // path of a Unix socket, instead of host and port
	port       int    // -1 until given
	tls        tlsOptions

	id, idPrefix        string
	username, password  *string
	version             mqtt.Version
	keepAlive           time.Duration
	clean               bool
	expiry              int64 // session expiry in seconds, -1 until given
	qos                 mqtt.QoS
	debug, quiet        bool
	complain            func(format string, args ...any) // prints one sentence on standard error, unless quiet
	help                bool
	will                *mqtt.Will
	willTopic           string
	willPayload         *string
	willQoS             mqtt.QoS
	willRetain          bool
	connect, disconnect mqtt.Properties
	willProps           mqtt.Properties

	// of pub
	topic       string
	source      source
	message     string
	file        string
	retain      bool
	repeat      int
	repeatDelay time.Duration
	inflight    int
	publish     mqtt.Properties

	// of sub
	topics, filterOut, unsubscribeFrom []string
	count                              int // 0 no limit
	timeout                            time.Duration
	exitAfterSub                       bool
	noEOL, verbose, pretty             bool
	noRetain, retainedOnly             bool
	removeRetained, retainAsPublished  bool
	retainHandling                     uint8
	percent                            float64 // of messages that are printed
	format                             []formatItem
	subscribe, unsubscribe             mqtt.Properties
}

func newOptions(p program) *options {
	return &options{program: p, port: -1, version: mqtt.V311, keepAlive: time.Minute, clean: true, expiry: -1,
		repeat: 1, inflight: 20, percent: 100}
}

// sessionForever is the session expiry interval that means never.
const sessionForever = 0xFFFFFFFF

// finish checks what no flag alone can know and fills in defaults.
func (o *options) finish() error {
	switch {
	case o.willTopic == "" && (o.willPayload != nil || o.willRetain || o.willQoS != 0):
		return errors.New("a will needs --will-topic")
	case o.id != "" && o.idPrefix != "":
		return errors.New("-i and -I exclude each other")
	case o.password != nil && o.username == nil && o.version != mqtt.V5:
		return errors.New("-P needs -u before MQTT 5")
	}
	if err := o.tls.check(); err != nil {
		return err
	}
	if err := o.finishSession(); err != nil {
		return err
	}
	if o.program == pubProgram && (o.topic == "" || o.source == noSource) {
		return errors.New("both a topic (-t) and a message (-m, -f, -l, -n or -s) are needed")
	}
	if o.program == subProgram && len(o.topics)+len(o.unsubscribeFrom) == 0 {
		return errors.New("a topic to subscribe to (-t) or unsubscribe from (-U) is needed")
	}
	if o.noRetain && o.retainedOnly {
		return errors.New("-R and --retained-only together leave nothing to print")
	}
	o.finishAddress()
	o.finishWill()
	return nil
}

// finishSession settles client identifier and session expiry.
func (o *options) finishSession() error {
	named := o.id != ""
	if o.version != mqtt.V5 {
		if !o.clean && !named {
			return errors.New("-c needs a client id (-i)")
		}
	} else {
		if !o.clean && o.expiry < 0 {
			o.expiry = sessionForever
		}
		if o.expiry == sessionForever && !named {
			return errors.New("a session that never expires needs a client id (-i)")
		}
		if o.expiry > 0 {
			o.connect.SessionExpiry = uint32(o.expiry)
			o.connect.Mark(mqtt.PropSessionExpiry)
		}
		// The receive maximum keeps the broker from sending more than -C asks for; 20 is what it is without.
		if o.count > 0 && o.count < 20 && !o.connect.Has(mqtt.PropReceiveMaximum) {
			o.connect.ReceiveMaximum = uint16(o.count)
			o.connect.Mark(mqtt.PropReceiveMaximum)
		}
	}
	switch {
	case o.idPrefix != "":
		o.id = o.idPrefix + strconv.Itoa(os.Getpid())
	case o.id == "" && o.version == mqtt.V31:
		o.id = fmt.Sprintf("midge-%s-%d", o.program, os.Getpid()) // 3.1 wants 1 to 23 characters
	}
	return nil
}

func (o *options) finishAddress() {
	o.host = cmp.Or(o.host, "localhost")
	if o.port < 0 {
		o.port = 1883
		if o.tls.cafile != "" || o.tls.capath != "" {
			o.port = 8883
		}
	}
	o.tls.on = o.socket == "" && (o.tls.on || o.tls.cafile != "" || o.tls.capath != "" || o.tls.osCerts || o.port == 8883)
}

func (o *options) finishWill() {
	if o.willTopic == "" {
		return
	}
	o.will = &mqtt.Will{Topic: o.willTopic, QoS: o.willQoS, Retain: o.willRetain, Props: present(&o.willProps)}
	if o.willPayload != nil {
		o.will.Payload = []byte(*o.willPayload)
	}
}

// present is nil for an empty set.
func present(p *mqtt.Properties) *mqtt.Properties {
	if p.Present == 0 {
		return nil
	}
	return p
}

// connectPacket is the CONNECT that the options ask for.
func (o *options) connectPacket() *mqtt.Connect {
	p := &mqtt.Connect{Version: o.version, CleanStart: o.clean, KeepAlive: uint16(o.keepAlive / time.Second),
		ClientID: o.id, Will: o.will, Props: present(&o.connect)}
	if o.username != nil {
		p.HasUsername, p.Username = true, *o.username
	}
	if o.password != nil {
		p.HasPassword, p.Password = true, []byte(*o.password)
	}
	return p
}
