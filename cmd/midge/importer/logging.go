package importer

import "fmt"

// logging is what the log options have said. Mosquitto adds up destinations and types.
type logging struct {
	types      map[string]bool
	typed      bool // log_type was there
	everything bool
}

func logDest(c *conf, _ *cursor, d directive) {
	const stderr = "Midge logs to standard error; "
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "stderr":
	case "stdout":
		c.lose(d, stderr+"redirect it with 2>&1")
	case "file":
		c.lose(d, stderr+"systemd keeps it, or redirect it with 2>>FILE")
	case "syslog":
		c.lose(d, stderr+"under systemd the journal takes it, and syslog from there")
	case "topic":
		c.log.set("topic", true)
	case "none":
		c.logging = logging{types: map[string]bool{}, typed: true}
		c.lose(d, `Midge always logs; level = "error" is the least`)
	case "dlt", "android":
		c.lose(d, stderr+"there is nothing for "+v)
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of stderr, stdout, file, syslog, topic, none", v))
	}
}

func logType(c *conf, _ *cursor, d directive) {
	l := &c.logging
	if l.types == nil {
		l.types = map[string]bool{}
	}
	v, ok := c.word(d)
	if !ok {
		return
	}
	switch v {
	case "none":
		l.types, l.everything = map[string]bool{}, false
	case "all":
		l.everything = true
	case "debug", "internal", "error", "warning", "notice", "information", "subscribe", "unsubscribe", "websockets":
		l.types[v] = true
	default:
		c.wrong(d, fmt.Sprintf("%q is not one of error, warning, notice, information, debug, subscribe, unsubscribe, websockets, none, all", v))
		return
	}
	l.typed = true
}

// saveLogging chooses the level that holds all that was asked for. Mosquitto's default is Midge's.
func (c *conf) saveLogging() {
	l := c.logging
	if !l.typed {
		return
	}
	level := "error"
	switch {
	case l.everything, l.types["debug"], l.types["subscribe"], l.types["unsubscribe"], l.types["internal"]:
		level = "debug"
	case l.types["information"], l.types["notice"], l.types["websockets"]:
		level = "info"
	case l.types["warning"]:
		level = "warn"
	}
	c.log.set("level", level)
}
