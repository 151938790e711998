package mqttsn

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"midge/internal/peertest"
)

// generated are packets of all types with random fields, always the same for a seed.
func generated(n int) (list []Packet) {
	rng := rand.New(rand.NewPCG(1, 2))
	for len(list) < n {
		list = append(list, randomPacket(rng, Type(rng.IntN(NumTypes))))
	}
	return list
}

func randomPacket(rng *rand.Rand, t Type) Packet {
	u8 := func() uint8 { return uint8(rng.Uint32()) }
	u16 := func() uint16 { return uint16(rng.Uint32()) }
	flip := func() bool { return rng.IntN(2) == 0 }
	data := func() []byte {
		sizes := [...]int{0, 1, 2, 20, 240, 250, 260, 900}
		b := make([]byte, rng.IntN(sizes[rng.IntN(len(sizes))]+1))
		for i := range b {
			b[i] = u8()
		}
		return rest(b)
	}
	text := func() string { return string(bytes.ToValidUTF8(data(), []byte("ü"))) }
	qos := func(least int) QoS { return QoS(least + rng.IntN(3-least)) }
	code := func() ReturnCode { return ReturnCode(rng.IntN(4)) }
	topicIDType := func() TopicIDType { return TopicIDType(rng.IntN(3)) }
	will := func() WillTopic { return WillTopic{QoS: qos(0), Retain: flip(), Topic: text()} }
	filter := func() Unsubscribe {
		u := Unsubscribe{TopicIDType: topicIDType(), MsgID: u16()}
		if u.TopicIDType == Normal {
			u.TopicName = text() + "/x"
		} else {
			u.TopicID = u16()
		}
		return u
	}
	switch t {
	case TypeSearchGw:
		return SearchGw{u8()}
	case TypeGwInfo:
		return GwInfo{u8(), data()}
	case TypeConnect:
		return Connect{Will: flip(), CleanSession: flip(), ProtocolID: 1, Duration: u16(), ClientID: text()}
	case TypeConnack:
		return Connack{code()}
	case TypeWillTopicReq:
		return WillTopicReq{}
	case TypeWillTopic:
		return will()
	case TypeWillMsgReq:
		return WillMsgReq{}
	case TypeWillMsg:
		return WillMsg{data()}
	case TypeRegister:
		return Register{u16(), u16(), text()}
	case TypeRegack:
		return Regack{u16(), u16(), code()}
	case TypePublish:
		return Publish{Dup: flip(), Retain: flip(), QoS: qos(-1), TopicIDType: topicIDType(), TopicID: u16(), MsgID: u16(), Data: data()}
	case TypePuback:
		return Puback{u16(), u16(), code()}
	case TypePubcomp:
		return Pubcomp{u16()}
	case TypePubrec:
		return Pubrec{u16()}
	case TypePubrel:
		return Pubrel{u16()}
	case TypeSubscribe:
		u := filter()
		return Subscribe{Dup: flip(), QoS: qos(0), TopicIDType: u.TopicIDType, MsgID: u.MsgID, TopicID: u.TopicID, TopicName: u.TopicName}
	case TypeSuback:
		return Suback{qos(0), u16(), u16(), code()}
	case TypeUnsubscribe:
		return filter()
	case TypeUnsuback:
		return Unsuback{u16()}
	case TypePingreq:
		return Pingreq{text()}
	case TypePingresp:
		return Pingresp{}
	case TypeDisconnect:
		if flip() {
			return Disconnect{}
		}
		return Disconnect{true, u16()}
	case TypeWillTopicUpd:
		return WillTopicUpd(will())
	case TypeWillTopicResp:
		return WillTopicResp{code()}
	case TypeWillMsgUpd:
		return WillMsgUpd{data()}
	case TypeWillMsgResp:
		return WillMsgResp{code()}
	}
	return Advertise{u8(), u16()} // and for the types that have no message
}

