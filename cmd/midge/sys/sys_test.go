package sys

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func text(values []Value) (lines string) {
	for _, v := range values {
		lines += v.Topic + " " + v.Text + "\n"
	}
	return lines
}

// TestFirstUpdate holds the whole tree: names are Mosquitto's, and everything is there from the start.
func TestFirstUpdate(t *testing.T) {
	f := Figures{ClientsTotal: 5, ClientsConnected: 3, ClientsPeak: 4, ClientsExpired: 1, MessagesReceived: 10, MessagesSent: 11, BytesReceived: 12, BytesSent: 13,
		PublishReceived: 14, PublishSent: 15, PublishDropped: 16, PayloadReceived: 17, PayloadSent: 18, Sockets: 19, Connects: 20, SocketsOpen: 21,
		Stored: 22, StoredBytes: 23, Retained: 24, Subscriptions: 25, Shared: 26, Heap: 27}
	want := `$SYS/broker/version midge version 1
$SYS/broker/uptime 0 seconds
$SYS/broker/clients/total 5
$SYS/broker/clients/connected 3
$SYS/broker/clients/active 3
$SYS/broker/clients/disconnected 2
$SYS/broker/clients/inactive 2
$SYS/broker/clients/maximum 4
$SYS/broker/clients/expired 1
$SYS/broker/connections/socket/count 21
$SYS/broker/messages/received 10
$SYS/broker/messages/sent 11
$SYS/broker/messages/stored 22
$SYS/broker/store/messages/count 22
$SYS/broker/store/messages/bytes 23
$SYS/broker/publish/messages/received 14
$SYS/broker/publish/messages/sent 15
$SYS/broker/publish/messages/dropped 16
$SYS/broker/publish/bytes/received 17
$SYS/broker/publish/bytes/sent 18
$SYS/broker/bytes/received 12
$SYS/broker/bytes/sent 13
$SYS/broker/subscriptions/count 25
$SYS/broker/shared_subscriptions/count 26
$SYS/broker/retained messages/count 24
$SYS/broker/heap/current 27
$SYS/broker/heap/maximum 27
`
	for _, name := range []string{"messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped", "bytes/received", "bytes/sent", "sockets", "connections"} {
		for _, span := range []string{"1min", "5min", "15min"} {
			want += "$SYS/broker/load/" + name + "/" + span + " 0.00\n"
		}
	}
	if got := text(New(start, "midge version 1").Update(start, f)); got != want {
		t.Errorf("the first update tells everything:\n%s\nwant\n%s", got, want)
	}
}

func TestOnlyChangesAreTold(t *testing.T) {
	tree := New(start, "v")
	tree.Update(start, Figures{Heap: 100, Retained: 1})
	if got := text(tree.Update(start, Figures{Heap: 100, Retained: 1})); got != "" {
		t.Errorf("nothing is told twice: %s", got)
	}
	now := start.Add(10 * time.Second)
	want := "$SYS/broker/uptime 10 seconds\n$SYS/broker/retained messages/count 2\n$SYS/broker/heap/current 50\n"
	if got := text(tree.Update(now, Figures{Heap: 50, Retained: 2})); got != want {
		t.Errorf("what has changed is told, the maximum of the heap stays:\n%s\nwant\n%s", got, want)
	}
}

// TestLoads compares with figures worked out by hand from Mosquitto's formula: rate + e^(-elapsed/span) × (average - rate).
func TestLoads(t *testing.T) {
	tree := New(start, "v")
	tree.Update(start, Figures{})
	told := func(seconds int, sent uint64) string {
		var lines []string
		for _, v := range tree.Update(start.Add(time.Duration(seconds)*time.Second), Figures{BytesSent: sent}) {
			if name, ok := strings.CutPrefix(v.Topic, "$SYS/broker/load/"); ok {
				lines = append(lines, name+" "+v.Text)
			}
		}
		return strings.Join(lines, ", ")
	}
	for _, row := range []struct {
		seconds int
		sent    uint64
		want    string
	}{
		{10, 100, fmt.Sprintf("bytes/sent/1min %.2f, bytes/sent/5min %.2f, bytes/sent/15min %.2f", 600*(1-math.Exp(-1./6)), 600*(1-math.Exp(-1./30)), 600*(1-math.Exp(-1./90)))},
		{20, 200, "bytes/sent/1min 170.08, bytes/sent/5min 38.70, bytes/sent/15min 13.19"},
		{20, 200, ""},
		{30, 200, "bytes/sent/1min 143.97, bytes/sent/5min 37.43, bytes/sent/15min 13.04"},
		{40000, 200, "bytes/sent/1min 0.00, bytes/sent/5min 0.00, bytes/sent/15min 0.00"},
	} {
		if got := told(row.seconds, row.sent); got != row.want {
			t.Errorf("after %d s and %d octets the loads are %s, want %s", row.seconds, row.sent, got, row.want)
		}
	}
}
