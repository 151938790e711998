package mqttsn

import (
	"fmt"
	"strconv"
	"strings"
)

// Text is String with payloads shown instead of counted, for traces in tests. [ParseText] reads it back.
func Text(p Packet) string {
	switch p := p.(type) {
	case Publish:
		return fmt.Sprintf("%s data=%q", p.head(), p.Data)
	case Auth:
		return fmt.Sprintf("AUTH reason=%d method=%s data=%q", p.Reason, name(p.Method), p.Data)
	case WillMsg:
		return fmt.Sprintf("WILLMSG data=%q", p.Data)
	case WillMsgUpd:
		return fmt.Sprintf("WILLMSGUPD data=%q", p.Data)
	}
	return p.String()
}

// name shows text from the wire: bare when it can be mistaken for nothing else, quoted and escaped otherwise, so
// that a line feed or an escape sequence in a client id never reaches a terminal.
func name(s string) string {
	if s == "" || strings.ContainsFunc(s, unsafe) {
		return strconv.Quote(s)
	}
	return s
}

func unsafe(r rune) bool {
	alnum := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !alnum && !strings.ContainsRune("-_./+#:$@", r)
}

// topic shows a topic reference: 0x0012(normal), 0x0001(predefined), ab(short).
func topic(t TopicIDType, id uint16) string {
	if t == Short {
		return name(ShortName(id)) + "(short)"
	}
	return fmt.Sprintf("0x%04x(%s)", id, t)
}

// word is s when on, nothing otherwise.
func word(s string, on bool) string {
	if on {
		return s
	}
	return ""
}
