package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Counts are numbers of things in a store.
type Counts struct {
	Sessions      int `json:"sessions"`
	Subscriptions int `json:"subscriptions"`
	Retained      int `json:"retained"`
	Queued        int `json:"queued"` // messages in queues
	Notes         int `json:"notes"`
	Identifiers   int `json:"identifiers"` // of QoS 2: inbound ones, and those that wait for PUBCOMP
}

func (c Counts) total() int {
	return c.Sessions + c.Subscriptions + c.Retained + c.Queued + c.Notes + c.Identifiers
}

func (c Counts) String() string {
	return fmt.Sprintf("%d sessions, %d subscriptions, %d retained messages, %d queued messages, %d notes, %d QoS 2 identifiers",
		c.Sessions, c.Subscriptions, c.Retained, c.Queued, c.Notes, c.Identifiers)
}

// A Report tells what a salvage kept and what it lost.
type Report struct {
	At   time.Time `json:"at"`   // by the wall clock, for people
	Dir  string    `json:"dir"`  // where the damaged files lie now
	Kept Counts    `json:"kept"` // all of it: repeats included
	Lost Counts    `json:"lost"` // what is known to have been there; more may have been
	// Blocks and Tables did not read, and nobody knows what was in them: about 4 KB and 2 MB each. In a block there may have been nothing of use.
	Blocks int     `json:"blocks"`
	Tables int     `json:"tables"`
	NoRoom bool    `json:"noRoom,omitempty"` // the disk was too full for all that reads; Lost counts what had no room
	Clock  bool    `json:"clock,omitempty"`  // the store's clock was lost; it goes on from the latest time that the records prove
	Faults []Fault `json:"faults"`
}

// Certain tells whether Lost is all that was lost.
func (r *Report) Certain() bool { return len(r.Faults) == 0 }

// String is one sentence for the log.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the store was damaged (%s); kept are %v; lost are at least %v", r.first(), r.Kept, r.Lost)
	if r.Blocks+r.Tables > 0 {
		fmt.Fprintf(&b, ", and whatever was in %d blocks and %d tables that can not be read", r.Blocks, r.Tables)
	}
	if r.Clock {
		b.WriteString(", and the clock")
	}
	if r.NoRoom {
		b.WriteString("; the disk had no room for all that can be read")
	}
	fmt.Fprintf(&b, "; the damaged files lie in %s", r.Dir)
	return b.String()
}

func (r *Report) first() string {
	switch len(r.Faults) {
	case 0:
		return "no file of it in particular"
	case 1:
		return r.Faults[0].String()
	}
	return fmt.Sprintf("%v, and %d more faults", r.Faults[0], len(r.Faults)-1)
}

// reportName is the file in which a store that was salvaged says so.
const reportName = "SALVAGED"

func (r *Report) save(fs vfs.FS, dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeSynced(fs, fs.PathJoin(dir, reportName), append(b, '\n'))
}

func loadReport(fs vfs.FS, dir string) (*Report, error) {
	f, err := fs.Open(fs.PathJoin(dir, reportName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &Report{}
	return r, json.NewDecoder(f).Decode(r)
}

func writeSynced(fs vfs.FS, name string, b []byte) error {
	f, err := fs.Create(name, writeOther)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
