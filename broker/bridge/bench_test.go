package bridge

import (
	"fmt"
	"testing"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
)

// BenchmarkOut carries messages from the local broker to a real Mosquitto; the time is until the last acknowledgement.
func BenchmarkOut(b *testing.B) {
	for qos := mqtt.AtMostOnce; qos <= mqtt.ExactlyOnce; qos++ {
		b.Run(fmt.Sprint("qos", qos), func(b *testing.B) {
			m := startMosquitto(b, "allow_anonymous true", "log_type information", "set_tcp_nodelay true")
			up := m.client("observer", nil).subscribe(stateTopic)
			p := startPlace(b, Config{Address: m.address("mqtt"), MaxInflight: 100, Topics: []Topic{{Filter: "s/#", QoS: 2}, {Filter: "end", QoS: 1}}})
			up.want("the bridge is there", stateTopic+"=1 q1")
			up.subscribe("end")
			payload := make([]byte, 64)
			b.ResetTimer()
			for i := range b.N {
				p.nextID++
				msg := &broker.Message{Topic: "s/a", Payload: payload, QoS: qos}
				if busy, _ := p.local.Publish(time.Now(), []broker.Inbound{{ID: p.nextID, Message: msg}}); busy != nil {
					<-busy
				}
				if qos == mqtt.ExactlyOnce {
					p.local.Release(p.nextID)
				}
				if i%1000 == 0 {
					p.drain()
				}
			}
			p.publish(1, false, "end", "x")
			up.want("the last one comes", "end=x q1")
		})
	}
}

// drain throws away what the local client gets.
func (p *place) drain() {
	var batch [256]broker.Outbound
	for n := len(batch); n == len(batch); {
		n, _ = p.local.Next(time.Now(), batch[:])
	}
}
