package broker

// Authorize replaces what every session may do, whether a front end has it or not, by what f says of it: after a restart, when wills wait that their clients left
// behind, and when access rules come where there were none. f is called with the core's lock held, as the methods of Access are. old is nil for a session that
// may do everything, also when its front end has not come back since the restart.
func (b *Broker) Authorize(f func(clientID, username string, old Access) Access) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, st := range b.sessions {
		st.access = f(id, st.username, st.access)
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
