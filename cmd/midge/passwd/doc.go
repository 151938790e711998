// Package passwd is the command midge passwd: it edits password files with the flags of mosquitto_passwd.
//
// [Run] is the whole command. Editing is pure, from the text of a file to its new text (edit.go): a line that is not about the user in
// question stays as it is, comments and blank lines too. Writing is by replacement (replace.go): a file beside the old one is written, synced
// and renamed over it, so that a power cut or a full disk leaves the old file or the new one; mode and owner are kept. A symbolic
// link is followed, as mosquitto_passwd does, and stays a link. On Unix two commands that edit files of one directory wait for each other.
//
// # What differs from mosquitto_passwd
//
//   - The default hash is Argon2id, which Mosquitto 2.0 does not read; -H sha512-pbkdf2 makes files for it.
//   - Where standard input is no terminal, its first line is the password.
//   - -U leaves records alone that are hashed already, so it may run twice, and takes a ':' in a password for a part of it.
//   - An empty password is refused, and so is a user name that a reader would take for something else ('#' in front, blanks around).
//   - -I needs -H sha512-pbkdf2 or -H scram-sha-256, a kind that Mosquitto has not.
package passwd
