// Package config is Midge's configuration: the Go structs behind config.toml, their defaults, and everything that can be
// wrong with a file said in one sentence each.
//
// A file is read in two steps. Decoding turns the text into a [Config] that starts as [Default]: a key that is not
// written keeps its default. It is strict: a key or table that Midge does not know is a problem, and so is a value of the
// wrong type. Validation ([Config.Validate]) then asks what the values mean together. [Parse] and [Load] do both and
// report all problems at once, sorted by line; main changes a Config by its flags and validates it again.
//
// Lists: a file that has no [[listener]], [[link]] or [[gateway.predefined]] gets the default one; a file that has one
// has exactly those it names; "listener = []" above the first table means none.
//
// Every problem names file and line, and the nearest known name where one is near:
//
//	config.toml:17: [link] has no key "bauds"; did you mean "baud"?
//
// The TOML library does the grammar. It tells no line of a key, so lines.go finds those in the text by itself, and
// decode.go walks the library's generic tree instead of its struct decoder, which stops at the first wrong type and
// takes "Baud" for "baud".
//
// Three rules are decided here and nowhere else:
//
//   - Safe by default. A listener, a UDP link or the HTTP address that other machines reach needs public = true beside
//     it, where somebody may come in without a password. A link that joins multicast groups is reached by others too.
//   - Not yet means no. A setting of a later version (XBee links, …) is known by name and
//     refused; a file that Midge accepts is a file that Midge does.
//   - A bridge topic is concatenation. Local topic = local_prefix + filter, remote topic = remote_prefix + filter; only
//     the filter holds wildcards. Two lines of one bridge must not map the same local filter to the same remote filter:
//     in one direction twice is one copy too many, in both directions by two lines is a line with direction "both".
//
// The package opens no file but the one that Load is told, and asks the system only for the host name. Relative paths are
// relative to the working directory.
package config
