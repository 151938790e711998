package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// statsTop is how many queues Stats lists.
const statsTop = 20

// Stats writes what is in the store in a directory that no running midge uses. It changes nothing.
func Stats(dir string, w io.Writer) error { return stats(toolOptions(dir), w) }

func stats(o Options, w io.Writer) (err error) {
	s, err := openToRead(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closeRead()) }()
	n := &numbers{queues: map[uint32]*queueSize{}, bodies: map[uint64]int{}}
	if err := n.read(s); err != nil {
		return err
	}
	return n.write(w, s)
}

// numbers is the state of Stats.
type numbers struct {
	Counts
	queues map[uint32]*queueSize
	bodies map[uint64]int // octets
	octets int            // of bodies
}

type queueSize struct {
	client   string
	messages int
	octets   int // of topics and payloads; a shared message counts in every queue
}

func (n *numbers) read(s *Store) error {
	for _, pass := range []struct {
		kind byte
		f    func(key, value []byte) error
	}{
		{kindSession, n.session}, {kindFilter, count(&n.Subscriptions)}, {kindRetained, count(&n.Retained)}, {kindNote, count(&n.Notes)},
		{kindInbound, count(&n.Identifiers)}, {kindReceived, count(&n.Identifiers)}, {kindBody, n.body}, {kindOwn, n.own}, {kindShared, n.shared},
	} {
		err := s.scanKind(pass.kind, func(key, value []byte) error {
			if err := pass.f(key, value); err != nil {
				return damagedKey(key, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func count(n *int) func(key, value []byte) error {
	return func(_, _ []byte) error { *n++; return nil }
}

func (n *numbers) session(key, value []byte) error {
	num, _, err := cutNum(key)
	x, e := decodeSession(value)
	n.queues[num] = &queueSize{client: x.ClientID}
	n.Sessions++
	return errors.Join(err, e)
}

func (n *numbers) body(key, value []byte) error {
	number, err := cutBody(key)
	m, e := decodeMessage(value)
	n.bodies[number] = m.octets()
	n.octets += m.octets()
	return errors.Join(err, e)
}

func (n *numbers) own(key, value []byte) error {
	_, m, err := decodeOwn(value)
	return errors.Join(err, n.queued(key, m.octets()))
}

func (n *numbers) shared(key, value []byte) error {
	e, err := decodeShared(value)
	return errors.Join(err, n.queued(key, n.bodies[e.Body]))
}

func (n *numbers) queued(key []byte, octets int) error {
	num, _, err := cutSeq(key)
	if q := n.queues[num]; q != nil {
		n.Queued++
		q.messages++
		q.octets += octets
	}
	return err
}

func (n *numbers) write(w io.Writer, s *Store) error {
	disk, err := onDisk(s)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		name  string
		value any
	}{
		{"format", Version}, {"sessions", n.Sessions}, {"subscriptions", n.Subscriptions}, {"retained messages", n.Retained},
		{"queued messages", n.Queued}, {"bodies that queues share", fmt.Sprintf("%d, %d octets", len(n.bodies), n.octets)},
		{"notes", n.Notes}, {"QoS 2 identifiers", n.Identifiers}, {"on disk", disk},
	} {
		fmt.Fprintf(t, "%s\t%v\n", row.name, row.value)
	}
	for _, name := range keptAside(s) {
		fmt.Fprintf(t, "kept aside\t%d octets in %s, which midge does not need\n", dirSize(s.fs, s.fs.PathJoin(s.dir, name)), name)
	}
	n.top(t)
	return t.Flush()
}

// top lists the largest queues.
func (n *numbers) top(w io.Writer) {
	var queues []*queueSize
	for _, q := range n.queues {
		if q.messages > 0 {
			queues = append(queues, q)
		}
	}
	slices.SortFunc(queues, func(a, b *queueSize) int { return cmp.Or(b.octets-a.octets, cmp.Compare(a.client, b.client)) })
	if len(queues) > 0 {
		fmt.Fprintf(w, "\nqueue of\tmessages\toctets\n")
	}
	for _, q := range queues[:min(len(queues), statsTop)] {
		fmt.Fprintf(w, "%q\t%d\t%d\n", q.client, q.messages, q.octets)
	}
	if more := len(queues) - statsTop; more > 0 {
		fmt.Fprintf(w, "and %d smaller queues\n", more)
	}
}

// keptAside are the directories of what was salvaged.
func keptAside(s *Store) []string {
	names, _ := s.fs.List(s.dir)
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, dirDamaged) })
	slices.Sort(names)
	return names
}

// onDisk tells the sizes of files by kind.
func onDisk(s *Store) (string, error) {
	l, err := listFiles(s.fs, s.dir)
	if err != nil {
		return "", err
	}
	size := func(numbers []uint64, name func(uint64) string) (total int64) {
		for _, n := range numbers {
			if info, err := s.fs.Stat(s.fs.PathJoin(s.dir, name(n))); err == nil {
				total += info.Size()
			}
		}
		return total
	}
	return fmt.Sprintf("%d octets in %d tables, %d in %d logs, %d in all",
		size(l.tables, tableName), len(l.tables), size(l.logs, logName), len(l.logs), dirSize(s.fs, s.dir)), nil
}
