package mqtt

// goldenRows are all packets in all versions, in their canonical encoding.
func goldenRows() []row {
	var rows []row
	for _, f := range []func() []row{connectRows, connectV5Rows, connackRows, publishRows, ackRows, subscribeRows, otherRows} {
		rows = append(rows, f()...)
	}
	return rows
}

func connectRows() []row {
	return []row{
		{"CONNECT smallest", V31, "10 (name) 0006 'MQIsdp' (level) 03 (clean) 02 (keep alive) 000a (id) 0001 'p'",
			&Connect{Version: V31, CleanStart: true, KeepAlive: 10, ClientID: "p"}, nil},
		{"CONNECT will and login", V31,
			"10 (name) 0006 'MQIsdp' (level) 03 (flags) f6 (keep alive) 003c (id) 0002 'ab'" +
				"(will topic) 0001 't' (will payload) 0003 'off' (user) 0001 'u' (password) 0002 'pw'",
			&Connect{Version: V31, CleanStart: true, KeepAlive: 60, ClientID: "ab",
				Will:        &Will{Topic: "t", Payload: []byte("off"), QoS: 2, Retain: true},
				HasUsername: true, Username: "u", HasPassword: true, Password: []byte("pw")},
			// 3.1: "the Remaining Length field takes precedence over the User Name flag"
			[]int{24, 27}},
		{"CONNECT smallest", V311, "10 (name) 0004 'MQTT' (level) 04 (clean) 02 (keep alive) 0000 (id) 0000",
			&Connect{Version: V311, CleanStart: true}, nil},
		{"CONNECT of a bridge", V311, "10 (name) 0004 'MQTT' (level) 84 (flags) 00 (keep alive) 0000 (id) 0001 'b'",
			&Connect{Version: V311, Bridge: true, ClientID: "b"}, nil},
		{"CONNECT will and login", V311,
			"10 (name) 0004 'MQTT' (level) 04 (flags) cc (keep alive) ffff (id) 0001 'a'" +
				"(will topic) 0001 't' (will payload) 0000 (user) 0001 'u' (password) 0002 00ff",
			&Connect{Version: V311, KeepAlive: 65535, ClientID: "a", Will: &Will{Topic: "t", Payload: []byte{}, QoS: 1},
				HasUsername: true, Username: "u", HasPassword: true, Password: []byte{0, 0xff}}, nil},
	}
}

func connectV5Rows() []row {
	return []row{
		{"CONNECT smallest", V5, "10 (name) 0004 'MQTT' (level) 05 (clean) 02 (keep alive) 0000 (props) 00 (id) 0000",
			&Connect{Version: V5, CleanStart: true}, nil},
		{"CONNECT password only", V5,
			"10 (name) 0004 'MQTT' (level) 05 (flags) 42 (keep alive) 0000 (props) 00 (id) 0000 (password) 0002 'pw'",
			&Connect{Version: V5, CleanStart: true, HasPassword: true, Password: []byte("pw")}, nil},
		{"CONNECT all properties", V5,
			"10 (name) 0004 'MQTT' (level) 05 (flags) 06 (keep alive) 003c" +
				"(props) 22 (session expiry) 11 ffffffff (method) 15 0001 'm' (data) 16 0001 00 (problem) 17 00 (response) 19 01" +
				"(alias maximum) 22 0000 (packet size) 27 00000001 (receive) 21 0001 (user) 26 0000 0001 'v'" +
				"(id) 0001 'p' (will props) 1b (format) 01 01 (expiry) 02 00000000 (content) 03 0000" +
				"(response topic) 08 0001 'r' (correlation) 09 0000 (delay) 18 00000005 (user) 26 0000 0000" +
				"(will topic) 0001 't' (will payload) 0001 'x'",
			&Connect{Version: V5, CleanStart: true, KeepAlive: 60, ClientID: "p",
				Props: props(func(p *Properties) {
					p.SessionExpiry, p.AuthMethod, p.AuthData, p.RequestResponseInfo = 0xFFFFFFFF, "m", []byte{0}, 1
					p.MaximumPacketSize, p.ReceiveMaximum, p.User = 1, 1, []UserProperty{{"", "v"}}
				}, PropSessionExpiry, PropAuthMethod, PropAuthData, PropRequestProblemInfo, PropRequestResponseInfo,
					PropTopicAliasMaximum, PropMaximumPacketSize, PropReceiveMaximum, PropUserProperty),
				Will: &Will{Topic: "t", Payload: []byte("x"), Props: props(func(p *Properties) {
					p.PayloadFormat, p.ResponseTopic, p.CorrelationData, p.WillDelay = 1, "r", []byte{}, 5
					p.User = []UserProperty{{"", ""}}
				}, PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData,
					PropWillDelay, PropUserProperty)},
			}, nil},
	}
}

