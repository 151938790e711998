package modem

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"midge/transports"
	"midge/transports/serial"
	"midge/transports/xbee"
)

// What a Config leaves at zero.
const (
	npDefault    = 84
	npDefault15  = 100
	pollDefault  = 5 * time.Second // for which a parent keeps a frame for a sleeping node
	bufferMost   = 16
	firstNode    = 0x0013A200_40000000 // where the addresses of nodes begin
	coordinator  = 0x0013A200_41000000 // the modem's own
	firstShort   = 0x1000
	hears        = 60 // dBm below zero: how well nodes are heard
	statusFailed = 2  // of an AT response: no such command
)

// Config is how the radio is set and what its network does. The zero value of a field means its default.
type Config struct {
	AP      int    // API mode; 0 means 2
	Dumb    bool   // transparent mode: AP=0
	Mute    bool   // it answers nothing
	Network string // "zigbee" (also for "") or "802.15.4"
	AO      int    // 1: explicit frames (0x91)
	NP      int    // longest payload, default 84 (ZigBee) or 100 (802.15.4)
	AI      byte   // not 0: it has not joined a network

	Baud    int           // of FromStream and OnPty, 0 = no pace
	Seed    uint64        // decides the loss
	Loss    float64       // probability that a unicast frame to a node is lost, which the modem reports
	Delay   time.Duration // from a frame to its report
	Poll    time.Duration // how long a frame waits for a sleeping node; default 5 s
	Buffers int           // frames that it has at once; default 16
	// Status is what becomes of a frame to a node, 0 = delivered. nil delivers all.
	Status func(node transports.Addr, data []byte) (status byte)
}

// Addr is the address of node n, counted from 0.
func Addr(n int) transports.Addr { return xbee.LongAddr(firstNode + uint64(n)) }

// A Modem is a simulated radio with its network as a transports.Link, seen from the nodes: a frame that is written comes from the node of its Addr (zero is node 0) and
// goes to the modem's host; a frame that is read is one that the host has sent to that node.
type Modem struct {
	*serial.Link
	m     *machine
	inbox *inbox
}

// OnPty makes a modem behind a pseudo-terminal; path is what the host opens as a serial port.
func OnPty(c Config) (m *Modem, path string, err error) {
	m = &Modem{inbox: newInbox()}
	m.Link, path, err = serial.OnPty(serial.Config{Baud: c.Baud, Protocol: m.protocol(c)})
	if err != nil {
		return nil, "", err
	}
	go m.inbox.read(m.Link)
	return m, path, nil
}

// A Machine is the radio without a port: a serial.Machine whose frames are those of its nodes.
type Machine interface {
	serial.Machine
	// Reset restarts the radio, as Modem.Reset does.
	Reset(torn int)
}

// NewMachine makes a radio for a simulation that carries the octets itself. Next gives what its nodes hear, and late is called from Send with what a sleeping
// node is given when it says something.
func NewMachine(c Config, late func(transports.Frame)) Machine {
	return newMachine(c, transports.NewCounters(reasons...), late)
}

// ReadFrames waits until nodes have heard something.
func (m *Modem) ReadFrames(frames []transports.Frame) (n int, err error) { return m.inbox.take(frames) }

// Close switches the modem off.
func (m *Modem) Close() error {
	err := m.Link.Close()
	<-m.inbox.ended
	return err
}

func (m *Modem) protocol(c Config) serial.Protocol {
	return serial.Protocol{
		New: func(counters *transports.Counters) serial.Machine {
			m.m = newMachine(c, counters, m.inbox.put)
			return m.m
		},
		Reasons: reasons,
	}
}

var reasons = []string{transports.ReasonNoAck, transports.ReasonNoRoute, transports.ReasonNotPolled, transports.ReasonNoBuffer, transports.ReasonRadioReset, transports.ReasonNotSent}

// Reset restarts the modem: it forgets what it has, breaks off what it is writing after torn octets, and reports 0x8A.
func (m *Modem) Reset(torn int) {
	m.do(func(s *machine) { s.reset(torn) })
}

// Leave and Join take the modem out of its network and back.
func (m *Modem) Leave() { m.do(func(s *machine) { s.cfg.AI = 0xFF; s.modem(xbee.ModemLeft) }) }

// Join is the end of Leave.
func (m *Modem) Join() { m.do(func(s *machine) { s.cfg.AI = 0; s.modem(xbee.ModemJoined) }) }

// Sleep says that a node sleeps: it gets what is sent to it when it sends something itself, or never if that takes longer than Config.Poll.
func (m *Modem) Sleep(node transports.Addr) {
	m.do(func(s *machine) { s.node(node).asleep = true })
}

// Set changes what follows from Config.
func (m *Modem) Set(change func(*Config)) { m.do(func(s *machine) { change(&s.cfg) }) }