// scapyLayer is a packet in the words of scapy.contrib.mqttsn: the name of its layer, and its fields; text and octets are in hexadecimal.
func scapyLayer(p Packet) (layer string, fields map[string]any) {
	hexOf := func(s string) string { return hex.EncodeToString([]byte(s)) }
	flags := func(dup bool, qos QoS, retain, will, clean bool, t TopicIDType, f map[string]any) map[string]any {
		bit := map[bool]int{true: 1}
		f["dup"], f["qos"], f["retain"], f["will"], f["cleansess"], f["tid_type"] = bit[dup], int(qos&3), bit[retain], bit[will], bit[clean], int(t)
		return f
	}
	filter := func(u Unsubscribe, f map[string]any) map[string]any {
		f["mid"] = u.MsgID
		switch u.TopicIDType {
		case Predefined:
			f["tid"] = u.TopicID
		case Short:
			f["short_topic"] = hexOf(ShortName(u.TopicID))
		default:
			f["topic_name"] = hexOf(u.TopicName)
		}
		return f
	}
	type m = map[string]any
	switch p := p.(type) {
	case Advertise:
		return "Advertise", m{"gw_id": p.GwID, "duration": p.Duration}
	case SearchGw:
		return "SearchGW", m{"radius": p.Radius}
	case GwInfo:
		return "GwInfo", m{"gw_id": p.GwID, "gw_addr": hexOf(string(p.GwAdd))}
	case Connect:
		return "Connect", flags(false, 0, false, p.Will, p.CleanSession, 0, m{"prot_id": p.ProtocolID, "duration": p.Duration, "client_id": hexOf(p.ClientID)})
	case Connack:
		return "Connack", m{"return_code": p.Code}
	case WillTopicReq:
		return "WillTopicReq", m{}
	case WillTopic:
		return "WillTopic", flags(false, p.QoS, p.Retain, false, false, 0, m{"will_topic": hexOf(p.Topic)})
	case WillMsgReq:
		return "WillMsgReq", m{}
	case WillMsg:
		return "WillMsg", m{"will_msg": hexOf(string(p.Data))}
	case Register:
		return "Register", m{"tid": p.TopicID, "mid": p.MsgID, "topic_name": hexOf(p.TopicName)}
	case Regack:
		return "Regack", m{"tid": p.TopicID, "mid": p.MsgID, "return_code": p.Code}
	case Publish:
		return "Publish", flags(p.Dup, p.QoS, p.Retain, false, false, p.TopicIDType, m{"tid": p.TopicID, "mid": p.MsgID, "data": hexOf(string(p.Data))})
	case Puback:
		return "Puback", m{"tid": p.TopicID, "mid": p.MsgID, "return_code": p.Code}
	case Pubcomp:
		return "Pubcomp", m{"mid": p.MsgID}
	case Pubrec:
		return "Pubrec", m{"mid": p.MsgID}
	case Pubrel:
		return "Pubrel", m{"mid": p.MsgID}
	case Subscribe:
		return "Subscribe", flags(p.Dup, p.QoS, false, false, false, p.TopicIDType, filter(p.unsubscribe(), m{}))
	case Suback:
		return "Suback", flags(false, p.QoS, false, false, false, 0, m{"tid": p.TopicID, "mid": p.MsgID, "return_code": p.Code})
	case Unsubscribe:
		return "Unsubscribe", flags(false, 0, false, false, false, p.TopicIDType, filter(p, m{}))
	case Unsuback:
		return "Unsuback", m{"mid": p.MsgID}
	case Pingreq:
		return "PingReq", m{"client_id": hexOf(p.ClientID)}
	case Pingresp:
		return "PingResp", m{}
	case Disconnect:
		if p.HasDuration {
			return "Disconnect", m{"duration": p.Duration}
		}
		return "Disconnect", m{}
	case WillTopicUpd:
		return "WillTopicUpd", flags(false, p.QoS, p.Retain, false, false, 0, m{"will_topic": hexOf(p.Topic)})
	case WillTopicResp:
		return "WillTopicResp", m{"return_code": p.Code}
	case WillMsgUpd:
		return "WillMsgUpd", m{"will_msg": hexOf(string(p.Data))}
	case WillMsgResp:
		return "WillMsgResp", m{"return_code": p.Code}
	}
	return "", nil
}

