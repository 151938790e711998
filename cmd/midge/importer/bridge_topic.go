package importer

import (
	"fmt"
	"strconv"
	"strings"

	"midge/broker/topic"
)

// A bridgeLine is what a bridge carries: topic PATTERN [[[out|in|both] QOS] LOCAL-PREFIX REMOTE-PREFIX]. The topic here is local + pattern, there
// it is remote + pattern.
type bridgeLine struct {
	line                   directive
	pattern, local, remote string
	out, in                bool
	qos                    int
}

// bridgeTopic reads such a line.
func bridgeTopic(c *conf, at *cursor, d directive) {
	l, err := parseBridgeLine(d)
	if err != nil {
		c.wrong(d, err.Error())
		return
	}
	at.bridge.lines = append(at.bridge.lines, l)
}

func parseBridgeLine(d directive) (bridgeLine, error) {
	l := bridgeLine{line: d, out: true}
	pattern, words, err := splitPattern(d.rest)
	if err != nil {
		return l, err
	}
	if len(words) > 0 {
		switch strings.ToLower(words[0]) {
		case "out":
		case "in":
			l.out, l.in = false, true
		case "both":
			l.in = true
		default:
			return l, fmt.Errorf("%q is not one of out, in, both", words[0])
		}
	}
	if len(words) > 1 {
		if l.qos, err = strconv.Atoi(words[1]); err != nil || l.qos < 0 || l.qos > 2 {
			return l, fmt.Errorf("%q is no QoS from 0 to 2", words[1])
		}
	}
	if len(words) > 2 {
		l.local = unquoted(words[2])
	}
	if len(words) > 3 {
		l.remote = unquoted(words[3])
	}
	l.pattern = pattern
	return l, l.check()
}

// splitPattern takes the pattern off a line: quoted when it holds blanks, "" when the prefixes are whole topics. What follows a word that begins
// with # is a comment, except for the pattern.
func splitPattern(rest string) (pattern string, words []string, err error) {
	switch {
	case strings.HasPrefix(rest, `""`):
		rest = rest[2:]
	case strings.HasPrefix(rest, `"`):
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return "", nil, fmt.Errorf("the quotation mark before the topic has no other behind it")
		}
		pattern, rest = rest[1:end+1], rest[end+2:]
	default:
		pattern, rest, _ = strings.Cut(strings.ReplaceAll(rest, "\t", " "), " ")
		if pattern == "" {
			return "", nil, fmt.Errorf("has no topic")
		}
	}
	words = strings.Fields(rest)
	for i, w := range words {
		if w[0] == '#' {
			return pattern, words[:i], nil
		}
	}
	return pattern, words, nil
}

// unquoted is a prefix; two quotation marks stand for none.
func unquoted(s string) string {
	if s == `""` {
		return ""
	}
	return s
}

// check refuses what no broker could subscribe to.
func (l bridgeLine) check() error {
	if l.pattern == "" && (l.local == "" || l.remote == "") {
		return fmt.Errorf("an empty topic needs a prefix here and one there")
	}
	if strings.ContainsAny(l.local+l.remote, "+#") {
		return fmt.Errorf("a prefix holds a wildcard, which belongs into the topic")
	}
	for _, filter := range []string{l.local + l.pattern, l.remote + l.pattern} {
		if err := topic.ValidFilter(filter); err != nil {
			return fmt.Errorf("%q: %w", filter, err)
		}
	}
	return nil
}

// merged makes one line of those that join the same topics, as Midge wants them: out and in together are both.
func merged(c *conf, lines []bridgeLine) []bridgeLine {
	var list []bridgeLine
	at := map[[2]string]int{}
	for _, l := range lines {
		key := [2]string{l.local + l.pattern, l.remote + l.pattern}
		i, again := at[key]
		if !again {
			at[key] = len(list)
			list = append(list, l)
			continue
		}
		first := &list[i]
		if first.qos != l.qos {
			c.lose(l.line, fmt.Sprintf("a line above joins the same topics at QoS %d; both ways go at the higher one", first.qos))
		}
		first.out, first.in, first.qos = first.out || l.out, first.in || l.in, max(first.qos, l.qos)
	}
	return list
}

// table is the line as Midge writes it.
func (l bridgeLine) table() *table {
	t := &table{header: "[[bridge.topic]]"}
	t.set("filter", l.pattern)
	direction := "out"
	switch {
	case l.in && l.out:
		direction = "both"
	case l.in:
		direction = "in"
	}
	t.set("direction", direction)
	t.set("qos", l.qos)
	if l.local != "" {
		t.set("local_prefix", l.local)
	}
	if l.remote != "" {
		t.set("remote_prefix", l.remote)
	}
	return t
}