func connackRows() []row {
	return []row{
		{"CONNACK accepted", V31, "20 00 00", &Connack{}, nil},
		{"CONNACK identifier rejected", V31, "20 00 02", &Connack{Reason: ClientIdentifierNotValid}, nil},
		{"CONNACK session present", V311, "20 01 00", &Connack{SessionPresent: true}, nil},
		{"CONNACK not authorized", V311, "20 00 05", &Connack{Reason: NotAuthorized}, nil},
		{"CONNACK without properties", V5, "20 00 87 00", &Connack{Reason: NotAuthorized}, nil},
		{"CONNACK as Mosquitto orders it", V5, "20 00 00 (props) 0b 22 000a 27 001e8480 21 0014",
			&Connack{Props: props(func(p *Properties) {
				p.TopicAliasMaximum, p.MaximumPacketSize, p.ReceiveMaximum = 10, 2_000_000, 20
			}, PropTopicAliasMaximum, PropMaximumPacketSize, PropReceiveMaximum)}, nil},
		{"CONNACK all properties", V5, "20 01 00 (props) 3b (expiry) 11 00000001 (id) 12 0001 'i' (keep alive) 13 0001" +
			"(method) 15 0001 'm' (data) 16 0000 (response) 1a 0001 'r' (server) 1c 0001 's' (reason) 1f 0001 'y'" +
			"(alias) 22 ffff (packet) 27 ffffffff (receive) 21 ffff (qos) 24 01 (retain) 25 00 (user) 26 0001 'k' 0001 'v'" +
			"(wildcard) 28 01 (sub id) 29 00 (shared) 2a 01",
			&Connack{SessionPresent: true, Props: props(func(p *Properties) {
				p.SessionExpiry, p.AssignedClientID, p.ServerKeepAlive, p.AuthMethod, p.AuthData = 1, "i", 1, "m", []byte{}
				p.ResponseInfo, p.ServerReference, p.ReasonString = "r", "s", "y"
				p.TopicAliasMaximum, p.MaximumPacketSize, p.ReceiveMaximum, p.MaximumQoS = 0xFFFF, 0xFFFFFFFF, 0xFFFF, 1
				p.User, p.WildcardAvailable, p.SharedAvailable = []UserProperty{{"k", "v"}}, 1, 1
			}, PropSessionExpiry, PropAssignedClientID, PropServerKeepAlive, PropAuthMethod, PropAuthData, PropResponseInfo,
				PropServerReference, PropReasonString, PropTopicAliasMaximum, PropMaximumPacketSize, PropReceiveMaximum,
				PropMaximumQoS, PropRetainAvailable, PropUserProperty, PropWildcardAvailable,
				PropSubscriptionIDAvailable, PropSharedAvailable)}, nil},
	}
}

