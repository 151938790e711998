package client

import (
	"cmp"
	"errors"
	"time"

	"midge/mqttsn"
)

// Config is what a client is made with. The zero value of every field means something.
type Config struct {
	ClientID     string
	KeepAlive    time.Duration // whole seconds up to 65,535; 0 = none
	CleanSession bool
	Will         *Will // nil = none; New copies it

	Retry          time.Duration // T_retry, 0 = 10 s
	Retries        int           // N_retry, 0 = 3: one transmission and three repetitions
	Reconnect      time.Duration // wait after a loss before CONNECT is sent again; 0 = never by itself
	CongestionWait time.Duration // T_WAIT after return code congestion, 0 = 5 min

	WakeEvery   time.Duration // a sleeping client wakes by itself that long after it fell asleep; 0 = only by Wake
	QueueMax    int           // requests that wait or are on the air, 0 = 16
	TopicsMax   int           // names with an id, 0 = 256; a REGISTER beyond it is refused with congestion
	MTU         int           // longest frame in octets, 0 = mqttsn.MaxSize
	FirstMsgID  uint16        // a rebooted device that keeps its session should not begin where it began before
	InlineNames bool          // QoS −1 by name: the name stands before the data, an extension that a gateway must allow

	// Predefined gives the names that predefined ids stand for, used only to fill in Message.Topic.
	Predefined map[uint16]string
}

// Will is what the gateway publishes when the client is lost.
type Will struct {
	Topic   string
	Message []byte
	QoS     mqttsn.QoS
	Retain  bool
}

func (cfg Config) withDefaults() Config {
	cfg.Retry = cmp.Or(cfg.Retry, 10*time.Second)
	cfg.Retries = cmp.Or(cfg.Retries, 3)
	cfg.CongestionWait = cmp.Or(cfg.CongestionWait, 5*time.Minute)
	cfg.QueueMax = cmp.Or(cfg.QueueMax, 16)
	cfg.TopicsMax = cmp.Or(cfg.TopicsMax, 256)
	cfg.MTU = cmp.Or(cfg.MTU, mqttsn.MaxSize)
	if cfg.Will != nil {
		will := *cfg.Will
		cfg.Will = &will
	}
	return cfg
}

// Topic is a topic as a request names it.
type Topic struct {
	Type mqttsn.TopicIDType
	ID   uint16 // Predefined and Short
	Name string // Normal
}

// Named is a topic by its full name, or a filter. It is registered before the first publish.
func Named(name string) Topic { return Topic{Name: name} }

// Predefined is a topic by an id that client and gateway agreed on beforehand.
func Predefined(id uint16) Topic { return Topic{Type: mqttsn.Predefined, ID: id} }

// Short is a topic whose name has two octets, which stand in for the id. A longer name is cut.
func Short(name string) Topic {
	id, _ := mqttsn.ShortTopic((name + "\x00\x00")[:2])
	return Topic{Type: mqttsn.Short, ID: id}
}

// What a request can be refused for at once.
var (
	ErrState     = errors.New("this is not possible in the client's present state")
	ErrQueueFull = errors.New("too many requests wait already")
	ErrTooLong   = errors.New("the message would be longer than the link carries")
	ErrQoS       = errors.New("this quality of service level does not exist here")
	ErrTopic     = errors.New("QoS -1 needs a predefined id or a short name")
	ErrDuration  = errors.New("a sleep lasts 1 to 65535 whole seconds")
)
