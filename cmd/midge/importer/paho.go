package importer

import "strings"

// isPaho wants every line to be CLIENT,TOPIC,ID.
func isPaho(_ string, data []byte) bool {
	lines := pahoLines(data)
	good := 0
	for _, l := range lines {
		if fields := strings.Split(l.text, ","); len(fields) >= 3 && isNumber(fields[len(fields)-1]) {
			good++
		}
	}
	return good > 0 && good*2 > len(lines)
}

// readPaho imports predefinedTopic.conf of the Paho MQTT-SN gateway: CSV without quoting, from whose lines the gateway takes all blanks.
func readPaho(j *job, path string, data []byte) *document {
	var list []predefined
	for _, l := range pahoLines(data) {
		fields := strings.Split(l.text, ",")
		if len(fields) != 3 {
			j.leave(Left{File: path, Line: l.line, Option: l.text, Why: "is not CLIENT,TOPIC,ID", at: l.line})
			continue
		}
		list = append(list, predefined{l.line, fields[0], fields[2], fields[1]})
	}
	return j.predefinedDocument(path, list, true)
}

type numbered struct {
	line int
	text string
}

// pahoLines are the lines without comments and blanks.
func pahoLines(data []byte) []numbered {
	var list []numbered
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		n++
		if strings.HasPrefix(line, "#") {
			continue
		}
		text := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n\u3000", r) {
				return -1
			}
			return r
		}, line)
		if text != "" {
			list = append(list, numbered{n, text})
		}
	}
	return list
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
