package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File string // as given to Parse; "" for a Config that no file made
	Line int    // from 1; 0 = no line
	Text string // one sentence without its place
}

// Error is the sentence with its place, as compilers write it: "config.toml:17: …".
func (p Problem) Error() string {
	switch {
	case p.File == "":
		return p.Text
	case p.Line == 0:
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// problems collects what is wrong. Places are key paths as in lines.go: "link[1].baud".
type problems struct {
	src  source
	list []Problem
	at   []string // the path of each
}

func (ps *problems) addf(path, format string, args ...any) {
	ps.list = append(ps.list, Problem{File: ps.src.file, Line: ps.src.line(path), Text: fmt.Sprintf(format, args...)})
	ps.at = append(ps.at, path)
}

// blames reports whether something is already wrong with the path, with what stands in it or around it, or beside it in
// the same table.
func (ps *problems) blames(path string) bool {
	return slices.ContainsFunc(ps.at, func(p string) bool {
		return parentOf(p) == parentOf(path) || within(path, p) || within(p, path)
	})
}

// within reports whether the path is the outer one or stands in it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// addUnblamed adds the problems of a later step, except where an earlier one has found the cause already: a missing
// "address" says nothing new beside an unknown "adress".
func (ps *problems) addUnblamed(later *problems) {
	found := problems{at: slices.Clone(ps.at)}
	for i, path := range later.at {
		if !found.blames(path) {
			ps.list, ps.at = append(ps.list, later.list[i]), append(ps.at, path)
		}
	}
}

// err joins the problems, sorted by line, each a Problem and a line of its own; nil when there are none.
func (ps *problems) err() error {
	slices.SortStableFunc(ps.list, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(ps.list))
	for i, p := range ps.list {
		errs[i] = p
	}
	return errors.Join(errs...)
}
