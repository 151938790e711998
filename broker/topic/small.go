package topic

import "iter"

// A Small is a map from filters or their levels that mostly has one entry or a few: a map of the language's would cost ten times as much. The zero Small is
// empty and ready. A zero V is not told from none.
type Small[V any] struct {
	few  []pair[V] // at most fewMax; nil when there are more
	many map[string]V
}

type pair[V any] struct {
	key   string
	value V
}

// fewMax is how many entries are searched one by one.
const fewMax = 8

// Len is the number of entries.
func (s *Small[V]) Len() int { return len(s.few) + len(s.many) }

// Get returns what stands under key, or the zero value.
func (s *Small[V]) Get(key string) (v V) {
	if s.many != nil {
		return s.many[key]
	}
	if i := s.find(key); i >= 0 {
		return s.few[i].value
	}
	return v
}

func (s *Small[V]) find(key string) int {
	for i := range s.few {
		if s.few[i].key == key {
			return i
		}
	}
	return -1
}

// Set puts value under key, in place of what stood there.
func (s *Small[V]) Set(key string, value V) {
	if s.many == nil {
		if i := s.find(key); i >= 0 {
			s.few[i].value = value
			return
		}
		if len(s.few) < fewMax {
			s.few = append(s.few, pair[V]{key, value})
			return
		}
		s.many = make(map[string]V, 2*fewMax)
		for _, p := range s.few {
			s.many[p.key] = p.value
		}
		s.few = nil
	}
	s.many[key] = value
}

// made returns what stands under key, a new N if nothing does.
func made[N any](s *Small[*N], key string) *N {
	n := s.Get(key)
	if n == nil {
		n = new(N)
		s.Set(key, n)
	}
	return n
}

// Delete takes away what stands under key, if anything does.
func (s *Small[V]) Delete(key string) {
	if i := s.find(key); i >= 0 {
		last := len(s.few) - 1
		s.few[i], s.few[last] = s.few[last], pair[V]{}
		s.few = s.few[:last]
		return
	}
	delete(s.many, key)
}

// All are the entries in no particular order. Nothing may be set or deleted meanwhile.
func (s *Small[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, p := range s.few {
			if !yield(p.key, p.value) {
				return
			}
		}
		for key, v := range s.many {
			if !yield(key, v) {
				return
			}
		}
	}
}
