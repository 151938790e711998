// Package gateway makes MQTT-SN clients sessions of the broker.
//
// # Nouns
//
// A client is what a client id is to the gateway: where it was heard last, its [State], its hold on a broker session, its topic ids, its will,
// and the one exchange that is open towards it. There is one per client id over all links: the client id is the key, an
// address is only a hint that the next packet corrects. A link is the machine of one [transports.Link]: frames and time
// in, frames out. The space holds all clients and what they share. [Gateway] is the shell around them.
//
// # Rules
//
// The gateway has no queue. What waits for a client waits in its broker session, and sleeping is not pulling. One delivery is
// pulled at a time, because many devices have a single receive buffer; the exchange that carries it (REGISTER, PUBLISH,
// PUBREL) is repeated here, because the broker hands out once. Acknowledgements for what a client publishes go out in any state.
//
// A link whose time on the air is limited (LinkConfig.Airtime; air.go) does not get more than it can send: an answer waits for one and a half of T_retry, unless its device
// asks again, whose answer then takes the place of the first (control.go); deliveries are not pulled before there is
// room, and then the devices have one frame each in turn. T_retry runs from when a frame has left. Without a limit nothing of this is in the way.
//
// PINGRESP goes out on one line of the program, in pump: to an awake client when no exchange is open and nothing that
// waited at its PINGREQ is left.
//
// One mutex guards the space and all links. A link's reader and its timer goroutine run the machine under it; nothing that
// they call blocks. [broker.Waker] is the client itself: Wake puts it on its link's ready list, which has a small lock of its own, so it may come from
// any goroutine and from the machine itself. There is no goroutine, no channel and no timer per client: an idle one is a struct and an entry in a heap.
//
// A reader that is woken by one frame after the other, more often than every half millisecond, rests 1 to 8 ms between reads, unless that slows its senders
// (see moderator): answers may then be that much later.
//
// Topic ids and will stay while a CleanSession=0 client is away (Limits.Known of them). A client with CleanSession=1 leaves nothing
// but a line in [Gateway.Devices].
//
// # A restart
//
// A device does not notice that the gateway has restarted, by crash or in order, if the broker has a store. The gateway keeps notes with the client's session
// ([broker.Session.SetNote]; note.go has their encoding): one with its link, address and node id, whether it is active or asleep, its keep-alive or sleep
// duration and its will; and one for each topic id. They change with CONNECT, sleep, a new address, a will update, a new topic id, and never with a PUBLISH or
// a PINGREQ. At the next start New opens the sessions again, and when its link is served a client goes on: a sleeping one is answered when it
// says PINGREQ, an active one uses its topic ids, and what was being sent to it is sent again. It has its full time to be heard.
// A CleanSession=0 client that had gone finds its ids and will at its next CONNECT.
//
// What is said to a device holds: CONNACK, REGACK, SUBACK, UNSUBACK, the answers to will updates and the DISCONNECT that confirms sleep are a promise. They
// go through the session ([broker.Session.Reply]) and come out of it when what they promise is safe, as PUBACK does; to a sleeping client too. Until CONNACK
// is out nothing else is begun, and no device hears of a topic id that is not safe, because after a crash it would be given to another topic.
//
// A link that is not served any more, or not yet, keeps its clients: nothing is sent to them, they are lost in their time as all are, and whoever says
// CONNECT or PINGREQ with its client id on another link goes on there.
//
// What does not survive: the figures in [Gateway.Devices] and [Gateway.Counters]; that a client has refused a topic; an open will handshake; how often
// something was sent. A plain DISCONNECT is confirmed at once: a crash in the same moment may leave the client connected, and its will is published when
// it is not heard. So does a client that was lost in that moment live on, and its will is published again if it stays silent.
//
// With Config.StateTopic the state of each client is a retained message of the gateway's own (presence.go); its changes are those of the note.
//
// A bad packet is dropped and counted; a client is answered with the protocol's code; nothing from the wire ends anything but itself.
//
// # Readings
//
// Where MQTT-SN 1.2 is silent or says two things, this is what is done. readings_test.go names the tests of each, and those of the cases that other projects
// test; complaints_test.go those of what users of other gateways complain about.
//
//   - CONNECT counts with all its flags in every state, asleep included, and is always answered. CleanSession=0 keeps queue, subscriptions, topic ids
//     and will; CleanSession=1 clears them (§6.3's words on CleanSession are read as MQTT means them). What waits follows CONNACK.
//
//   - ProtocolId other than 1, an empty client id, one longer than Limits.ClientID, not UTF-8 or beginning with '$': return code 3. Codes above 3 are never sent:
//     1 is «later», 3 is «never». LinkConfig.EmptyClientID gives an empty one a name made from the address. Who may not connect hears 3, or 1 with Config.RefuseLater.
//
//   - Flags that a message does not have are ignored; LinkConfig.Strict ends their client, as MQTT would.
//
//   - During the will handshake only its own packets and DISCONNECT count. CONNECT repeats the present request; a second
//     one begins anew. Nobody is lost while asked. A late WILLMSG is answered by CONNACK again, unless the handshake was given up.
//
//   - While the request for the will, or the CONNACK after it, has not left the gateway (it is not safe yet, or the link has no time for it), the same CONNECT is the same
//     request: it changes nothing. Otherwise a device whose T_retry is shorter than that would begin anew for ever.
//
//   - If a client that is asked for its will was connected before its CONNECT and sends something else, one of the two has come late, and nobody can
//     know which. The session of before goes on, as if CONNECT were the late one, and the packet is handled; the request is not repeated. If it was
//     the other one, WILLTOPIC or WILLMSG, which follow within T_retry, take the handshake up where it was. So a device that has long gone on is
//     heard, and one that has truly started anew loses neither its will nor what it published before.
//
//   - Will data outlive a CleanSession=0 session, and CONNECT without Will flag and CleanSession keeps the old will.
//
//   - Keep-alive and sleep duration are exceeded by half up to 60 s, by a tenth above, and never by less than for a shorter
//     one: 60 s and 61 s both give 90 s. No keep-alive means LinkConfig.IdleLimit. A client lost in its sleep has its will published too. With LinkConfig.Probe an active
//     one is asked by PINGREQ first, and has T_retry from when that has left; otherwise the gateway sends none, because it costs airtime.
//
//   - A sleeping client may publish, subscribe and register; it is answered, stays asleep, and is counted (LinkCounters.FromSleepers).
//
//   - PINGREQ with client id wakes; without one it does so too, from the sleeper's address. From another address it moves a sleeping
//     client there, on this link or another; an active one has to CONNECT. LinkConfig.Rebind of the link where it is may forbid both. A repeated PINGREQ repeats the open
//     exchange only, and not what was sent just now. One that is silent while awake sleeps again, without PINGRESP, and what it has not acknowledged
//     comes first at its next wake, with DUP.
//
//   - A new client id at a known address takes the address. The old client stays as it is, is sent nothing, and is
//     lost by its timer or heard from elsewhere.
//
//   - Topic ids start at 1025, are never reused in a session, and stay valid over CONNECT with CleanSession=0; the gateway registers
//     each again before its first PUBLISH to the client after any CONNECT, and with LinkConfig.RegisterAfterSleep after any sleep.
//
//   - PUBLISH to a client names the topic by its registered id, else by a predefined one, else by the two octets of a short name, else after REGISTER.
//
//   - A SUBACK or REGACK that gives the client an id stands for the REGISTER that is under way for it. A client that lets REGISTER run out of tries eight times, and is
//     heard in between, counts as one that refuses the name.
//
//   - REGACK refused: code 1 waits T_WAIT; other codes unsubscribe the name, and the name is not offered again before the next CONNECT.
//
//   - PUBACK code 2 registers the topic (again) and repeats the message, once if the client has confirmed that REGISTER; code 1 waits T_WAIT; code 3 ends the delivery, but
//     for a PUBLISH with DUP, which comes once more without: there are devices that refuse the flag.
//
//   - Out of tries: the client is left alone until it is heard; only its keep-alive timer says that it is lost.
//
//   - An unknown topic id is answered by PUBACK code 2 at QoS 0, 1 and 2, never at −1. A refused QoS 2 gets PUBACK instead of PUBREC.
//
//   - SUBACK carries the predefined id for a predefined topic, 0 for a short one or a filter with wildcards. Type 00 with two octets is a name. Wildcards
//     in a short name: code 2; no valid filter: code 3. UNSUBACK always. SUBSCRIBE with DUP does not send retained messages a second time, if the
//     first one has come.
//
//   - What waits for a client that has published waits for its PUBACK or PUBREC, 100 ms at most: there are devices that take the next packet for that.
//
//   - A PUBLISH at QoS 1 that is repeated with DUP before its PUBACK is safe, and has left, is not a second message.
//
//   - After a restart only the first delivery can be a repetition, and only it carries DUP. A PUBREC that comes before it is dropped: the device answers
//     the repetition again.
//
//   - A message too long for the link is dropped, counted and done.
//
//   - DISCONNECT goes to unknown senders, at most ten a second a link; never to broadcasts, to QoS −1, in answer to a DISCONNECT, or within T_retry of
//     one that was a confirmation. PINGREQ of a stranger is such a case as well.
//
//   - GWINFO goes to the asker, and to everyone if the asker asked everyone; LinkConfig.GwInfo makes it one of the two. ADVERTISE goes out whatever
//     the bridge does: the gateway is itself the server. With Config.Advertised it goes out, and a search is answered, only while that says so; who
//     knows the gateway may still connect.
//
//   - Behind a forwarder the pair (address, node id) is the address. Envelopes in envelopes are refused. ADVERTISE is not wrapped.
//
//   - When a link ends nobody is told, no will is published and no session closed.
//
//   - QoS is granted as requested, up to LinkConfig.MaxQoS; a will is lowered to it, a PUBLISH above it gets PUBACK code 3. UNSUBSCRIBE of what was
//     not subscribed is confirmed.
//
//   - A gateway that advertises our GwId is complained about in the log once an hour; its ADVERTISE is not used for anything else.
//
// # Who may come in
//
// MQTT-SN 1.2 knows neither users nor passwords. A link may serve certain client ids and addresses only (LinkConfig.AllowClients, AllowAddresses, DenyClients, DenyAddresses), or a client id at its own address (ClientAddresses); it may vouch
// for its devices ([transports.Identifier]: the name is then the user name), and it may want AUTH, bisquitt's extension, after CONNECT (LinkConfig.Auth; login.go).
// Until that has been judged, in a goroutine of its own, the client id and what belongs to it are not touched. What a client may read and write is the core's to ask, by
// Config.Access. [Gateway.SetPredefined], [Gateway.Reconfigure] and [Gateway.Review] change all of this while devices are connected.
package gateway
