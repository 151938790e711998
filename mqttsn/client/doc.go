// Package client is the device's side of MQTT-SN 1.2 as a machine: a plain struct that is driven by
// (now, input) and gives back frames and events. It starts no goroutine, does no I/O and reads no clock, so a hundred thousand
// simulated devices are a hundred thousand structs, and a run replays exactly from its inputs.
//
// # Use
//
// The owner calls [Client.Receive] for each frame from the gateway, [Client.Advance] when the time that
// [Client.Deadline] tells has come, and requests such as [Client.Publish] when it wants something. After any of these it sends
// what [Client.Output] gives and handles what [Client.Events] gives. Times passed in must not run backwards.
//
// # Nouns
//
// A request is what the owner wants: it is accepted in every state, waits in a bounded queue and goes out
// when the client is active. An exchange is a message on the air that waits for its answer; there is at most one
// REGISTER, one SUBSCRIBE or UNSUBSCRIBE and one PUBLISH of QoS 1 or 2 at a time (§6.5, §6.6, §6.9), because gateways and
// small radios have one buffer for each. An unanswered exchange is repeated every T_retry; after N_retry repetitions the gateway
// is taken for lost.
//
// # Rules
//
//   - Publishes leave in the order in which they were asked for, whatever their QoS. One of a name that has no id is held back until
//     the REGISTER for it was answered.
//   - Sleep and Disconnect wait until all earlier requests are done.
//   - Without clean session an unacknowledged publish of QoS 1 or 2 goes out again after the next CONNACK, with DUP
//     and the same MsgId. With clean session one of QoS 1 goes out as new, one of QoS 2 is reported as
//     [Published] with Discarded: nobody can know whether the gateway had it.
//   - A publish whose topic id is refused goes out once more after its name was registered anew. At QoS 2 it keeps its MsgId, because
//     the refusal may answer a repetition of what the gateway has taken.
//   - A received message of QoS 2 is reported once, however often it comes until its PUBREL.
//   - A sleeping client that connects again asks for neither a clean session nor a new will: it is the same session.
//
// # What it does not do
//
// It knows no addresses, no links and no forwarders: those wrap frames outside. It checks no topic syntax, so that it can be used to
// show a gateway what is wrong. It subscribes to nothing by itself after a clean start.
package client