// judge reads lines of [octets, layer, fields], has scapy take the octets apart and build them from the fields, and prints a line for each difference.
const judge = `
import json, sys
import scapy.contrib.mqttsn as sn
def plain(v):
    return v.hex() if isinstance(v, bytes) else v
n = 0
for line in sys.stdin:
    octets, layer, fields = json.loads(line)
    raw, cls = bytes.fromhex(octets), getattr(sn, "MQTTSN" + layer)
    n += 1
    p = sn.MQTTSN(raw)
    if p.len != len(raw):
        print(octets, "has a length of", p.len, "for scapy")
    if not fields and p.type in (0x06, 0x08, 0x17, 0x18) and len(raw) == 2:
        pass  # scapy makes no layer of nothing
    else:
        got = {k: plain(p.payload.getfieldval(k)) for k in fields} if isinstance(p.payload, cls) else type(p.payload).__name__
        if got != fields:
            if not (type(p.payload).__name__ == "NoPayload" and all(v == "" for v in fields.values())):
                print(octets, "is", got, "for scapy, not", fields)
    text = ("gw_addr", "client_id", "will_topic", "will_msg", "topic_name", "data", "short_topic")
    if layer == "Disconnect" and not fields:
        continue  # scapy 2.5 builds it with a duration that its length leaves out
    built = bytes(sn.MQTTSN(type=raw[1] if raw[0] != 1 else raw[3]) / cls(**{k: bytes.fromhex(v) if k in text else v for k, v in fields.items()}))
    if built != raw:
        print(octets, "is built by scapy as", built.hex(), "from", fields)
print("judged", n)
`

// TestScapyReadsAndBuildsTheSame: scapy, which shares nothing with us, takes generated packets apart into the same fields, and builds the same octets from them.
func TestScapyReadsAndBuildsTheSame(t *testing.T) {
	python := scapyPython()
	if python == "" {
		peertest.Cannot(t, "no Python here has scapy with its MQTT-SN layer (Debian: python3-scapy)")
	}
	const packets = 3000
	var in bytes.Buffer
	for _, p := range generated(packets) {
		layer, fields := scapyLayer(p)
		line, err := json.Marshal([]any{hex.EncodeToString(p.Append(nil)), layer, fields})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command(python, "-c", judge)
	cmd.Stdin = &in
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scapy judges: %v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := len(lines) - 1
	for _, line := range lines[:min(last, 10)] {
		t.Error(line)
	}
	if want := fmt.Sprint("judged ", packets); lines[last] != want || last > 0 {
		t.Errorf("scapy agrees on all %d packets: it ends with %q after %d differences", packets, lines[last], last)
	}
}

// scapyPython is a Python that has the layer, "" for none.
func scapyPython() string {
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import scapy.contrib.mqttsn").Run() == nil {
			return python
		}
	}
	return ""
}

// TestGeneratedRoundTrip: what the cross-checks look at is what our own decoder reads.
func TestGeneratedRoundTrip(t *testing.T) {
	seen := map[Type]bool{}
	for _, p := range generated(3000) {
		b := p.Append(nil)
		got, err := Decode(b)
		if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", p) {
			t.Fatalf("%#v is read as %#v, %v", p, got, err)
		}
		seen[p.Type()] = true
	}
	for typ, name := range typeNames {
		if name != "" && Type(typ) != TypeAuth && !seen[Type(typ)] {
			t.Errorf("%s is among the generated", name)
		}
	}
}
