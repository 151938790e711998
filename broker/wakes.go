package broker

// Wakes are sessions' wakers that are to be called when no lock is held. A front end that handles the input of many clients in one go
// shares one among their sessions and flushes it at the end. It belongs to one goroutine at a time.
type Wakes struct{ list []Waker }

func (w *Wakes) add(k Waker) { w.list = append(w.list, k) }

// Flush wakes whom there is to wake.
func (w *Wakes) Flush() {
	for i := 0; i < len(w.list); i++ { // a waker may add to it
		k := w.list[i]
		w.list[i] = nil
		k.Wake()
	}
	w.list = w.list[:0]
}
