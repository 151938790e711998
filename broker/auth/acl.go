package auth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"midge/broker/topic"
)

// ACL is an access control file: what each user may read and write. It never changes.
type ACL struct {
	anonymous *rules // for clients without a user name; nil = nothing stands there
	users     map[string]*rules
	patterns  []pattern // deny entries first
	warnings  []string
}

// pattern is an entry for everybody, with %c for the client id and %u for the user name.
type pattern struct {
	entry
	hasClient, hasUser bool
}

// LoadACL reads the access control file at path.
func LoadACL(path string) (*ACL, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the ACL file: %w", err)
	}
	defer f.Close()
	return ParseACL(path, f)
}

// ParseACL reads an access control file in Mosquitto's grammar, one item per line:
//
//	user NAME                                        the topic lines that follow are for this user
//	topic [read|write|readwrite|deny] FILTER         before the first user line: for clients without a user name
//	pattern [read|write|readwrite|deny] FILTER       for everybody, wherever it stands; %c is the client id, %u the user name
//	# comment
//
// Words are separated by spaces. Without an access word the entry is for both ways; a filter that contains spaces needs one. A user
// may come again; its entries accumulate. Whatever is wrong is an error of one [Problem] a line; name is the file's name in them.
func ParseACL(name string, r io.Reader) (*ACL, error) {
	p := aclParser{source: source{file: name}, users: map[string]*ruleList{}}
	p.lines(r, p.parseLine)
	if err := p.err(); err != nil {
		return nil, err
	}
	acl := &ACL{anonymous: p.anonymous.compile(), users: make(map[string]*rules, len(p.users)), warnings: p.warnings}
	for user, list := range p.users {
		acl.users[user] = list.compile()
	}
	acl.patterns = append(p.denyPatterns, p.patterns...)
	return acl, nil
}

// Warnings are sentences about what the file can hardly mean, to be logged.
func (a *ACL) Warnings() []string {
	if a == nil {
		return nil
	}
	return a.warnings
}

// aclParser holds what has been read so far.
type aclParser struct {
	source
	user                   string // "" before the first user line
	anonymous              ruleList
	users                  map[string]*ruleList
	patterns, denyPatterns []pattern
	warnings               []string
}

func (p *aclParser) parseLine(line string) {
	if strings.HasPrefix(line, "#") {
		return
	}
	line = strings.TrimLeft(strings.TrimRight(line, blanks), " ")
	if line == "" {
		return
	}
	word, rest, _ := strings.Cut(line, " ")
	switch rest = trim(rest); word {
	case "user":
		p.parseUser(rest)
	case "topic":
		p.parseEntry(rest, false)
	case "pattern":
		p.parseEntry(rest, true)
	default:
		p.unknown(word)
	}
}

func (p *aclParser) unknown(word string) {
	switch {
	case word[0] == '#':
		p.addf("a comment must begin at the start of its line")
	case strings.ContainsAny(word, blanks):
		p.addf("the line begins with %q: words must be separated by spaces", word)
	default:
		p.addf("the line begins with the unknown word %q: there are user, topic and pattern", word)
	}
}

func (p *aclParser) parseUser(name string) {
	switch {
	case name == "":
		p.addf("user needs a name")
	case len(name) > userBytesMax:
		p.addf("the user name is longer than %d bytes", userBytesMax)
	case strings.ContainsFunc(name, unicode.IsControl):
		p.addf("the user name %q contains a control character", name)
	}
	p.user = name
	if p.users[name] == nil {
		p.users[name] = &ruleList{}
	}
}

func (p *aclParser) parseEntry(text string, isPattern bool) {
	word, filter, both := strings.Cut(text, " ")
	what := read | write
	if both {
		var ok bool
		if what, ok = accessWords[word]; !ok {
			p.addf("the access %q is unknown: there are read, write, readwrite and deny, and a filter with spaces needs one of them", word)
			return
		}
		filter = trim(filter)
	} else {
		filter = text
	}
	e := entry{filter, what}
	switch err := topic.ValidFilter(filter); {
	case filter == "":
		p.addf("a topic filter is missing")
	case err != nil && !errors.Is(err, topic.ErrShare): // names are compared with it, and no group subscribes to it
		p.addf("the topic filter %q is not valid: %v", filter, err)
	case strings.ContainsFunc(filter, unicode.IsControl):
		p.addf("the topic filter %q contains a control character", filter)
	case isPattern:
		p.addPattern(e)
	case p.user == "":
		p.anonymous.add(e)
	default:
		p.users[p.user].add(e)
	}
}

var accessWords = map[string]access{"read": read, "write": write, "readwrite": read | write, "deny": deny}

func (p *aclParser) addPattern(e entry) {
	n := pattern{e, strings.Contains(e.filter, "%c"), strings.Contains(e.filter, "%u")}
	if !n.hasClient && !n.hasUser {
		p.warnings = append(p.warnings, Problem{p.file, p.line,
			fmt.Sprintf("the pattern %q contains neither %%c nor %%u: it is the same for every client", e.filter)}.Error())
	}
	if e.what == deny {
		p.denyPatterns = append(p.denyPatterns, n)
		return
	}
	p.patterns = append(p.patterns, n)
}
