package broker

// Authorize replaces what the sessions may do that no front end has, by what f says of each: after a restart, when wills wait that their clients left behind, and
// when there come to be access rules. f is called with the core's lock held, as the methods of Access are. old is nil for a session that may do everything, as all may
// after a restart.
func (b *Broker) Authorize(f func(clientID, username string, old Access) Access) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, st := range b.sessions {
		if st.owner == nil {
			st.access = f(id, st.username, st.access)
		}
	}
}

// SetAccess replaces what the session may do; nil allows everything.
func (s *Session) SetAccess(a Access) error {
	if err := s.lock(); err != nil {
		return err
	}
	defer s.b.mu.Unlock()
	s.st.access = a
	return nil
}
