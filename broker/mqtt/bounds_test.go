package mqtt

import (
	"bytes"
	"math"
	"runtime"
	"testing"
)

// allocated is how many octets f allocates: the least of a few runs, as the runtime counts its own and other goroutines' allocations too.
func allocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// No decoder allocates more than its input justifies: at most 16 times its octets, and a constant.
func TestAllocationIsBoundedByTheInput(t *testing.T) {
	const constant = 4096
	many := func(unit string, n int) []byte { return bytes.Repeat(fields(t, unit), n) }
	block := func(props []byte) []byte { return append(appendVarint(nil, uint32(len(props))), props...) }
	publish := fields(t, "0001 't'")
	for _, r := range []struct {
		name string
		head byte
		body []byte
	}{
		{"PUBLISH full of empty user properties", 0x30, append(publish, block(many("26 0000 0000", 100_000))...)},
		{"PUBLISH full of short user properties", 0x30, append(publish, block(many("26 0001 'k' 0001 'v'", 100_000))...)},
		{"PUBLISH with one user property and a long end", 0x30,
			append(publish, block(append(fields(t, "26 0000 0000 09 ffff"), make([]byte, 65_535)...))...)},
		{"PUBLISH full of subscription identifiers", 0x30, append(publish, block(many("0b 01", 100_000))...)},
		{"PUBLISH full of one property twice", 0x30, append(publish, block(many("03 0001 'c'", 100_000))...)},
		{"SUBSCRIBE full of the shortest filters", 0x82, append(fields(t, "0001 00"), many("0001 'a' 00", 100_000)...)},
		{"SUBSCRIBE full of short filters", 0x82, append(fields(t, "0001 00"), many("0003 'a/b' 00", 100_000)...)},
		{"SUBSCRIBE with one bad filter in front", 0x82, append(fields(t, "0001 00 0000 00"), many("0001 'a' 00", 100_000)...)},
		{"UNSUBSCRIBE full of the shortest filters", 0xA2, append(fields(t, "0001 00"), many("0001 'a'", 100_000)...)},
		{"SUBACK full of codes", 0x90, append(fields(t, "0001 00"), many("00", 100_000)...)},
		{"CONNECT that announces more than it has", 0x10, fields(t, "0004 'MQTT' 05 c6 0000 ffffff7f 26 ffff")},
		{"PUBLISH that announces more than it has", 0x30, fields(t, "0001 't' ffffff7f 26 ffff 'k'")},
	} {
		got := allocated(func() { _, _ = parse(r.head, r.body, V5) })
		if limit := uint64(16*len(r.body) + constant); got > limit {
			t.Errorf("%s: %d octets make it allocate at most %d: got %d", r.name, len(r.body), limit, got)
		}
	}
}

func TestTheHotPathAllocatesNothing(t *testing.T) {
	publish := fields(t, "0010 'sensors/7/status' 0001 00 'twenty-one degrees'")
	ack := fields(t, "0001")
	d := Delivery{Topic: "sensors/7/status", Payload: []byte("twenty-one degrees"), QoS: 1, ID: 1, SubIDs: []uint32{1}, Alias: 3,
		Props: props(func(p *Properties) { p.ContentType = "text" }, PropContentType)}
	buf := make([]byte, 0, 256)
	for name, f := range map[string]func(){
		"parsing PUBLISH":   func() { _, _ = ParsePublish(0x32, publish, V5) },
		"parsing PUBACK":    func() { _, _ = ParseAck(0x40, ack, V5) },
		"appending PUBLISH": func() { buf = d.Append(buf[:0], V5) },
		"sizing PUBLISH":    func() { _ = d.Size(V5) },
		"appending PUBACK":  func() { buf = AppendAck(buf[:0], TypePuback, 1, NoMatchingSubscribers, V5) },
		"framing":           func() { _, _ = ParseHeader(publish) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates nothing: got %v allocations", name, n)
		}
	}
}
