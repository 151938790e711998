package gateway

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"midge/transports"
)

var records = []record{
	{},
	{link: "lan", peer: peer{addr: transports.MakeAddr([]byte{192, 0, 2, 7, 0x07, 0x5B})}, state: Active, clean: true, keepAlive: 60},
	{link: "field", state: Asleep, receives: true, keepAlive: 65535, sleep: 65535, doubts: 1<<32 - 1},
	{link: "f", peer: peer{addr: transports.MakeAddr(bytes.Repeat([]byte{1}, 23)), node: strings.Repeat("n", 252), wrapped: true}, state: Lost, displaced: true},
	{link: "f", peer: peer{wrapped: true}, state: Disconnected, will: &will{topic: "will", qos: 2, retain: true, payload: []byte("gone")}},
	{state: Asleep, will: &will{topic: "w", qos: 1}},
	{link: "lan", state: Active, user: "alice", will: &will{topic: "w"}},
}

func TestRecords(t *testing.T) {
	for _, want := range records {
		b := want.append(nil)
		got, err := parseRecord(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("a record comes back as it was: got %+v, %v, want %+v", got, err, want)
		}
		for i := range b {
			if _, err := parseRecord(b[:i]); err == nil {
				t.Errorf("a record that is cut after %d of %d octets is an error", i, len(b))
			}
		}
		if _, err := parseRecord(append(b, 0)); err == nil {
			t.Error("octets behind a record are an error")
		}
	}
}

func TestRecordsThatAreWrong(t *testing.T) {
	good := (&record{link: "lan", will: &will{topic: "w"}}).append(nil)
	for _, row := range []struct {
		what  string
		place int
		octet byte
		err   string
	}{
		{"a later version", 0, 2, "version is 2"},
		{"a flag that is not known", 1, noteWill | noteUser<<1, "flags"},
		{"a state that is not known", 2, 4, "state 4"},
		{"a will at QoS 3", len(good) - 4, 3, "QoS 3"},
		{"a will with wildcards", len(good) - 2, '#', `topic "#"`},
	} {
		b := bytes.Clone(good)
		b[row.place] = row.octet
		if _, err := parseRecord(b); err == nil || !strings.Contains(err.Error(), row.err) {
			t.Errorf("%s is an error that says so, got %v", row.what, err)
		}
	}
}

func TestTopicRecords(t *testing.T) {
	for _, want := range []topicRecord{{name: "a"}, {name: "sensors/7/temperature", known: 1 << 32}} {
		b := want.append(nil)
		if got, err := parseTopicRecord(b); err != nil || got != want {
			t.Errorf("a topic comes back as it was: got %+v, %v", got, err)
		}
	}
	for _, b := range [][]byte{{}, {1}, {2, 0, 'a'}, {1, 0}, {1, 0, '#'}, {1, 0xFF, 0xFF}} {
		if r, err := parseTopicRecord(b); err == nil {
			t.Errorf("% x is no topic, got %+v", b, r)
		}
	}
	for _, id := range []uint16{0, firstTopicID, lastTopicID} {
		if got, ok := topicNoteID(topicNoteName(id)); !ok || got != id {
			t.Errorf("the name of a note tells its id: got %d for %d", got, id)
		}
	}
	for _, name := range []string{"", "t", "sn", "o12", "t123", "o1"} {
		if _, ok := topicNoteID(name); ok {
			t.Errorf("%q is not the name of a topic's note", name)
		}
	}
}

// TestDamagedNotes: what cannot be read is lost alone. An id whose note is lost is not given again.
func TestDamagedNotes(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	notes := restorer{g: r.g}
	known := topicRecord{name: "known", known: 1}.append(nil)
	gone := (&record{link: "lan", state: Disconnected}).append(nil)
	for _, n := range []struct {
		id, name string
		value    []byte
	}{
		{"bridge", "o1", []byte("another front end's")},
		{"topics only", topicNoteName(firstTopicID), known},
		{"damaged", clientNote, []byte{9}},
		{"damaged", topicNoteName(firstTopicID), known},
		{"dev", topicNoteName(firstTopicID + 2), known},
		{"dev", topicNoteName(firstTopicID + 1), []byte{1}},
		{"dev", topicNoteName(5), known},
		{"dev", topicNoteName(0xFFFF), known},
		{"dev", clientNote, gone},
	} {
		notes.note(n.id, n.name, n.value)
	}
	for _, c := range notes.clients {
		if c.found {
			r.g.takeUp(r.now, c)
		}
	}
	if got := r.g.Devices(); len(got) != 1 || got[0].ID != "dev" || !got[0].LastSeen.IsZero() {
		t.Fatalf("a client is taken up by its own note, got %+v", got)
	}
	r.from("dev", connectAs("dev"))
	r.want("an id that was noted holds", r.from("dev", publishTo(firstTopicID+2)), fmt.Sprintf("dev< PUBACK topic=0x%04x msgid=9 accepted", firstTopicID+2))
	r.want("one whose note is lost is not known", r.from("dev", publishTo(firstTopicID+1)), fmt.Sprintf("dev< PUBACK topic=0x%04x msgid=9 invalid-topic-id", firstTopicID+1))
	r.want("and is not given again", r.from("dev", registerAs("new")), fmt.Sprintf("dev< REGACK topic=0x%04x msgid=9 accepted", firstTopicID+3))
}

func FuzzRecord(f *testing.F) {
	for _, r := range records {
		f.Add(r.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		again, err := parseRecord(r.append(nil))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("what was read can be written and read again: %+v, %+v, %v", r, again, err)
		}
	})
}

func FuzzTopicRecord(f *testing.F) {
	f.Add(topicRecord{name: "a/b", known: 3}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseTopicRecord(b)
		if err != nil {
			return
		}
		if again, err := parseTopicRecord(r.append(nil)); err != nil || again != r {
			t.Fatalf("what was read can be written and read again: %+v, %+v, %v", r, again, err)
		}
	})
}
