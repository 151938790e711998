package importer

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// A conf is what the lines of a mosquitto.conf have said so far.
type conf struct {
	*job
	lines       int  // read so far
	faults      int  // of them wrong
	perListener bool // per_listener_settings: authentication stands with each listener
	security    security
	plugins     []*plugin

	standard  *listener // Mosquitto's default listener: of port, bind_address and listener options above any listener line
	named     bool      // a listener line, port or bind_address was there; otherwise Mosquitto serves this machine only
	listeners []*listener
	places    map[string]bool // of listeners that are carried over
	bridges   []*bridge

	node, log, limits table
	persistence       bool
	location          string    // persistence_location
	database          directive // where persistence was switched on
	every             onEvery
	logging           logging
}

// A cursor is what the lines of one file refer to. An included file begins with none.
type cursor struct {
	level    int // 0 = the main file
	listener *listener
	bridge   *bridge
	plugin   *plugin
}

// readConf imports a mosquitto.conf.
func readConf(j *job, path string, data []byte) *document {
	c := &conf{job: j, places: map[string]bool{}}
	c.node.header, c.log.header, c.limits.header = "[node]", "[log]", "[limits]"
	c.take(&cursor{}, path, data)
	return c.document()
}

// take follows the lines of one file.
func (c *conf) take(at *cursor, path string, data []byte) {
	for _, d := range directives(path, data) {
		c.lines++
		d.at = c.lines
		switch do, known := options[d.key]; {
		case known:
			do(c, at, d)
		case strings.HasPrefix(d.key, "plugin_opt_"), strings.HasPrefix(d.key, "auth_opt_"):
			pluginOption(c, at, d)
		default:
			c.lose(d, "Mosquitto 2.1 has no such option")
		}
	}
}

// include follows the files of an include_dir.
func include(c *conf, at *cursor, d directive) {
	if at.level > 0 {
		c.wrong(d, "only the main file may include others")
		return
	}
	if d.rest == "" {
		c.wrong(d, "has no value")
		return
	}
	for _, path := range c.included(d) {
		data, err := c.read(path)
		if err != nil {
			c.lose(d, "a file in it cannot be read: "+err.Error())
			continue
		}
		c.take(&cursor{level: at.level + 1}, path, data)
	}
}

// lose reports what Midge cannot do.
func (c *conf) lose(d directive, why string) {
	c.leave(Left{File: d.file, Line: d.line, Option: d.key, Why: why, at: d.at})
}

// wrong reports what Mosquitto would refuse too.
func (c *conf) wrong(d directive, why string) {
	c.faults++
	c.lose(d, why+"; this line is left out")
}

// document makes the tables.
func (c *conf) document() *document {
	doc := &document{root: []entry{{"link", []string{}, "no MQTT-SN, as Mosquitto has none; without this line it is served on UDP of this machine"}}}
	c.saveData()
	c.saveLogging()
	doc.add(&c.node)
	doc.add(&c.log)
	doc.add(&c.limits)
	c.saveListeners(doc)
	c.saveBridges(doc)
	http := &table{header: "[http]"}
	http.set("address", "", `Mosquitto has none; "127.0.0.1:8080" serves /metrics and /healthz`)
	doc.add(http)
	return doc
}

func persistence(c *conf, _ *cursor, d directive) {
	if on, ok := c.boolean(d); ok {
		c.persistence, c.database = on, d
	}
}

func persistenceLocation(c *conf, _ *cursor, d directive) {
	if path, ok := c.text(d); ok {
		c.location = path
	}
}

// saveData says where state is kept. Mosquitto's default is nowhere.
func (c *conf) saveData() {
	switch {
	case !c.persistence:
		c.node.set("data_dir", "", `persistence is off in mosquitto.conf; "data" keeps state over restarts and power cuts`)
		return
	case c.location == "":
		c.node.set("data_dir", "data", "every acknowledged message is on disk, there is no autosave")
	default:
		c.node.set("data_dir", filepath.Join(c.location, "midge"), "every acknowledged message is on disk, there is no autosave")
	}
	c.lose(c.database, "what Mosquitto's database holds stays there; retained messages and sessions begin anew")
}

// anyLess is for numbers that Mosquitto raises when they are too low.
const anyLess = math.MinInt32

// number wants a whole number in a range; ok is false when it is none, and the line is reported.
func (c *conf) number(d directive, least, most int) (n int, ok bool) {
	v, err := parseNumber(d.first())
	switch {
	case d.first() == "":
		c.wrong(d, "has no value")
	case err != nil:
		c.wrong(d, fmt.Sprintf("%q is not a whole number", d.first()))
	case v > int64(most) && least == anyLess:
		c.wrong(d, fmt.Sprintf("%d is out of range; it goes to %d", v, most))
	case v < int64(least) || v > int64(most):
		c.wrong(d, fmt.Sprintf("%d is out of range; it goes from %d to %d", v, least, most))
	default:
		return int(v), true
	}
	return 0, false
}

// boolean wants true or false.
func (c *conf) boolean(d directive) (value, ok bool) {
	switch d.first() {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	case "":
		c.wrong(d, "has no value")
	default:
		c.wrong(d, fmt.Sprintf("%q is neither true nor false", d.first()))
	}
	return false, false
}

// word wants a value of one word.
func (c *conf) word(d directive) (string, bool) {
	if d.first() == "" {
		c.wrong(d, "has no value")
	}
	return d.first(), d.first() != ""
}

// text wants a value, which may hold blanks.
func (c *conf) text(d directive) (string, bool) {
	switch {
	case d.rest == "":
		c.wrong(d, "has no value")
		return "", false
	case !plainText(d.rest):
		c.wrong(d, "the value is not UTF-8 text")
		return "", false
	}
	return d.rest, true
}
