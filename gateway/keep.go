package gateway

import "hash/maphash"

// keep has the client found again after a restart as it is now. It costs something only when that has changed. It is safe when a promise given
// afterwards goes out. A session that is somebody else's meanwhile says so at the next verb.
func (sp *space) keep(c *client) {
	if c.s == nil {
		return
	}
	r := c.record()
	sp.note = r.append(sp.note[:0])
	sum := maphash.Bytes(sp.seed, sp.note)
	if sum != c.noted && c.s.SetNote(clientNote, sp.note) == nil {
		c.noted = sum
	}
}

// keepTopic has one topic id of the client found again after a restart, and whether the client knows it.
func (sp *space) keepTopic(c *client, id uint16) {
	e := c.topics.get(id)
	r := topicRecord{name: e.name}
	if e.known {
		r.known = 1 + uint64(c.doubts)
	}
	sp.note = r.append(sp.note[:0])
	c.s.SetNote(topicNoteName(id), sp.note)
}

// keepTopics does so for all of them, with a session that may not have them: it was opened anew. None is used before CONNACK is out, so all count as safe.
func (sp *space) keepTopics(c *client) {
	for i := range c.topics.entries {
		if e := &c.topics.entries[i]; e.name != "" {
			e.safe = true
			sp.keepTopic(c, uint16(firstTopicID+i))
		}
	}
}
