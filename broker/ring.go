package broker

// A ring is a queue in one slice. The zero ring is empty.
type ring[T any] struct {
	buf  []T   // length is 0 or a power of two
	head int32 // both are narrow because a box may have very many rings
	n    int32
}

// ringKeep is the number of slots that an emptied ring keeps for its next use.
const ringKeep = 256

func (r *ring[T]) len() int { return int(r.n) }

// at returns the i-th element from the front, which stays in place until the ring changes.
func (r *ring[T]) at(i int) *T { return &r.buf[(int(r.head)+i)&(len(r.buf)-1)] }

func (r *ring[T]) push(v T) {
	if r.len() == len(r.buf) {
		r.grow()
	}
	r.n++
	*r.at(r.len() - 1) = v
}

func (r *ring[T]) mask() int32 { return int32(len(r.buf) - 1) }

// pushFront adds v in front of all others.
func (r *ring[T]) pushFront(v T) {
	if r.len() == len(r.buf) {
		r.grow()
	}
	r.head = (r.head - 1) & r.mask()
	r.n++
	*r.at(0) = v
}

// pop removes the front element. The slot is cleared: a ring keeps nothing alive that it no longer holds.
func (r *ring[T]) pop() T {
	p := r.at(0)
	v := *p
	var none T
	*p = none
	r.head = (r.head + 1) & r.mask()
	r.n--
	if len(r.buf) > ringKeep {
		r.shrink()
	}
	return v
}

// shrink lets go of the slots of an empty ring.
func (r *ring[T]) shrink() {
	if r.n == 0 {
		*r = ring[T]{}
	}
}

func (r *ring[T]) grow() {
	bigger := make([]T, max(1, 2*len(r.buf))) // most sessions never have more than one thing in it
	for i := range r.len() {
		bigger[i] = *r.at(i)
	}
	r.buf, r.head = bigger, 0
}
