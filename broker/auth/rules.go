package auth

import (
	"strings"

	"midge/broker/topic"
)

// access is what an entry says of its topics.
type access uint8

const (
	read access = 1 << iota
	write
	deny // neither, whatever other entries of the same list say
)

// entry is one line of a list.
type entry struct {
	filter string
	what   access
}

// ruleList is a list that is being read: deny entries go first, whatever their place in the file.
type ruleList struct {
	denies, grants []entry
}

func (l *ruleList) add(e entry) {
	if e.what == deny {
		l.denies = append(l.denies, e)
		return
	}
	l.grants = append(l.grants, e)
}

// compile makes the list ready to be asked; nil when it is empty.
func (l *ruleList) compile() *rules {
	list := append(l.denies, l.grants...)
	if len(list) == 0 {
		return nil
	}
	r := newRules(list)
	return &r
}

// linearMax is the longest list that is walked rule by rule: a walk costs 5 to 10 ns a rule that does not apply, the tree 60 to 250 ns.
const linearMax = 16

// rules is a list that answers. The zero rules say nothing about any topic.
type rules struct {
	all  []entry                       // deny entries first
	list []rule                        // deny entries first; empty when there is a tree
	tree *topic.Tree[struct{}, access] // of long lists
}

// newRules compiles list, in which deny entries stand first.
func newRules(list []entry) rules {
	if len(list) > linearMax {
		return rules{all: list, tree: newTree(list)}
	}
	r := rules{all: list, list: make([]rule, len(list))}
	for i, e := range list {
		r.list[i] = newRule(e)
	}
	return r
}

func newTree(list []entry) *topic.Tree[struct{}, access] {
	all := make(map[string]access, len(list))
	for _, e := range list {
		all[e.filter] |= e.what
	}
	tree := new(topic.Tree[struct{}, access])
	for filter, what := range all {
		tree.Set(filter, struct{}{}, what)
	}
	return tree
}

// ask returns deny, want, or 0 when no entry decides. An entry that matches but grants something else decides nothing, so the
// order among grants does not matter.
func (r *rules) ask(name string, want access) access {
	if r.tree != nil {
		return r.askTree(name, want)
	}
	for i := range r.list {
		if e := &r.list[i]; e.what&(deny|want) != 0 && e.matches(name) {
			return e.what & (deny | want)
		}
	}
	return 0
}

// reach returns deny when a deny entry matches all that the filter does, read when a topic that it matches may be read, and 0 when no entry decides.
func (r *rules) reach(filter string) access {
	for _, e := range r.all {
		switch {
		case e.what == deny && topic.Covers(e.filter, filter):
			return deny
		case e.what&read != 0 && topic.Overlap(e.filter, filter):
			return read
		}
	}
	return 0
}

func (r *rules) askTree(name string, want access) access {
	var all access
	r.tree.Match(name, func(_ struct{}, what access) { all |= what })
	if all&deny != 0 {
		return deny
	}
	return all & want
}

// rule is an entry of a short list, made so that most topics are told apart by one comparison of strings.
type rule struct {
	entry
	fixed int // octets before the first wildcard, for "a/b/#" without the '/': all that it matches begins with them
	form  form
}

type form uint8

const (
	general form = iota
	exact        // without wildcards
	subtree      // "a/b/#"
)

func newRule(e entry) rule {
	at := strings.IndexAny(e.filter, "+#")
	switch {
	case at < 0:
		return rule{e, len(e.filter), exact}
	case at > 0 && e.filter[at] == '#':
		return rule{e, at - 1, subtree}
	}
	return rule{e, at, general}
}

func (r *rule) matches(name string) bool {
	if !strings.HasPrefix(name, r.filter[:r.fixed]) {
		return false
	}
	switch r.form {
	case exact:
		return len(name) == r.fixed
	case subtree:
		return len(name) == r.fixed || name[r.fixed] == '/' // "sport/#" also matches "sport"
	}
	return topic.Match(r.filter, name)
}
