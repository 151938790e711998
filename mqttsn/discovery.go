package mqttsn

import "fmt"

// Advertise is broadcast by a gateway at regular times (§5.4.1).
type Advertise struct {
	GwID     uint8
	Duration uint16 // seconds until the next one
}

func parseAdvertise(body []byte) (Advertise, error) {
	if err := exactly(body, 3); err != nil {
		return Advertise{}, err
	}
	return Advertise{GwID: body[0], Duration: get16(body[1:])}, nil
}

// Type returns TypeAdvertise.
func (Advertise) Type() Type { return TypeAdvertise }

// Append appends 5 octets.
func (p Advertise) Append(b []byte) []byte {
	b, _ = appendHeader(b, TypeAdvertise, 3)
	return put16(append(b, p.GwID), p.Duration)
}

func (p Advertise) String() string {
	return fmt.Sprintf("ADVERTISE gwid=%d duration=%d", p.GwID, p.Duration)
}

// SearchGw is broadcast by a client that looks for a gateway (§5.4.2).
type SearchGw struct {
	Radius uint8 // broadcast radius in hops, 0 = the whole network
}

func parseSearchGw(body []byte) (SearchGw, error) {
	if err := exactly(body, 1); err != nil {
		return SearchGw{}, err
	}
	return SearchGw{Radius: body[0]}, nil
}

// Type returns TypeSearchGw.
func (SearchGw) Type() Type { return TypeSearchGw }

// Append appends 3 octets.
func (p SearchGw) Append(b []byte) []byte {
	b, _ = appendHeader(b, TypeSearchGw, 1)
	return append(b, p.Radius)
}

func (p SearchGw) String() string { return fmt.Sprintf("SEARCHGW radius=%d", p.Radius) }

// GwInfo answers SEARCHGW (§5.4.3).
type GwInfo struct {
	GwID  uint8
	GwAdd []byte // the gateway's address; only when a client answers for it
}

func parseGwInfo(body []byte) (GwInfo, error) {
	if err := atLeast(body, 1); err != nil {
		return GwInfo{}, err
	}
	return GwInfo{GwID: body[0], GwAdd: rest(body[1:])}, nil
}

// Type returns TypeGwInfo.
func (GwInfo) Type() Type { return TypeGwInfo }

// Append appends the message.
func (p GwInfo) Append(b []byte) []byte {
	b, ok := appendHeader(b, TypeGwInfo, 1+len(p.GwAdd))
	if !ok {
		return b
	}
	return append(append(b, p.GwID), p.GwAdd...)
}

func (p GwInfo) String() string {
	if len(p.GwAdd) == 0 {
		return fmt.Sprintf("GWINFO gwid=%d", p.GwID)
	}
	return fmt.Sprintf("GWINFO gwid=%d addr=%x", p.GwID, p.GwAdd)
}
