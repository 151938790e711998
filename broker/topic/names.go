package topic

// Names holds one value per topic name and finds the names that a filter matches. The zero Names is empty and ready.
type Names[V any] struct {
	root nameNode[V]
	size int
}

type nameNode[V any] struct {
	children Small[*nameNode[V]]
	name     string // the whole name, where a value stands
	value    V
	set      bool
}

// Len is the number of names.
func (t *Names[V]) Len() int { return t.size }

// Get returns what stands under name.
func (t *Names[V]) Get(name string) (value V, ok bool) {
	n := &t.root
	for rest, more := name, true; more && n != nil; {
		var level string
		level, rest, more = cut(rest)
		n = n.children.Get(level)
	}
	if n == nil {
		return value, false
	}
	return n.value, n.set
}

// Set stores value under name.
func (t *Names[V]) Set(name string, value V) {
	n := &t.root
	for rest, more := name, true; more; {
		var level string
		level, rest, more = cut(rest)
		n = made(&n.children, level)
	}
	if !n.set {
		t.size++
	}
	n.name, n.value, n.set = name, value, true
}

// Delete removes name and reports whether it was there.
func (t *Names[V]) Delete(name string) bool {
	if !t.root.remove(name) {
		return false
	}
	t.size--
	return true
}

func (n *nameNode[V]) remove(name string) bool {
	level, rest, more := cut(name)
	c := n.children.Get(level)
	if c == nil {
		return false
	}
	if more {
		if !c.remove(rest) {
			return false
		}
	} else {
		if !c.set {
			return false
		}
		var none V
		c.name, c.value, c.set = "", none, false
	}
	if !c.set && c.children.Len() == 0 {
		n.children.Delete(level)
	}
	return true
}

// Match calls found for every name that the filter matches, in no particular order. found must not change the set.
func (t *Names[V]) Match(filter string, found func(name string, value V)) {
	t.root.match(filter, true, found)
}

func (n *nameNode[V]) match(filter string, first bool, found func(string, V)) {
	level, rest, more := cut(filter)
	switch level {
	case "#":
		n.all(first, found)
	case "+":
		for name, c := range n.children.All() {
			if first && name != "" && hidden(name) {
				continue
			}
			c.step(rest, more, found)
		}
	default:
		if c := n.children.Get(level); c != nil {
			c.step(rest, more, found)
		}
	}
}

func (n *nameNode[V]) step(rest string, more bool, found func(string, V)) {
	if !more {
		n.visit(found)
		return
	}
	if rest == "#" {
		n.visit(found) // "sport/#" also matches "sport"
	}
	n.match(rest, false, found)
}

func (n *nameNode[V]) visit(found func(string, V)) {
	if n.set {
		found(n.name, n.value)
	}
}

// all visits everything below n but not n itself.
func (n *nameNode[V]) all(first bool, found func(string, V)) {
	for name, c := range n.children.All() {
		if first && name != "" && hidden(name) {
			continue
		}
		c.visit(found)
		c.all(false, found)
	}
}