func publishRows() []row {
	return []row{
		{"PUBLISH QoS 0", V31, "30 (topic) 0001 't' 'hi'", &Publish{Topic: []byte("t"), Payload: []byte("hi")}, []int{3, 4}},
		{"PUBLISH QoS 0 retained, empty", V311, "31 (topic) 0001 't'",
			&Publish{Retain: true, Topic: []byte("t"), Payload: []byte{}}, nil},
		{"PUBLISH QoS 1 again", V311, "3a (topic) 0003 'a/b' (id) 04d2 'x'",
			&Publish{Dup: true, QoS: 1, ID: 1234, Topic: []byte("a/b"), Payload: []byte("x")}, []int{7}},
		{"PUBLISH QoS 2, topic beyond ASCII", V311, "35 (topic) 0007 'é' 'A' f0aa9b94 (id) ffff",
			&Publish{QoS: 2, Retain: true, ID: 0xFFFF, Topic: []byte("éA\U0002A6D4"), Payload: []byte{}}, nil},
		{"PUBLISH QoS 0", V5, "30 (topic) 0001 't' (props) 00 'hi'",
			&Publish{Topic: []byte("t"), Payload: []byte("hi")}, []int{4, 5}},
		{"PUBLISH by alias", V5, "30 (topic) 0000 (props) 03 23 0001 'hi'",
			&Publish{Topic: []byte{}, Payload: []byte("hi"), Props: props(func(p *Properties) { p.TopicAlias = 1 }, PropTopicAlias)},
			[]int{6, 7}},
		{"PUBLISH all properties", V5, "34 (topic) 0001 't' (id) 0001 (props) 27 (format) 01 01 (expiry) 02 00000e10" +
			"(content) 03 0001 'c' (response) 08 0001 'r' (correlation) 09 0002 00ff (sub ids) 0b 7f 0b 8001" +
			"(alias) 23 000a (user) 26 0001 'k' 0000 26 0000 0000",
			&Publish{QoS: 2, ID: 1, Topic: []byte("t"), Payload: []byte{}, Props: props(func(p *Properties) {
				p.PayloadFormat, p.MessageExpiry, p.ContentType, p.ResponseTopic, p.CorrelationData = 1, 3600, "c", "r", []byte{0, 255}
				p.SubscriptionIDs, p.TopicAlias, p.User = []uint32{127, 128}, 10, []UserProperty{{"k", ""}, {"", ""}}
			}, PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData,
				PropSubscriptionID, PropTopicAlias, PropUserProperty)}, nil},
	}
}

func ackRows() []row {
	why := props(func(p *Properties) { p.ReasonString, p.User = "no", []UserProperty{{"k", "v"}} }, PropReasonString, PropUserProperty)
	return []row{
		{"PUBACK", V31, "40 0001", &Ack{Type: TypePuback, ID: 1}, nil},
		{"PUBACK", V311, "40 ffff", &Ack{Type: TypePuback, ID: 0xFFFF}, nil},
		{"PUBREC", V311, "50 0102", &Ack{Type: TypePubrec, ID: 0x102}, nil},
		{"PUBREL", V311, "62 0001", &Ack{Type: TypePubrel, ID: 1}, nil},
		{"PUBCOMP", V311, "70 0001", &Ack{Type: TypePubcomp, ID: 1}, nil},
		{"PUBACK", V5, "40 0001", &Ack{Type: TypePuback, ID: 1}, nil},
		{"PUBACK with reason", V5, "40 0001 10", &Ack{Type: TypePuback, ID: 1, Reason: NoMatchingSubscribers}, []int{2}},
		{"PUBREC refused in words", V5, "50 0001 97 (props) 0c 1f 0002 'no' 26 0001 'k' 0001 'v'",
			&Ack{Type: TypePubrec, ID: 1, Reason: QuotaExceeded, Props: why}, []int{2, 3}},
		{"PUBREL of an unknown id", V5, "62 0001 92", &Ack{Type: TypePubrel, ID: 1, Reason: PacketIdentifierNotFound}, []int{2}},
		{"PUBCOMP in words", V5, "70 0001 00 (props) 0c 1f 0002 'no' 26 0001 'k' 0001 'v'",
			&Ack{Type: TypePubcomp, ID: 1, Props: why}, []int{2, 3}},
	}
}

