package listener

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/broker/store"
)

// serveDurable serves a broker that keeps its state, and returns where.
func serveDurable(t *testing.T, how broker.Durability) (addr string) {
	t.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Restore(time.Now(), broker.Limits{}, s, how)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- b.Run(ctx) }()
	go func() { ended <- New(b, Config{}, slog.New(slog.DiscardHandler)).Serve(ctx, l, Policy{}) }()
	t.Cleanup(func() {
		stop()
		<-ended
		<-ended
		if err := b.Stop(time.Now()); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestConnackWaitsForTheWill connects a client whose CONNACK has to wait for the disk, and that does not wait for it.
func TestConnackWaitsForTheWill(t *testing.T) {
	addr := serveDurable(t, broker.Durability{CommitInterval: 100 * time.Millisecond})
	c := dialTCP(t, addr)
	connect := mqtt.Connect{Version: mqtt.V311, ClientID: "c", CleanStart: true, Will: &mqtt.Will{Topic: "w", QoS: 1, Payload: []byte("lost")}}
	b := mqtt.AppendPingreq(connect.Append(nil))
	c.Write(append(b, publishPacket(mqtt.V311, "a", "1", 1, 7)...))
	c.want("CONNACK is the first packet, though it waits", 0x20, 2, 0, 0)
	c.want("PINGRESP comes behind it", 0xD0, 0)
	c.want("and so does PUBACK", 0x40, 2, 0, 7)
	c.Write(mqtt.AppendPingreq(nil))
	c.want("later pings are answered", 0xD0, 0)
}
