package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate asks whether the values make sense together. The error joins all problems found, sorted by line.
// Call it again after changing a Config.
func (c *Config) Validate() error { return c.check().err() }

func (c *Config) check() *problems {
	v := checker{problems: &problems{src: c.src}, c: c}
	v.node()
	v.oneOf("log.level", c.Log.Level, LogLevels)
	v.oneOf("log.format", c.Log.Format, LogFormats)
	v.listeners()
	v.links()
	v.gateway()
	v.bridges()
	v.limits()
	v.store()
	v.http()
	v.ports()
	return v.problems
}

// A checker asks one Config, topic by topic. The paths of its problems are those of lines.go.
type checker struct {
	*problems
	c *Config
}

func (v checker) node() {
	if id := v.c.Node.ID; id != "" && !plainName(id) {
		v.addf("node.id", `[node] id = %q: an id is at most 64 letters, digits, '.', '_' and '-'`, id)
	}
	if d := v.c.Node.SysInterval; d.Duration != 0 {
		v.span("node.sys_interval", d, time.Second, 24*time.Hour)
	}
}

func (v checker) store() {
	s := v.c.Store
	v.span("store.commit_interval", s.CommitInterval, 0, time.Minute)
	v.span("store.retained_interval", s.RetainedInterval, 0, 24*time.Hour)
	v.oneOf("store.on_damage", s.OnDamage, DamagePolicies)
}

func (v checker) http() {
	h := v.c.HTTP
	if h.Address == "" {
		return
	}
	if v.address("http.address", h.Address) {
		v.reach("http.address", h.Address, h.Public, "tells everyone who asks what runs here")
	}
}

// oneOf wants a value out of a list. Problems name the nearest one.
func (v checker) oneOf(path, value string, all []string) bool {
	if slices.Contains(all, value) {
		return true
	}
	if near := nearest(strings.ToLower(value), all); near != "" {
		v.addf(path, "%s = %q is unknown; did you mean %q?", v.key(path), value, near)
	} else {
		v.addf(path, "%s = %q is unknown; it is one of %s", v.key(path), value, strings.Join(all, ", "))
	}
	return false
}

// span wants a duration from least to most.
func (v checker) span(path string, d Duration, least, most time.Duration) {
	if d.Duration < least || d.Duration > most {
		v.addf(path, `%s = "%s" is out of range; it goes from %s to %s`, v.key(path), d, Duration{least}, Duration{most})
	}
}

// number wants a whole number from least to most.
func (v checker) number(path string, n, least, most int) {
	if n < least || n > most {
		v.addf(path, "%s = %d is out of range; it goes from %d to %d", v.key(path), n, least, most)
	}
}

// required wants a key to be written.
func (v checker) required(path, value, whose, example string) bool {
	if value == "" {
		v.addf(path, "%s has no %s; write for example %s = %q", whose, lastOf(path), lastOf(path), example)
	}
	return value != ""
}

// name wants the name of a link or bridge to be written, plain and its own.
func (v checker) name(path, name, example string, earlier map[string]string) {
	table := "[" + tableOf(path) + "]"
	switch first, twice := earlier[name]; {
	case !v.required(path, name, table, example):
		return
	case !plainName(name):
		v.addf(path, "%s = %q: a name is at most 64 letters, digits, '.', '_' and '-'", v.key(path), name)
	case twice:
		v.addf(path, "%s = %q is taken%s; each needs a name of its own", v.key(path), name, v.onLine(first))
	default:
		earlier[name] = path
	}
}

// onLine names the line of a path, with a blank in front, where there is one.
func (v checker) onLine(path string) string {
	if n := v.src.line(path); n > 0 {
		return fmt.Sprintf(" on line %d", n)
	}
	return ""
}

// key is the key at the end of a path as messages name it: "[link] baud" for "link[1].baud".
func (v checker) key(path string) string { return shown(withoutIndexes(path)) }

func tableOf(path string) string { return withoutIndexes(parentOf(path)) }

func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// withoutIndexes takes the "[2]" out of a path of known keys.
func withoutIndexes(path string) string {
	for {
		open := strings.IndexByte(path, '[')
		if open < 0 {
			return path
		}
		path = path[:open] + path[open+strings.IndexByte(path[open:], ']')+1:]
	}
}
