package gateway

// The range of topic ids that the gateway gives out. Ids below are left to predefined topics: the two spaces are
// separate, but people who read a trace should not have to know that.
const (
	firstTopicID = 1025
	lastTopicID  = 0xFFFE
)

// topicTable is one client's topic ids, shared by both directions. Ids are given in sequence and never taken back
// within a session, so the place of an id follows from its number. The zero table is empty.
type topicTable struct {
	entries []topicEntry
	byName  map[string]uint16 // nil while the table is short
}

type topicEntry struct {
	name    string // "" = the id was given and is lost
	safe    bool   // the id will have the same meaning after a restart; before that nobody is told of it
	known   bool   // the client has been told of the id, or has used it, since its last CONNECT
	refused bool   // the client has refused the id since its last CONNECT
}

// scanMax is the longest table that is searched by name without a map.
const scanMax = 8

// get returns the entry of an id, nil when it was not given. The pointer holds until the next add.
func (t *topicTable) get(id uint16) *topicEntry {
	i := int(id) - firstTopicID
	if i < 0 || i >= len(t.entries) || t.entries[i].name == "" {
		return nil
	}
	return &t.entries[i]
}

func (t *topicTable) find(name string) (id uint16, ok bool) {
	if t.byName != nil {
		id, ok = t.byName[name]
		return id, ok
	}
	for i := range t.entries {
		if t.entries[i].name == name {
			return uint16(firstTopicID + i), true
		}
	}
	return 0, false
}

// add gives the name an id, the same as before if it has one. ok is false when bound ids are given already.
func (t *topicTable) add(name string, bound int) (id uint16, ok bool) {
	if id, ok = t.find(name); ok {
		return id, true
	}
	if len(t.entries) >= bound {
		return 0, false
	}
	id = uint16(firstTopicID + len(t.entries))
	if t.entries == nil {
		t.entries = make([]topicEntry, 0, 1) // most devices have one or two
	}
	t.entries = append(t.entries, topicEntry{name: name})
	t.index(name, id)
	return id, true
}

func (t *topicTable) index(name string, id uint16) {
	switch {
	case t.byName != nil:
		t.byName[name] = id
	case len(t.entries) > scanMax:
		t.byName = make(map[string]uint16, 2*scanMax)
		for i, e := range t.entries {
			t.byName[e.name] = uint16(firstTopicID + i)
		}
	}
}

// put gives a name the id that it had before a restart. Ids below it that are never put stay unused: a device may know them by a name that is lost.
func (t *topicTable) put(id uint16, name string, known bool) {
	i := int(id) - firstTopicID
	if i < 0 || id > lastTopicID {
		return
	}
	for len(t.entries) <= i {
		t.entries = append(t.entries, topicEntry{})
	}
	t.entries[i] = topicEntry{name: name, safe: true, known: known}
	t.index(name, id)
}

// doubt makes every id unconfirmed: after CONNECT the gateway cannot know what the device remembers. It reports whether any was confirmed.
func (t *topicTable) doubt() (changed bool) {
	for i := range t.entries {
		t.entries[i].refused = false
	}
	return t.unlearn()
}

// unlearn is doubt for a device that forgets the ids and nothing else: what it has refused it will refuse again.
func (t *topicTable) unlearn() (changed bool) {
	for i := range t.entries {
		changed = changed || t.entries[i].known
		t.entries[i].known = false
	}
	return changed
}
