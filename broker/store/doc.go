// Package store keeps on disk what must survive a power cut: sessions with their subscriptions, queues and notes, and retained messages. It is a
// vocabulary and a key layout over Pebble (an LSM key-value store); the broker's state in memory is the truth, the store is how it comes back.
//
// # Nouns and rules
//
// A [Batch] collects changes and makes them durable together: after Commit they are all on disk, after a power cut during Commit all or none. A
// power cut keeps every batch whose Commit had returned, and of the later ones a prefix. The start-up reads ([Store.Sessions] and
// its siblings) are for the broker's start. [Store.Span] and [Store.Read] read queues and may run while a batch is filled and committed.
//
// An entry is one message in the queue of one session, at a place Seq. If its message waits for that session alone, the entry holds it ("own"). If it
// waits for several, it is a body with a number, and the entries ("shared") carry that number. The store counts in memory how many entries use each
// body, and removes the body together with the last of them.
//
// An entry that its subscriber has received (PUBREC of QoS 2) gets a mark. A marked entry stays where it is, unread, until Remove takes entry and
// mark away: a deletion of its own would cost as much as the mark.
//
// All times are the caller's, in nanoseconds; the store only keeps them. It reads a clock to measure how long a commit takes and, when the disk is full, to ask again.
//
// A store in memory (Options.Dir "") is the same code over Pebble's in-memory file system.
//
// # Files
//
// The directory holds what Pebble writes: a log (*.log), tables (*.sst), MANIFEST-*, OPTIONS-*, marker.* and LOCK. Beside these lie "ballast", room that
// is given up when the disk is full, and, if a running broker met damage, "DAMAGED", which holds the reason in words.
//
// [OpenOrSalvage] keeps the files of a damaged store in "damaged-1", "damaged-2" …, and leaves what it kept and lost in "SALVAGED" (JSON). While it is at work
// there is one of "salvaging", "salvaged" and "moving-in"; whoever finds one of the latter two must finish the move first.
//
// # Keys
//
// Numbers in keys are big-endian, so that keys sort as numbers do. num is a session number (4 octets), seq a place in its queue (8), number that of a body (8).
//
//	v                      version of the format: uvarint
//	v p                    while a store is brought from one format to the next: the last key that is done
//	c                      clock: varint Now, AnchorNow, AnchorWall
//	h s                    highest session number ever given: uvarint
//	h b                    no body number above this was ever used: uvarint
//	s num                  session
//	f num filter           subscription, topic filter in the key
//	n num name             note: as the front end gave it
//	i num id(2)            QoS 2 packet identifier taken from the client: empty
//	q num seq              own entry: entry, message
//	e num seq              shared entry: entry, uvarint number of the body
//	m num seq              mark of a received entry: empty
//	p, r                   fences before and behind the own entries: empty
//	b number               body: message
//	t topic                retained message: message, with an empty topic
//
// # Values
//
// uvarint and varint are those of encoding/binary; a text or payload is a uvarint length and its octets; flags is one octet whose unused bits are 0. Nothing may
// follow the end of a value.
//
//	message       flags (bits 0-1 QoS, 2 retain, 3 properties, 4 publisher, 5 expires), topic,
//	              [publisher], [varint expires], [property block of an MQTT 5 PUBLISH, its length first], payload
//	entry         flags (bits 0-1 QoS, 2 retain, 3 identifiers), uvarint Total, [uvarint count, uvarint identifier …]
//	session       flags (bit 0 connectionless, 1 connected, 2 will), client id, user name, uvarint Expiry, uvarint Given,
//	              uvarint Next, varint WillAt, varint ExpireAt, [will: varint Delay, varint Expiry, message]
//	subscription  flags (bits 0-1 QoS, 2 no local, 3 retain as published, 4-5 retain handling), uvarint identifier
//
// # What may be found after a power cut
//
// Shared entries without a session: DropSession's batch takes away everything else, and the entries follow unsynced when their bodies have been counted.
// Open removes them. Session numbers are never given twice, so nobody mistakes them for a new session's.
//
// After an import that ended early: a part of its lines, and bodies that no entry uses. Those take up room and nothing else.
//
// # Where octets go
//
// Everything is written twice: into the log, then, a memtable at a time, into tables. Tables end where the kind of key changes and around the queues that
// get the most (spans.go), so that the tables of a long queue, and those of bodies, overlap nothing: they are not merged while the queue grows, and removing its front
// throws whole tables away. Queues that all get a little at the same time share tables, which are merged as usual.
//
// # When the disk is full
//
// See patience.go. In short: nothing that was acknowledged is lost, whoever commits waits, [Store.Full] says so before it comes to that, and it ends by itself.
// An input or output error is different: Options.Fatal ends the program, since nothing is known about a disk that fails.
//
// # What it does not do
//
// It does not check that messages make sense as MQTT beyond what their decoding needs, does not expire anything, and does not know who is connected.
package store