func subscribeRows() []row {
	user := props(func(p *Properties) { p.User = []UserProperty{{"k", "v"}} }, PropUserProperty)
	return []row{
		{"SUBSCRIBE", V31, "82 (id) 0001 (filter) 0001 '#' (QoS) 02",
			&Subscribe{ID: 1, Subscriptions: []Subscription{{Filter: "#", QoS: 2}}}, nil},
		{"SUBSCRIBE two filters", V311, "82 (id) 04d2 (filter) 0003 'a/b' 00 0001 '+' 01",
			&Subscribe{ID: 1234, Subscriptions: []Subscription{{Filter: "a/b"}, {Filter: "+", QoS: 1}}}, []int{8}},
		{"SUBSCRIBE all options", V5, "82 (id) 0001 (props) 0c 0b ffffff7f 26 0001 'k' 0001 'v' (filter) 0001 'a' 2e 0001 'b' 11",
			&Subscribe{ID: 1, Props: props(func(p *Properties) {
				p.SubscriptionIDs, p.User = []uint32{MaxRemainingLength}, []UserProperty{{"k", "v"}}
			}, PropSubscriptionID, PropUserProperty), Subscriptions: []Subscription{
				{Filter: "a", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2},
				{Filter: "b", QoS: 1, RetainHandling: 1}}}, []int{19}},
		{"SUBACK", V31, "90 0001 02", &Suback{ID: 1, Codes: []ReasonCode{2}}, nil},
		{"SUBACK", V311, "90 0001 00 80", &Suback{ID: 1, Codes: []ReasonCode{0, UnspecifiedError}}, []int{3}},
		{"SUBACK", V5, "90 0001 (props) 07 26 0001 'k' 0001 'v' 00 01 87",
			&Suback{ID: 1, Codes: []ReasonCode{0, 1, NotAuthorized}, Props: user}, []int{11, 12}},
		{"UNSUBSCRIBE", V31, "a2 0001 0001 'a'", &Unsubscribe{ID: 1, Filters: []string{"a"}}, nil},
		{"UNSUBSCRIBE", V311, "a2 0001 0001 'a' 0002 '/#'", &Unsubscribe{ID: 1, Filters: []string{"a", "/#"}}, []int{5}},
		{"UNSUBSCRIBE", V5, "a2 0001 (props) 07 26 0001 'k' 0001 'v' 0001 'a'",
			&Unsubscribe{ID: 1, Filters: []string{"a"}, Props: user}, nil},
		{"UNSUBACK", V31, "b0 0001", &Unsuback{ID: 1}, nil},
		{"UNSUBACK", V311, "b0 0001", &Unsuback{ID: 1}, nil},
		{"UNSUBACK", V5, "b0 0001 (props) 04 1f 0001 'r' 00 11",
			&Unsuback{ID: 1, Codes: []ReasonCode{Success, NoSubscriptionExisted},
				Props: props(func(p *Properties) { p.ReasonString = "r" }, PropReasonString)}, []int{8}},
	}
}

func otherRows() []row {
	req, resp := TypePingreq, TypePingresp
	return []row{
		{"PINGREQ", V31, "c0", &req, nil}, {"PINGREQ", V311, "c0", &req, nil}, {"PINGREQ", V5, "c0", &req, nil},
		{"PINGRESP", V31, "d0", &resp, nil}, {"PINGRESP", V311, "d0", &resp, nil}, {"PINGRESP", V5, "d0", &resp, nil},
		{"DISCONNECT", V31, "e0", &Disconnect{}, nil},
		{"DISCONNECT", V311, "e0", &Disconnect{}, nil},
		{"DISCONNECT", V5, "e0", &Disconnect{}, nil},
		{"DISCONNECT with will", V5, "e0 04", &Disconnect{Reason: DisconnectWithWill}, []int{0}},
		{"DISCONNECT all properties", V5, "e0 9c (props) 14 11 00000000 1c 0001 's' 1f 0001 'r' 26 0001 'k' 0001 'v'",
			&Disconnect{Reason: UseAnotherServer, Props: props(func(p *Properties) {
				p.ServerReference, p.ReasonString, p.User = "s", "r", []UserProperty{{"k", "v"}}
			}, PropSessionExpiry, PropServerReference, PropReasonString, PropUserProperty)}, []int{0, 1}},
		{"AUTH", V5, "f0", &Auth{}, nil},
		{"AUTH all properties", V5, "f0 18 (props) 13 15 0001 'm' 16 0002 0000 1f 0000 26 0001 'k' 0001 'v'",
			&Auth{Reason: ContinueAuthentication, Props: props(func(p *Properties) {
				p.AuthMethod, p.AuthData, p.User = "m", []byte{0, 0}, []UserProperty{{"k", "v"}}
			}, PropAuthMethod, PropAuthData, PropReasonString, PropUserProperty)}, []int{0, 1}},
	}
}
