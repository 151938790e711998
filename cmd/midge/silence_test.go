package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/internal/peertest"
)

const loadConfig = `
link = []
[node]
data_dir = ""
[log]
level = "warn"
[[listener]]
address = "127.0.0.1:%d"
[http]
address = ""
`

// loaded is a midge that is put under load: what is under test is the program as shipped.
func loaded(t *testing.T) (p *process, port int) {
	t.Helper()
	port = peertest.FreePort(t)
	p = start(t, midgePath(t), "run", "-c", writeFile(t, "config.toml", fmt.Sprintf(loadConfig, port)))
	until(t, "midge listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p, port
}

// TestSilenceOnSockets has clients begin and not go on, in real time: the sockets of the program as shipped have other timers than the in-memory connections of
// broker/listener's tests, where the exact moments are held.
func TestSilenceOnSockets(t *testing.T) {
	t.Parallel()
	_, port := loaded(t)
	var all sync.WaitGroup
	cut := func(sentence string, least, most time.Duration, begin func(net.Conn)) {
		start := time.Now() // before midge's clock starts
		nc := dialMQTT(t, port)
		all.Go(func() {
			begin(nc)
			nc.SetReadDeadline(start.Add(most))
			_, err := io.Copy(io.Discard, nc)
			took := time.Since(start)
			if errors.Is(err, os.ErrDeadlineExceeded) || took < least {
				t.Errorf("%s is cut after %v to %v, not after %v: %v", sentence, least, most, took, err)
			}
		})
	}
	const tenSeconds, slack = 10 * time.Second, 8 * time.Second
	cut("who says nothing", tenSeconds, tenSeconds+slack, func(net.Conn) {})
	cut("half a CONNECT", tenSeconds, tenSeconds+slack, func(nc net.Conn) { nc.Write([]byte{0x10, 20, 0, 4, 'M'}) })
	cut("a CONNECT letter by letter", tenSeconds, tenSeconds+slack, func(nc net.Conn) {
		go func() {
			connect := mqtt.Connect{Version: mqtt.V311, ClientID: "slow-and-steady", CleanStart: true}
			for _, b := range connect.Append(nil) {
				if _, err := nc.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
	})
	for _, v := range []mqtt.Version{mqtt.V31, mqtt.V311, mqtt.V5} {
		cut("a silent client with a keep-alive of 2 s", 3*time.Second, 3*time.Second+slack, func(nc net.Conn) {
			connect := mqtt.Connect{Version: v, ClientID: "silent" + v.String(), CleanStart: true, KeepAlive: 2}
			nc.Write(connect.Append(nil))
		})
	}
	all.Wait()
}
