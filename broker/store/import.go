package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
)

// importCommit is how many octets go into one commit of an import.
const importCommit = 1 << 20

// Import takes in what Export has written, into the store in a directory that no running midge uses; there need not be one yet. All lines are looked at
// before the first change: a faulty one is an error that names its number, and nothing is changed. A client that has a session there already is an
// error, too, unless replace says that the session and all under it give way. A retained message takes the place of the one of its topic.
//
// A reader that can not go back to its beginning is copied into a temporary file first. A power cut may leave a part of the lines imported: do it again with replace.
func Import(dir string, r io.Reader, replace bool) error {
	return importLines(toolOptions(dir), r, replace)
}

func importLines(o Options, r io.Reader, replace bool) (err error) {
	again, done, err := seekable(r)
	if err != nil {
		return fmt.Errorf("copy the lines to a temporary file: %w", err)
	}
	defer done()
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	begin, err := again.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	var looked *importer
	for range 2 {
		if _, err := again.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		i, err := newImporter(s, replace, looked)
		if err != nil {
			return err
		}
		if err := i.all(again); err != nil {
			return err
		}
		looked = i
	}
	return nil
}

// seekable returns r itself if it can go back, else a copy in a temporary file, which done removes.
func seekable(r io.Reader) (again io.ReadSeeker, done func(), err error) {
	if s, ok := r.(io.ReadSeeker); ok {
		if _, err := s.Seek(0, io.SeekCurrent); err == nil {
			return s, func() {}, nil
		}
	}
	f, err := os.CreateTemp("", "midge-import-")
	if err != nil {
		return nil, nil, err
	}
	os.Remove(f.Name()) // so that nothing is left when the program is killed, where the system lets an open file go
	done = func() { f.Close(); os.Remove(f.Name()) }
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}

// importer goes over the lines once: to look at them, or to write them. In memory it has client identifiers and body numbers.
type importer struct {
	s       *Store
	replace bool
	looked  *importer // the pass that looked at the lines, when this one writes them; else nil
	b       *pebble.Batch
	there   map[string]uint32 // clients that the store had before
	clients map[string]bool   // clients of the file
	bodies  map[uint64]int    // bodies of the file: octets
	now     int64
	num     uint32 // of the last session
	client  string // of the last session
	total   uint64 // of its queue
	seq     uint64 // of its last message
	begin   uint64 // numbers of bodies from the file become higher by it
	maxBody uint64
	key     []byte
	value   []byte
}

func newImporter(s *Store, replace bool, looked *importer) (*importer, error) {
	clock, err := s.Clock()
	i := &importer{
		s: s, replace: replace, looked: looked, b: s.db.NewBatch(), there: map[string]uint32{}, clients: map[string]bool{}, bodies: map[uint64]int{},
		now: clock.Now, num: s.LastNum(), begin: s.LastBody(), maxBody: s.LastBody(),
	}
	return i, errors.Join(err, s.Sessions(func(x Session) error { i.there[x.ClientID] = x.Num; return nil }))
}

func (i *importer) all(r io.Reader) error {
	defer i.b.Close()
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if e := i.line(text); e != nil {
				return fmt.Errorf("line %d: %w", n, e)
			}
		}
		if err == io.EOF {
			return i.commit()
		}
	}
}

// line takes one line.
func (i *importer) line(text []byte) error {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return fmt.Errorf("it is no object of an export: %w", err)
	}
	if d.More() {
		return errors.New("something follows the object")
	}
	take, known := map[string]func(*line) error{
		"store": i.store, "body": i.body, "session": i.session, "subscription": i.subscription, "note": i.note, "inbound": i.inbound,
		"received": i.received, "message": i.message, "retained": i.retained,
	}[l.Kind]
	if !known {
		return fmt.Errorf("the kind %q is not known", l.Kind)
	}
	if err := take(&l); err != nil {
		return fmt.Errorf("%s: %w", l.Kind, err)
	}
	if i.b.Len() >= importCommit {
		return i.commit()
	}
	return nil
}

func (i *importer) commit() error {
	defer i.b.Reset()
	if i.looked == nil {
		return nil
	}
	return i.b.Commit(pebble.Sync)
}

// reserve writes how far the file uses numbers, before the first session: should the import end early, the broker gives none of them again.
func (i *importer) reserve() error {
	if i.looked == nil {
		return nil
	}
	return errors.Join(
		i.b.Set(keyHighNum, binary.AppendUvarint(nil, uint64(i.looked.num)), nil),
		i.b.Set(keyHighBody, binary.AppendUvarint(nil, i.looked.maxBody), nil))
}

func (i *importer) set() error { return i.b.Set(i.key, i.value, nil) }
