package client

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"midge/broker/mqtt"
)

// A formatItem is one part of a -F format: a literal, a %-verb or an @-verb of strftime.
type formatItem struct {
	literal   string
	verb      byte // after '%', 0 for others
	date      byte // after '@', 0 for others
	left      bool // '-': padded on the right
	zero      bool // '0': padded with zeros
	width     int  // 0 as wide as needed
	precision int  // octets of a text at most, -1 all
}

// formatVerbs are the letters that may follow a percent sign.
const formatVerbs = "%ACDEFIJPRSUXjlmpqrtx"

// formatWidthMax bounds padding.
const formatWidthMax = 10_000

var escapes = map[byte]string{'\\': "\\", '0': "\x00", 'a': "\a", 'e': "\x1b", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}

// parseFormat reads a -F format.
func parseFormat(s string) (items []formatItem, err error) {
	for s != "" {
		var item formatItem
		switch s[0] {
		case '%':
			item, s, err = parseVerb(s[1:])
		case '@', '\\':
			item, s, err = parseMarked(s[0], s[1:])
		default:
			n := strings.IndexAny(s, "%@\\")
			if n < 0 {
				n = len(s)
			}
			item.literal, s = s[:n], s[n:]
		}
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if items == nil {
		items = []formatItem{{}} // an empty format prints empty lines, none prints payloads
	}
	return items, nil
}

var errFormatEnd = errors.New("the format ends where a letter is expected")

// parseVerb reads what follows '%': - or 0, width, '.' and precision, letter.
func parseVerb(s string) (formatItem, string, error) {
	item := formatItem{precision: -1}
	if strings.HasPrefix(s, "-") {
		item.left, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") {
		item.zero, s = true, s[1:]
	}
	item.width, s = leadingNumber(s)
	if strings.HasPrefix(s, ".") {
		item.precision, s = leadingNumber(s[1:])
	}
	if s == "" {
		return item, s, errFormatEnd
	}
	if !strings.Contains(formatVerbs, s[:1]) {
		return item, s, fmt.Errorf("%%%c is not a format; there are %%%s", s[0], strings.Join(strings.Split(formatVerbs, ""), " %"))
	}
	if item.verb = s[0]; item.width > formatWidthMax {
		return item, s, fmt.Errorf("a field is at most %d wide", formatWidthMax)
	}
	return item, s[1:], nil
}

func leadingNumber(s string) (int, string) {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	if n == 0 {
		return 0, s
	}
	x, err := strconv.Atoi(s[:n])
	if err != nil {
		x = formatWidthMax + 1
	}
	return x, s[n:]
}

// parseMarked reads what follows '@' or a backslash.
func parseMarked(mark byte, s string) (formatItem, string, error) {
	if s == "" {
		return formatItem{}, s, errFormatEnd
	}
	c := s[0]
	if mark == '\\' {
		lit, ok := escapes[c]
		if !ok {
			return formatItem{}, s, fmt.Errorf("\\%c is not an escape; there are \\\\ \\0 \\a \\e \\n \\r \\t \\v", c)
		}
		return formatItem{literal: lit}, s[1:], nil
	}
	if c == '@' {
		return formatItem{literal: "@"}, s[1:], nil
	}
	if _, ok := dateField(c, time.Time{}); !ok {
		return formatItem{}, s, fmt.Errorf("@%c is not a date format", c)
	}
	return formatItem{date: c}, s[1:], nil
}

// A printer writes messages as the options ask.
type printer struct{ o *options }

// print writes one message that arrived at now. After an error, which a message that is not JSON makes, the rest of the
// line stands there all the same.
func (p printer) print(w io.Writer, m *message, now time.Time) (err error) {
	switch {
	case p.o.format != nil:
		for i := range p.o.format {
			err = cmp.Or(p.item(w, &p.o.format[i], m, now), err)
		}
		p.endLine(w)
	case p.o.verbose && len(m.payload) > 0:
		fmt.Fprintf(w, "%s %s", m.topic, m.payload)
		p.endLine(w)
	case p.o.verbose && !p.o.noEOL:
		fmt.Fprintf(w, "%s (null)\n", m.topic)
	case !p.o.verbose && len(m.payload) > 0:
		w.Write(m.payload)
		p.endLine(w)
	}
	return err
}

func (p printer) endLine(w io.Writer) {
	if !p.o.noEOL {
		io.WriteString(w, "\n")
	}
}

// item writes one part of a format.
func (p printer) item(w io.Writer, f *formatItem, m *message, now time.Time) error {
	switch {
	case f.date != 0:
		s, _ := dateField(f.date, now)
		io.WriteString(w, s)
		return nil
	case f.verb == 0:
		io.WriteString(w, f.literal)
		return nil
	}
	switch f.verb {
	case '%':
		io.WriteString(w, "%")
	case 'j', 'J':
		return printJSON(w, m, now, f.verb == 'J', p.o.pretty)
	case 'p', 'x', 'X':
		f.payload(w, m.payload)
	case 'q':
		fmt.Fprint(w, uint8(m.qos))
	case 'r':
		fmt.Fprint(w, bit(m.retain))
	case 'l':
		f.number(w, uint64(len(m.payload)), true)
	case 'm':
		f.number(w, uint64(m.id), true)
	case 't':
		f.text(w, m.topic)
	case 'I':
		f.text(w, now.Format("2006-01-02T15:04:05-0700"))
	case 'U':
		fmt.Fprintf(w, "%d.%09d", now.Unix(), now.Nanosecond())
	default:
		f.property(w, m.props)
	}
	return nil
}

// property writes a property of the message; an absent one is as many blanks as the field is wide.
func (f *formatItem) property(w io.Writer, p *mqtt.Properties) {
	var none mqtt.Properties
	if p == nil {
		p = &none
	}
	switch f.verb {
	case 'A':
		f.number(w, uint64(p.TopicAlias), p.Has(mqtt.PropTopicAlias))
	case 'C':
		f.text(w, p.ContentType)
	case 'D':
		w.Write(p.CorrelationData)
	case 'E':
		f.number(w, uint64(p.MessageExpiry), p.Has(mqtt.PropMessageExpiry))
	case 'F':
		f.number(w, uint64(p.PayloadFormat), p.Has(mqtt.PropPayloadFormat))
	case 'P':
		for i, u := range p.User {
			if i > 0 {
				io.WriteString(w, " ")
			}
			fmt.Fprintf(w, "%s:%s", u.Name, u.Value)
		}
	case 'R':
		if p.Has(mqtt.PropResponseTopic) {
			f.text(w, p.ResponseTopic)
		}
	case 'S':
		if len(p.SubscriptionIDs) == 0 {
			f.number(w, 0, false)
			return
		}
		f.number(w, uint64(p.SubscriptionIDs[0]), true)
	}
}

func (f *formatItem) number(w io.Writer, n uint64, present bool) {
	s, fill := "", " "
	if present {
		s = strconv.FormatUint(n, 10)
	}
	if f.zero && !f.left {
		fill = "0"
	}
	f.pad(w, s, fill)
}

// text writes a string, cut to the precision.
func (f *formatItem) text(w io.Writer, s string) {
	if f.precision >= 0 && f.precision < len(s) {
		s = s[:f.precision]
	}
	f.pad(w, s, " ")
}

// payload writes the message, plain or in hex. The width is also the most that is printed; in hex two of it are an octet.
func (f *formatItem) payload(w io.Writer, b []byte) {
	s := string(b)
	switch f.verb {
	case 'x':
		s = fmt.Sprintf("%x", b)
	case 'X':
		s = fmt.Sprintf("%X", b)
	}
	if f.width > 0 && len(s) > f.width {
		s = s[:f.width]
		if f.verb != 'p' {
			s = s[:f.width/2*2]
		}
	}
	fill := " "
	if f.zero && !f.left {
		fill = "0"
	}
	f.pad(w, s, fill)
}

// pad writes s in the field's width.
func (f *formatItem) pad(w io.Writer, s, fill string) {
	gap := strings.Repeat(fill, max(0, f.width-len(s)))
	if f.left {
		s, gap = gap, s
	}
	io.WriteString(w, gap+s)
}