func (m *Modem) do(f func(*machine)) {
	m.m.mu.Lock()
	f(m.m)
	m.m.mu.Unlock()
	m.WriteFrames(nil) // the line looks whether there is something to write
}

// node is a station of the network.
type node struct {
	long   uint64
	short  uint16
	asleep bool
}

// parcel is a frame of the host on its way.
type parcel struct {
	id     byte
	to     *node // nil: everyone, or nobody
	status byte
	at     time.Time // when it is reported
	data   []byte    // for a sleeping node that may still ask for it
}

// machine is the modem as a serial.Machine.
type machine struct {
	mu       sync.Mutex
	cfg      Config
	counters *transports.Counters
	rng      *rand.Rand

	now      time.Time
	parser   xbee.Parser
	text     []byte // transparent mode: what came since the last answer
	nodes    map[uint64]*node
	waiting  []parcel
	heard    []transports.Frame     // by nodes
	late     func(transports.Frame) // takes what a node asks for that slept
	octets   [][]byte               // to be written, whole API frames, with what counts for each
	messages []int
}

func newMachine(c Config, counters *transports.Counters, late func(transports.Frame)) *machine {
	m := &machine{cfg: c, counters: counters, late: late, rng: rand.New(rand.NewPCG(c.Seed, 0)), nodes: map[uint64]*node{}}
	m.End()
	return m
}

func (m *machine) fifteen() bool { return m.cfg.Network == "802.15.4" }

func (m *machine) np() int {
	switch {
	case m.cfg.NP > 0:
		return m.cfg.NP
	case m.fifteen():
		return npDefault15
	}
	return npDefault
}

func (m *machine) ap() int {
	switch {
	case m.cfg.Dumb:
		return 0
	case m.cfg.AP == 1:
		return 1
	}
	return 2
}

// node returns the station of an address, which it has from now on.
func (m *machine) node(a transports.Addr) *node {
	long := uint64(firstNode)
	if b := a.Bytes(); len(b) == 8 {
		long = binary.BigEndian.Uint64(b)
	}
	n := m.nodes[long]
	if n == nil {
		n = &node{long: long, short: firstShort + uint16(len(m.nodes))}
		m.nodes[long] = n
	}
	return n
}

// Begin is for serial.Machine.
func (m *machine) Begin(time.Time) {}

// End is for serial.Machine.
func (m *machine) End() (queued int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parser = xbee.NewParser(m.ap() == 2, 50*time.Millisecond)
	queued = len(m.octets)
	m.text, m.waiting, m.heard, m.octets, m.messages = nil, nil, nil, nil, nil
	return queued
}

// Reset is Modem.Reset.
func (m *machine) Reset(torn int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset(torn)
}

func (m *machine) reset(torn int) {
	m.counters.Count(transports.ReasonRadioReset, uint64(len(m.waiting)))
	m.waiting = nil
	var rest []byte
	if torn > 0 && len(m.octets) > 0 {
		rest = m.octets[0][:min(torn, len(m.octets[0]))]
	}
	m.octets, m.messages = nil, nil
	if rest != nil {
		m.octets, m.messages = [][]byte{rest}, []int{0}
	}
	m.parser = xbee.NewParser(m.ap() == 2, 50*time.Millisecond)
	m.modem(xbee.ModemReset)
}

func (m *machine) modem(status byte) { m.frame(0, xbee.TypeModemStatus, status) }

// frame puts an API frame in line.
func (m *machine) frame(message int, data ...byte) {
	if m.cfg.Dumb || m.cfg.Mute {
		return
	}
	m.octets = append(m.octets, xbee.AppendFrame(nil, data, m.ap() == 2))
	m.messages = append(m.messages, message)
}

// Partial is for serial.Machine.
func (m *machine) Partial() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parser.Partial()
}

// Output is for serial.Machine.
func (m *machine) Output(now time.Time, dst []byte) (encoded []byte, message int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.report(now)
	if len(m.octets) == 0 {
		return dst, 0, false
	}
	dst, message = append(dst, m.octets[0]...), m.messages[0]
	m.octets, m.messages = m.octets[1:], m.messages[1:]
	return dst, message, true
}

// Deadline is for serial.Machine.
func (m *machine) Deadline() (at time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.octets) > 0 {
		return time.Time{}, true
	}
	for _, p := range m.waiting {
		if !ok || p.at.Before(at) {
			at, ok = p.at, true
		}
	}
	return at, ok
}

// Flush is for serial.Machine.
func (m *machine) Flush() {}

// Down is for serial.Machine.
func (m *machine) Down() string { return "" }

// MTU is for serial.Machine.
func (m *machine) MTU() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.np()
}

// FormatAddr is for serial.Machine.
func (m *machine) FormatAddr(a transports.Addr) string { return xbee.FormatAddr(a) }
