package fleet

import (
	"container/heap"
	"encoding/binary"
	"time"

	"midge/mqttsn"
	"midge/mqttsn/client"
	"midge/transports"
)

// station is a device and its way to the gateway.
type station struct {
	*device
	link transports.Link
	node []byte          // WirelessNodeId of its envelope; nil = it is alone on the link and needs none
	addr transports.Addr // on a line with addresses

	at    time.Time // deadline in the heap
	place int       // in the heap, -1 = not there
}

// nodeIDSize is the length of a WirelessNodeId in octets, envelopeSize that of the whole envelope.
const (
	nodeIDSize   = 2
	envelopeSize = 3 + nodeIDSize
)

func nodeID(device int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(device)) }

// outbox is room that all stations share when they send, one after the other.
type outbox struct {
	frames []client.Frame
	batch  []transports.Frame
	bytes  []byte
}

// send gives what the device has to say to its link.
func (s *station) send(o *outbox) {
	o.frames = s.c.Output(o.frames[:0])
	if len(o.frames) == 0 {
		return
	}
	o.batch, o.bytes = o.batch[:0], o.bytes[:0]
	for _, f := range o.frames {
		data := f.Data
		if s.node != nil {
			from := len(o.bytes)
			o.bytes = mqttsn.Encapsulated{NodeID: s.node}.Append(o.bytes, f.Data)
			data = o.bytes[from:len(o.bytes):len(o.bytes)]
		}
		o.batch = append(o.batch, transports.Frame{Addr: s.addr, Data: data, Broadcast: f.Broadcast, Radius: f.Radius})
	}
	s.link.WriteFrames(o.batch)
}

// dues is a heap of stations by deadline.
type dues []*station

func (h dues) Len() int           { return len(h) }
func (h dues) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dues) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }

// Push is for container/heap.
func (h *dues) Push(x any) {
	s := x.(*station)
	s.place = len(*h)
	*h = append(*h, s)
}

// Pop is for container/heap.
func (h *dues) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.place = -1
	return s
}

// schedule puts a station where its deadline belongs.
func (h *dues) schedule(s *station) {
	at, ok := s.deadline()
	switch {
	case !ok && s.place >= 0:
		heap.Remove(h, s.place)
	case !ok:
	case s.place < 0:
		s.at = at
		heap.Push(h, s)
	case !at.Equal(s.at):
		s.at = at
		heap.Fix(h, s.place)
	}
}
