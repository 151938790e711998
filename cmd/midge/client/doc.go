// Package client is midge pub and midge sub: mosquitto_pub and mosquitto_sub with the same flags, the same lines on standard
// output and the same exit codes, over the codec of broker/mqtt.
//
// # Parts
//
// options is the command line, filled by the table in flags.go. engine is MQTT's client side as a machine: packets in, octets and events out,
// no socket, no clock, no goroutine. runner is the shell around it: one goroutine reads the connection, one reads standard input when
// lines are published, the loop in run owns everything else. A tool (publisher, subscriber) says what to do when the engine has something to tell.
//
// # Where it differs from Mosquitto's tools
//
//   - not supported, and refused with one sentence: TLS-PSK, OpenSSL engines and cipher lists, SOCKS proxies, SRV look-ups,
//     WebSockets, option files;
//   - -U without -t is allowed; a subscription that is refused altogether ends with exit code 1;
//   - %5x never cuts what fits into the field (2.0.11 halves it); %J keeps numbers as they were written; the properties in %j stand in
//     the order of their identifiers;
//   - midge sub answers a lost connection as mosquitto_sub does, by connecting again every second; so does midge pub -l, which then sends
//     again what was not acknowledged. The other forms of midge pub end with an error.
package client
