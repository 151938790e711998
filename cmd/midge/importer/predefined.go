package importer

import (
	"fmt"
	"strconv"
	"strings"

	"midge/broker/topic"
)

// A predefined topic as one of the gateways lists it.
type predefined struct {
	line   int
	client string // "*" = every client
	id     string // as written
	topic  string
}

// predefinedDocument makes [[gateway.predefined]] tables. What says the same twice is written once. An id with two topics keeps the one that the other gateway
// used: the first, or the last.
func (j *job) predefinedDocument(path string, list []predefined, firstCounts bool) *document {
	type key struct {
		client string
		id     int
	}
	doc := &document{}
	counts := map[key]predefined{}
	var order []key
	for _, p := range list {
		refuse := func(why string) { j.leave(Left{File: path, Line: p.line, Option: p.label(), Why: why, at: p.line}) }
		id, err := strconv.Atoi(p.id)
		switch {
		case err != nil || id < 1 || id > 65534:
			refuse("a topic id goes from 1 to 65534")
			continue
		case p.client == "" || !plainText(p.client) || p.client != "*" && strings.Contains(p.client, "*"):
			refuse(`the client is one client id, or "*" for every client`)
			continue
		case topic.ValidName(p.topic) != nil:
			refuse(fmt.Sprintf("topic %q: %v", p.topic, topic.ValidName(p.topic)))
			continue
		}
		k := key{p.client, id}
		before, twice := counts[k]
		switch {
		case !twice:
			order = append(order, k)
			counts[k] = p
		case before.topic == p.topic:
		case firstCounts:
			refuse(fmt.Sprintf("line %d gives this id to %q, which counts", before.line, before.topic))
		default:
			counts[k] = p
			p, before = before, p
			refuse(fmt.Sprintf("line %d gives this id to %q, which counts", before.line, before.topic))
		}
	}
	for _, k := range order {
		t := &table{header: "[[gateway.predefined]]"}
		t.set("client", k.client)
		t.set("id", k.id)
		t.set("topic", counts[k].topic)
		doc.add(t)
	}
	if len(order) == 0 {
		doc.add(&table{header: "[gateway]", entries: []entry{{"predefined", []string{}, ""}}})
	}
	return doc
}

// label names the entry in the report.
func (p predefined) label() string { return fmt.Sprintf("client %q, id %s", p.client, p.id) }
