package dtls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
)

// TestFailuresAreTold: whoever has written the files hears which device does not come in, and why.
func TestFailuresAreTold(t *testing.T) {
	c, other := newCerts(t), newCerts(t)
	rows := []struct {
		what    string
		gateway func(*Config)
		device  func(*DialConfig)
		want    string

		patience time.Duration // of the device
	}{
		{"a device without a certificate", c.gateway, func(d *DialConfig) { d.Key, d.RootCAs = nil, c.pool }, "server required client verification, but got none", 0},
		{"one whose certificate somebody else has signed", c.gateway, func(d *DialConfig) { other.device("valve")(d); d.RootCAs = c.pool }, "certificate signed by unknown authority", 0},
		{"a certificate without a name", c.gateway, c.device(""), "the certificate has no common name", 0},
		{"a pre-shared key where certificates are wanted", c.gateway, nil, "client+server do not support any shared cipher suites", 0},
		{"an identity that nobody has, told before its time is over", nil, func(d *DialConfig) { d.Identity = "valve" }, `there is no pre-shared key for the identity "valve"`, time.Second},
		{"a certificate where there are keys", nil, c.device("valve"), "client+server do not support any shared cipher suites", 0},
	}
	for _, row := range rows {
		if row.patience == 0 {
			row.patience = 10 * time.Second
		}
		t.Run(row.what, func(t *testing.T) {
			told := make(chan Failure, 1)
			gw := listen(t, func(g *Config) {
				if row.gateway != nil {
					row.gateway(g)
				}
				g.Failed = func(f Failure) { told <- f }
			})
			tryDial(t, gw.LocalAddr().String(), row.patience, row.device)
			f := <-told
			if !strings.Contains(f.Reason, row.want) || f.Peer.Addr().String() != "127.0.0.1" {
				t.Errorf("it is told as %q of 127.0.0.1, not %q of %v", row.want, f.Reason, f.Peer)
			}
			if n := gw.Stats().Errors[ReasonHandshake]; n != 1 && row.patience > time.Second {
				t.Errorf("and counted once, not %d times", n)
			}
		})
	}
}

// TestReasonsOfSlowFailures: a device with a wrong key is only known by its handshake not coming to an end.
func TestReasonsOfSlowFailures(t *testing.T) {
	late := &dtls.HandshakeError{Err: fmt.Errorf("read: %w", context.DeadlineExceeded)}
	for _, row := range []struct {
		what     string
		identity string
		err      error
		want     string
	}{
		{"a key that is another", "sensor-7", late, `the device has another pre-shared key for the identity "sensor-7", or has gone away`},
		{"another fault behind the right identity", "sensor-7", errors.New("dtls fatal: out of order"), "out of order"},
		{"a device that has gone", "", late, "it was not complete after 1m0s"},
	} {
		k := &keyUse{keys: PSK{"sensor-7": key}}
		if row.identity != "" {
			k.key([]byte(row.identity))
		}
		if got := k.reason(row.err); got != row.want {
			t.Errorf("%s: %q, not %q", row.what, got, row.want)
		}
	}
}

// TestForgedAddressesAreNotTold: a sender that has not answered the cookie may be anybody, and must not fill the log with other people's addresses.
func TestForgedAddressesAreNotTold(t *testing.T) {
	told := 0
	gw := listen(t, func(g *Config) { g.Failed = func(Failure) { told++ } })
	f := &flow{socket: gw.socket}
	gw.fail(f, &keyUse{}, context.DeadlineExceeded)
	if told != 0 || gw.Stats().Errors[ReasonHandshake] != 1 {
		t.Errorf("its handshake is counted and not told: %d, %d", gw.Stats().Errors[ReasonHandshake], told)
	}
	f.answered = true
	gw.fail(f, &keyUse{}, context.DeadlineExceeded)
	if told != 1 {
		t.Error("that of one who has answered it is told")
	}
}
