package client

import (
	"fmt"
	"math"
	"strconv"

	"midge/broker/mqtt"
)

// propertyValues is how many arguments follow -D: packet, property, value, and for a user property a name before the value.
func propertyValues(args []string) int {
	if len(args) > 1 && args[1] == mqtt.PropUserProperty.String() {
		return 4
	}
	return 3
}

// propertySets are the packets whose properties -D can set.
func (o *options) propertySets(packet string) (*mqtt.Properties, mqtt.PacketType, bool) {
	switch packet {
	case "connect":
		return &o.connect, mqtt.TypeConnect, true
	case "publish":
		return &o.publish, mqtt.TypePublish, true
	case "subscribe":
		return &o.subscribe, mqtt.TypeSubscribe, true
	case "unsubscribe":
		return &o.unsubscribe, mqtt.TypeUnsubscribe, true
	case "disconnect":
		return &o.disconnect, mqtt.TypeDisconnect, true
	case "will":
		return &o.willProps, 0, true
	}
	return nil, 0, false
}

// setProperty is -D packet property value, which implies MQTT 5.
func setProperty(o *options, v []string) error {
	p, packet, ok := o.propertySets(v[0])
	if !ok {
		return fmt.Errorf("packet must be connect, publish, subscribe, unsubscribe, disconnect or will, not %q", v[0])
	}
	id, ok := mqtt.PropertyByName(v[1])
	if !ok || !id.AllowedIn(packet) || v[0] == "publish" && id == mqtt.PropSubscriptionID {
		return fmt.Errorf("%q is not a property of %s", v[1], v[0])
	}
	for _, s := range v[2:] {
		if len(s) > math.MaxUint16 {
			return fmt.Errorf("%s is longer than 65535 octets", v[1])
		}
		if id != mqtt.PropCorrelationData && id != mqtt.PropAuthData && !mqtt.ValidText([]byte(s)) {
			return fmt.Errorf("%s is not valid UTF-8 text", v[1])
		}
	}
	if err := setPropertyValue(p, id, v[2:]); err != nil {
		return err
	}
	p.Mark(id)
	o.version = mqtt.V5
	return o.checkProperties(p, packet, v[1])
}

// checkProperties asks the codec whether the set can be sent.
func (o *options) checkProperties(p *mqtt.Properties, packet mqtt.PacketType, name string) error {
	if _, _, err := mqtt.ParseProperties(mqtt.AppendProperties(nil, p, packet), packet); err != nil {
		return fmt.Errorf("%s has a value that MQTT does not allow: %w", name, err)
	}
	return nil
}

func setPropertyValue(p *mqtt.Properties, id mqtt.PropertyID, v []string) error {
	for _, f := range numericProperties(p) {
		if f.id != id {
			continue
		}
		n, err := strconv.ParseUint(v[0], 0, 64)
		if err != nil || n > f.limit {
			return fmt.Errorf("%s must be a number from 0 to %d, not %q", id, f.limit, v[0])
		}
		f.set(n)
		return nil
	}
	switch id {
	case mqtt.PropUserProperty:
		p.User = append(p.User, mqtt.UserProperty{Name: v[0], Value: v[1]})
	case mqtt.PropCorrelationData:
		p.CorrelationData = []byte(v[0])
	case mqtt.PropAuthData:
		p.AuthData = []byte(v[0])
	case mqtt.PropContentType:
		p.ContentType = v[0]
	case mqtt.PropResponseTopic:
		p.ResponseTopic = v[0]
	case mqtt.PropAuthMethod:
		p.AuthMethod = v[0]
	case mqtt.PropServerReference:
		p.ServerReference = v[0]
	case mqtt.PropReasonString:
		p.ReasonString = v[0]
	}
	return nil
}

// A numericProperty is a property that a client can send whose value is a number.
type numericProperty struct {
	id    mqtt.PropertyID
	limit uint64
	set   func(n uint64)
}

func numericProperties(p *mqtt.Properties) []numericProperty {
	four := func(f *uint32) func(uint64) { return func(n uint64) { *f = uint32(n) } }
	two := func(f *uint16) func(uint64) { return func(n uint64) { *f = uint16(n) } }
	one := func(f *uint8) func(uint64) { return func(n uint64) { *f = uint8(n) } }
	return []numericProperty{
		{mqtt.PropPayloadFormat, 1, one(&p.PayloadFormat)},
		{mqtt.PropMessageExpiry, math.MaxUint32, four(&p.MessageExpiry)},
		{mqtt.PropSubscriptionID, mqtt.MaxRemainingLength, func(n uint64) { p.SubscriptionIDs = []uint32{uint32(n)} }},
		{mqtt.PropSessionExpiry, math.MaxUint32, four(&p.SessionExpiry)},
		{mqtt.PropRequestProblemInfo, 1, one(&p.RequestProblemInfo)},
		{mqtt.PropWillDelay, math.MaxUint32, four(&p.WillDelay)},
		{mqtt.PropRequestResponseInfo, 1, one(&p.RequestResponseInfo)},
		{mqtt.PropReceiveMaximum, math.MaxUint16, two(&p.ReceiveMaximum)},
		{mqtt.PropTopicAliasMaximum, math.MaxUint16, two(&p.TopicAliasMaximum)},
		{mqtt.PropTopicAlias, math.MaxUint16, two(&p.TopicAlias)},
		{mqtt.PropMaximumPacketSize, math.MaxUint32, four(&p.MaximumPacketSize)},
	}
}
