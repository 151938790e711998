package topic

import "iter"

// children are a node's, by level. Most nodes have one, which in a map would cost ten times as much. The zero children are none.
type children[N any] struct {
	few  []branch[N] // at most fewMax; nil when there are more
	many map[string]*N
}

type branch[N any] struct {
	level string
	node  *N
}

// fewMax is how many children are searched one by one.
const fewMax = 8

func (c *children[N]) len() int { return len(c.few) + len(c.many) }

// get returns the child at a level, or nil.
func (c *children[N]) get(level string) *N {
	if c.many != nil {
		return c.many[level]
	}
	for i := range c.few {
		if c.few[i].level == level {
			return c.few[i].node
		}
	}
	return nil
}

// make returns the child at a level, a new one if there is none.
func (c *children[N]) make(level string) *N {
	n := c.get(level)
	if n != nil {
		return n
	}
	n = new(N)
	if c.many == nil && len(c.few) < fewMax {
		c.few = append(c.few, branch[N]{level, n})
		return n
	}
	if c.many == nil {
		c.many = make(map[string]*N, 2*fewMax)
		for _, b := range c.few {
			c.many[b.level] = b.node
		}
		c.few = nil
	}
	c.many[level] = n
	return n
}

// remove takes the child at a level away, if there is one.
func (c *children[N]) remove(level string) {
	for i := range c.few {
		if c.few[i].level == level {
			last := len(c.few) - 1
			c.few[i], c.few[last] = c.few[last], branch[N]{}
			c.few = c.few[:last]
			return
		}
	}
	delete(c.many, level)
}

// all are the children in no particular order.
func (c *children[N]) all() iter.Seq2[string, *N] {
	return func(yield func(string, *N) bool) {
		for _, b := range c.few {
			if !yield(b.level, b.node) {
				return
			}
		}
		for level, n := range c.many {
			if !yield(level, n) {
				return
			}
		}
	}
}
