package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"

	"midge/broker/mqtt"
	"midge/broker/topic"
	"midge/transports"
)

// Names of the notes that the gateway keeps with a client's session: one for the client, and one for each topic id, whose name is topicNote and the id in
// two octets, high octet first.
const (
	clientNote = "sn"
	topicNote  = "t"
)

// noteVersion is the first octet of every note. A change of the encoding takes the next number, and the old one stays readable.
const noteVersion = 1

// record is what has to be found again of a client after a restart.
type record struct {
	link      string // name
	peer      peer
	state     State // Disconnected, Lost, Active or Asleep
	clean     bool
	receives  bool
	displaced bool
	keepAlive uint16
	sleep     uint16
	doubts    uint32 // see client.doubts
	will      *will
	user      string
}

// Flags of a record.
const (
	noteClean     = 1 << iota // CleanSession
	noteReceives              // it may have subscriptions
	noteDisplaced             // its address is another client's now
	noteWrapped               // it is behind a forwarder: a node id follows the address
	noteWill                  // the will follows
	noteUser                  // the user name follows at the end
)

// noteStates are the states that a record can have, by the number that stands for them.
var noteStates = [...]State{Disconnected, Lost, Active, Asleep}

// record is c as it is to be found again. Awake is kept as asleep: nothing that a device relies on depends on the difference, and so a wake costs no write.
func (c *client) record() record {
	r := record{peer: c.peer, state: c.state, clean: c.clean, receives: c.receives, displaced: c.displaced,
		keepAlive: c.keepAlive, sleep: c.sleep, doubts: c.doubts, will: c.will, user: c.user}
	if l := c.link.Load(); l != nil {
		r.link = l.name
	}
	if r.state == Awake {
		r.state = Asleep
	}
	return r
}

// append appends r in this order: version, flags, state (an octet each); keep-alive, sleep duration, doubts (varints); name of the link, address, node
// id if there is a forwarder (length as a varint, octets); of a will QoS with 4 for retain (an octet), topic, payload (length, octets); and the user name (length, octets).
func (r *record) append(b []byte) []byte {
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{r.user != "", noteUser}, {r.clean, noteClean}, {r.receives, noteReceives}, {r.displaced, noteDisplaced}, {r.peer.wrapped, noteWrapped}, {r.will != nil, noteWill}} {
		if f.set {
			flags |= f.bit
		}
	}
	var state byte
	for i, s := range noteStates {
		if s == r.state {
			state = byte(i)
		}
	}
	b = append(b, noteVersion, flags, state)
	b = binary.AppendUvarint(b, uint64(r.keepAlive))
	b = binary.AppendUvarint(b, uint64(r.sleep))
	b = binary.AppendUvarint(b, uint64(r.doubts))
	b = appendText(b, r.link)
	b = appendText(b, r.peer.addr.Bytes())
	if r.peer.wrapped {
		b = appendText(b, r.peer.node)
	}
	if w := r.will; w != nil {
		qos := byte(w.qos)
		if w.retain {
			qos |= 4
		}
		b = append(b, qos)
		b = appendText(b, w.topic)
		b = appendText(b, w.payload)
	}
	if r.user != "" {
		b = appendText(b, r.user)
	}
	return b
}

// parseRecord reads what append has written. Any octets give a record or an error. Nothing of b is kept.
func parseRecord(b []byte) (record, error) {
	n := noteReader{b: b}
	n.version()
	flags := n.octet()
	r := record{clean: flags&noteClean != 0, receives: flags&noteReceives != 0, displaced: flags&noteDisplaced != 0}
	if s := n.octet(); int(s) < len(noteStates) {
		r.state = noteStates[s]
	} else {
		n.fail("state %d is not known", s)
	}
	r.keepAlive, r.sleep = uint16(n.number(0xFFFF)), uint16(n.number(0xFFFF))
	r.doubts = uint32(n.number(0xFFFFFFFF))
	r.link = string(n.text())
	r.peer.addr = transports.MakeAddr(n.text())
	if r.peer.wrapped = flags&noteWrapped != 0; r.peer.wrapped {
		r.peer.node = string(n.text())
	}
	if flags&noteWill != 0 {
		r.will = n.will()
	}
	if flags&noteUser != 0 {
		r.user = string(n.text())
	}
	if flags >= noteUser<<1 {
		n.fail("flags %#x are not known", flags)
	}
	return r, n.end()
}

// topicRecord is what has to be found again of one topic id.
type topicRecord struct {
	name  string
	known uint64 // 1 and the client.doubts since which the client knows the id, which counts until the next doubt; 0 = it may not know it
}

// append appends version (an octet), known (a varint), name (the rest).
func (r topicRecord) append(b []byte) []byte {
	return append(binary.AppendUvarint(append(b, noteVersion), r.known), r.name...)
}

// parseTopicRecord reads what append has written.
func parseTopicRecord(b []byte) (topicRecord, error) {
	n := noteReader{b: b}
	n.version()
	r := topicRecord{known: n.number(1 << 32), name: string(n.b)}
	if topic.ValidName(r.name) != nil {
		n.fail("%q is no topic name", r.name)
	}
	n.b = nil
	return r, n.end()
}

// topicNoteName is the name of the note for a topic id.
func topicNoteName(id uint16) string {
	return string(binary.BigEndian.AppendUint16([]byte(topicNote), id))
}

// topicNoteID is the id in the name of a note; ok is false when the note is not one for a topic id.
func topicNoteID(name string) (id uint16, ok bool) {
	if len(name) != len(topicNote)+2 || name[:len(topicNote)] != topicNote {
		return 0, false
	}
	return binary.BigEndian.Uint16([]byte(name[len(topicNote):])), true
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// noteReader takes a note apart. After the first fault everything reads as zero.
type noteReader struct {
	b   []byte
	err error
}

func (n *noteReader) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf(format, args...)
	}
	n.b = nil
}

var errNoteEnds = errors.New("it ends too early")

// version reads the version, which must be ours.
func (n *noteReader) version() {
	if v := n.octet(); n.err == nil && v != noteVersion {
		n.fail("its version is %d, not %d", v, noteVersion)
	}
}

func (n *noteReader) octet() byte {
	if len(n.b) == 0 {
		n.fail("%w", errNoteEnds)
		return 0
	}
	v := n.b[0]
	n.b = n.b[1:]
	return v
}

func (n *noteReader) number(most uint64) uint64 {
	v, size := binary.Uvarint(n.b)
	switch {
	case size <= 0:
		n.fail("%w", errNoteEnds)
		return 0
	case v > most:
		n.fail("%d is larger than %d", v, most)
		return 0
	}
	n.b = n.b[size:]
	return v
}

// text reads a length and as many octets, which are the note's own.
func (n *noteReader) text() []byte {
	size := n.number(1 << 20)
	if uint64(len(n.b)) < size {
		n.fail("%w", errNoteEnds)
		return nil
	}
	s := n.b[:size]
	n.b = n.b[size:]
	return s
}

func (n *noteReader) will() *will {
	qos := n.octet()
	w := &will{qos: mqtt.QoS(qos & 3), retain: qos&4 != 0, topic: string(n.text())}
	w.payload = append(w.payload, n.text()...)
	if n.err == nil && (qos > 7 || w.qos > mqtt.ExactlyOnce || topic.ValidName(w.topic) != nil) {
		n.fail("its will has QoS %d and topic %q", w.qos, w.topic)
	}
	return w
}

// end is the error of the whole note.
func (n *noteReader) end() error {
	if n.err == nil && len(n.b) > 0 {
		n.fail("%d octets follow its end", len(n.b))
	}
	return n.err
}
