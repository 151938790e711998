// Package importer turns the configuration of another program into one for Midge.
//
// [File] reads a file, finds out by its content what it is, and gives the text of a config.toml that does the same together with a
// list of what that text cannot say. It knows
//
//   - mosquitto.conf of Mosquitto 1.6 to 2.1, with the files of its include_dir,
//   - the topic lists of MQTT-SN gateways: Paho's predefinedTopic.conf, bisquitt's YAML, EMQX's gateway.mqttsn.predefined. They give
//     [[gateway.predefined]] tables.
//
// # Nouns
//
// A directive is one line of mosquitto.conf: an option and its value. The table options (options.go) says for each option that Mosquitto
// ever had what becomes of it: a key of Midge, nothing because Midge does the same by itself, or a reason why it is [Left] behind.
// A conf gathers what directives say; once all are read it becomes tables of TOML.
//
// # Rules
//
//   - What Midge cannot do is named with file, line, option and what to do instead. Nothing is left out in silence but what has no
//     meaning in Midge (autosave_interval: everything is always on disk; set_tcp_nodelay: always).
//   - In doubt the result is the safer one. A listener whose encryption or authentication cannot be carried over is never opened without
//     it: it is left out, or lets nobody in without a password.
//   - Mosquitto's own defaults hold, not Midge's: persistence is off unless it is on, anonymous clients are let in only when there is no listener
//     line. Bounds that the file does not set stay Midge's, which are wider.
//   - An unknown option or a wrong value is a line of the report, never an error. Errors are files that cannot be read or recognised.
//   - No password and no key stands in the report.
//
// The text passes config.Parse; should it not, what Parse says is in the report too.
package importer
