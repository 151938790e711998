package broker

import "slices"

// Greet is Reply for the answer to Open, CONNACK: it goes in front of what the session has for its client already.
func (s *Session) Greet(v any) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	s.st.replies++
	s.st.acks.pushFront(s.held(Outbound{Kind: Reply, Value: v}, nil))
	return nil
}

// Reply puts an answer of the front end's own behind the acknowledgements: SUBACK, or what a gateway has promised. It comes out of Next and Acks as an
// Outbound of Kind Reply once everything that the session's verbs did before is safe. Deliveries wait behind it.
func (s *Session) Reply(v any) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	s.st.replies++
	s.reply(Outbound{Kind: Reply, Value: v}, nil)
	return nil
}

// SetNote keeps what the front end wants to find after a restart, under a name of its choice; nil takes it away. It is safe when a Reply given
// afterwards comes out. Notes end with their session; one that does not outlive the process has none. The core never looks at them.
func (s *Session) SetNote(name string, value []byte) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	s.b.enter(change{st: s.st, kind: noted, name: name, value: slices.Clone(value)})
	return nil
}

// Notes calls f with every note that was found at start-up, grouped by session. Only the front ends' start uses it; it reads the store.
func (b *Broker) Notes(f func(clientID, name string, value []byte)) error {
	if b.store == nil {
		return nil
	}
	b.mu.Lock()
	ids := make(map[uint32]string, len(b.sessions))
	for id, st := range b.sessions {
		ids[st.num] = id
	}
	b.mu.Unlock()
	return b.store.Notes(func(num uint32, name string, value []byte) error {
		if id, ok := ids[num]; ok && num != 0 {
			f(id, name, value)
		}
		return nil
	})
}
