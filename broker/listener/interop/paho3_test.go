package interop

import (
	"errors"
	"net"
	"net/url"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// paho3 is a client of paho.mqtt.golang.
type paho3 struct {
	paho.Client
	conn net.Conn
	got  chan message
}

// connect3 returns connect for a protocol level, 3 or 4.
func connect3(level uint) func(addr string, o options) (user, bool, error) {
	return func(addr string, o options) (user, bool, error) {
		u := &paho3{got: make(chan message, 1000)}
		opts := paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(o.id).SetProtocolVersion(level).SetCleanSession(!o.keep).
			SetAutoReconnect(false).SetConnectTimeout(patience).SetOrderMatters(true)
		opts.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (c net.Conn, err error) {
			u.conn, err = net.Dial("tcp", addr)
			return u.conn, err
		})
		opts.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			u.got <- message{m.Topic(), string(m.Payload()), m.Qos(), m.Retained()}
		})
		if w := o.will; w != nil {
			opts.SetWill(w.topic, w.payload, w.qos, w.retain)
		}
		u.Client = paho.NewClient(opts)
		token := u.Connect().(*paho.ConnectToken)
		err := wait(token)
		return u, err == nil && token.SessionPresent(), err
	}
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(patience) {
		return errors.New("no answer came")
	}
	return t.Error()
}

func (u *paho3) subscribe(filter string, qos byte) error {
	t := u.Subscribe(filter, qos, nil).(*paho.SubscribeToken)
	if err := wait(t); err != nil {
		return err
	}
	for _, granted := range t.Result() { // by filter, which the library takes $share/NAME off from
		if granted != qos {
			return errors.New("another QoS is granted")
		}
	}
	return nil
}

func (u *paho3) publish(m message) error  { return wait(u.Publish(m.topic, m.qos, m.retain, m.payload)) }
func (u *paho3) messages() <-chan message { return u.got }
func (u *paho3) lose()                    { u.conn.Close() }
func (u *paho3) leave()                   { u.Disconnect(250) }
