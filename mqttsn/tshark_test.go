package mqttsn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"midge/internal/peertest"
)

// An implementation that shares nothing with ours reads every message as we mean it.
func TestTsharkReadsEveryMessage(t *testing.T) {
	peertest.Need(t, "tshark")
	var want []Packet
	var frames [][]byte
	for _, r := range rows {
		want, frames = append(want, r.value), append(frames, r.bytes(t))
	}
	big := Publish{QoS: 1, TopicID: 0x12, MsgID: 7, Data: make([]byte, 1000)}
	want, frames = append(want, big), append(frames, big.Append(nil))
	for _, p := range generated(3000) {
		want, frames = append(want, p), append(frames, p.Append(nil))
	}

	path := filepath.Join(t.TempDir(), "rows.pcap")
	if err := os.WriteFile(path, pcap(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-n", "-r", path, "-d", "udp.port==1883,mqttsn", "-T", "fields", "-E", "separator=|",
		"-e", "mqttsn.msg.len", "-e", "mqttsn.msg.type", "-e", "mqttsn.msg.id", "-e", "_ws.malformed", "-e", "_ws.expert.message").Output()
	if err != nil {
		t.Fatalf("tshark reads the capture: %v", err)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("tshark sees %d frames, got %d", len(want), len(lines))
	}
	for i, p := range want {
		id := ""
		if m, ok := msgID(p); ok {
			id = fmt.Sprint(m)
		}
		w := fmt.Sprintf("%d|0x%02x|%s|", len(frames[i]), uint8(p.Type()), id)
		nul := bytes.IndexByte(frames[i][2:], 0) >= 0 // it takes octets for text, and complains about what follows a NUL
		if got, complaint, _ := strings.Cut(lines[i], w); got != "" || complaint != "|" && !dissectorErrs(p) && !(nul && complaint == "|Trailing stray characters") {
			t.Errorf("tshark reads %s as %q without complaint, got %q", p, w, lines[i])
		}
	}
}

// dissectorErrs tells the two places where Wireshark 4.0 complains although §5.4 allows the message: it demands flags in a
// WILLTOPIC or WILLTOPICUPD without body, and takes a predefined id for characters of a name.
func dissectorErrs(p Packet) bool {
	switch p := p.(type) {
	case WillTopic:
		return p.Empty
	case WillTopicUpd:
		return p.Empty
	case Subscribe:
		return p.TopicIDType == Predefined
	case Unsubscribe:
		return p.TopicIDType == Predefined
	}
	return false
}

// msgID is the packet's MsgId, if its type has one.
func msgID(p Packet) (uint16, bool) {
	switch p := p.(type) {
	case Register:
		return p.MsgID, true
	case Regack:
		return p.MsgID, true
	case Publish:
		return p.MsgID, true
	case Puback:
		return p.MsgID, true
	case Pubrec:
		return p.MsgID, true
	case Pubrel:
		return p.MsgID, true
	case Pubcomp:
		return p.MsgID, true
	case Subscribe:
		return p.MsgID, true
	case Suback:
		return p.MsgID, true
	case Unsubscribe:
		return p.MsgID, true
	case Unsuback:
		return p.MsgID, true
	}
	return 0, false
}

// pcap is a capture of raw IPv4 packets (link type 101), each one datagram from and to UDP port 1883.
func pcap(frames [][]byte) []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xA1B2C3D4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 0xFFFF), 101)
	for i, f := range frames {
		n := uint32(28 + len(f))
		b = le.AppendUint32(le.AppendUint32(b, uint32(i)), 0)
		b = le.AppendUint32(le.AppendUint32(b, n), n)
		b = be.AppendUint16(append(b, 0x45, 0), uint16(n))
		b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
		b = be.AppendUint16(be.AppendUint16(b, 1883), 1883)
		b = be.AppendUint16(be.AppendUint16(b, uint16(8+len(f))), 0)
		b = append(b, f...)
	}
	return b
}
