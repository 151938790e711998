package topic

// A Tree holds values of type V under (filter, key) and finds those whose filter matches a name.
// The zero Tree is empty and ready. Filters and names must be valid.
type Tree[K comparable, V any] struct {
	root node[K, V]
	size int
}

type node[K comparable, V any] struct {
	children Small[*node[K, V]] // "+" among them
	here     []entry[K, V]      // filters that end at this level
	below    []entry[K, V]      // filters that go on with "#" and end
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// Len is the number of (filter, key) pairs.
func (t *Tree[K, V]) Len() int { return t.size }

// Set stores value under (filter, key) and reports whether it replaced one.
func (t *Tree[K, V]) Set(filter string, key K, value V) (replaced bool) {
	n := &t.root
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = cut(rest)
		if level == "#" {
			return t.put(&n.below, key, value)
		}
		n = made(&n.children, level)
	}
	return t.put(&n.here, key, value)
}

// Delete removes what stands under (filter, key) and reports whether something did.
func (t *Tree[K, V]) Delete(filter string, key K) bool {
	if !t.root.remove(filter, key) {
		return false
	}
	t.size--
	return true
}

// Match calls found for every value whose filter matches name, in no particular order.
func (t *Tree[K, V]) Match(name string, found func(K, V)) {
	t.root.match(name, hidden(name), found)
}

func (t *Tree[K, V]) put(list *[]entry[K, V], key K, value V) bool {
	for i := range *list {
		if (*list)[i].key == key {
			(*list)[i].value = value
			return true
		}
	}
	*list = append(*list, entry[K, V]{key, value})
	t.size++
	return false
}

// remove also takes away the nodes that became empty on the way.
func (n *node[K, V]) remove(filter string, key K) bool {
	level, rest, more := cut(filter)
	if level == "#" {
		return drop(&n.below, key)
	}
	c := n.children.Get(level)
	if c == nil {
		return false
	}
	removed := false
	if more {
		removed = c.remove(rest, key)
	} else {
		removed = drop(&c.here, key)
	}
	if removed && len(c.here)+len(c.below)+c.children.Len() == 0 {
		n.children.Delete(level)
	}
	return removed
}

func drop[K comparable, V any](list *[]entry[K, V], key K) bool {
	l := *list
	for i := range l {
		if l[i].key == key {
			l[i] = l[len(l)-1]
			l[len(l)-1] = entry[K, V]{}
			*list = l[:len(l)-1]
			return true
		}
	}
	return false
}

// match visits what matches name below n. shy is true at the first level of a name that starts with '$'.
func (n *node[K, V]) match(name string, shy bool, found func(K, V)) {
	if !shy {
		visit(n.below, found)
	}
	if n.children.Len() == 0 {
		return
	}
	level, rest, more := cut(name)
	if c := n.children.Get(level); c != nil {
		c.step(rest, more, found)
	}
	if c := n.children.Get("+"); c != nil && !shy {
		c.step(rest, more, found)
	}
}

func (n *node[K, V]) step(rest string, more bool, found func(K, V)) {
	if more {
		n.match(rest, false, found)
		return
	}
	visit(n.here, found)
	visit(n.below, found) // "sport/#" also matches "sport" [MQTT-4.7.1-2, non-normative example]
}

func visit[K comparable, V any](list []entry[K, V], found func(K, V)) {
	for i := range list {
		found(list[i].key, list[i].value)
	}
}
