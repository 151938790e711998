package importer

import (
	"errors"
	"strings"
)

// A format is a kind of file that can be imported.
type format struct {
	name string
	is   func(name string, data []byte) bool // by its content; the name of the file decides where that says nothing
	read func(j *job, path string, data []byte) *document
}

// formats are tried in this order: the strictest first.
var formats = []format{
	{"EMQX, gateway.mqttsn.predefined", isEMQX, readEMQX},
	{"Paho MQTT-SN gateway, predefinedTopic.conf", isPaho, readPaho},
	{"bisquitt, predefined topics", isBisquitt, readBisquitt},
	{"mosquitto.conf", isConf, readConf},
}

var errUnknownFormat = errors.New("is neither a mosquitto.conf nor a list of predefined topics of the Paho MQTT-SN gateway, bisquitt or EMQX")

func recognise(name string, data []byte) (format, error) {
	if strings.IndexByte(string(data), 0) >= 0 {
		return format{}, errUnknownFormat
	}
	for _, f := range formats {
		if f.is(name, data) {
			return f, nil
		}
	}
	return format{}, errUnknownFormat
}

// isConf wants at least one line in ten to begin with an option of Mosquitto's. A file of comments only, as Mosquitto ships one, is its configuration too.
func isConf(name string, data []byte) bool {
	known, all := 0, 0
	for _, d := range directives(name, data) {
		all++
		if _, ok := options[d.key]; ok {
			known++
		}
	}
	return known*10 >= all && (all > 0 || strings.HasSuffix(name, ".conf"))
}
