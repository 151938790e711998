package importer

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// security is who may do what: of everybody, or of one listener.
type security struct {
	anonymous    *bool
	passwordFile string
	aclFile      string
	lawless      bool // acl_file is there, but wrong
	foreign      bool // a plugin of unknown trade is at work
}

// A plugin is a module of Mosquitto's.
type plugin struct {
	line  directive
	label string // of plugin_load; "" = none
	name  string // of its file, without directory and ending
	of    *security
}

// securityAt is what the next line is about.
func (c *conf) securityAt(at *cursor, d directive) *security {
	if !c.perListener {
		return &c.security
	}
	if at.listener == nil {
		at.listener = c.standardListener(d)
	}
	return &at.listener.security
}

func perListenerSettings(c *conf, _ *cursor, d directive) {
	if on, ok := c.boolean(d); ok && on {
		c.perListener = true
	}
}

func allowAnonymous(c *conf, at *cursor, d directive) {
	if on, ok := c.boolean(d); ok {
		c.securityAt(at, d).anonymous = &on
	}
}

func listenerAllowAnonymous(c *conf, at *cursor, d directive) {
	onListener(func(c *conf, at *cursor, d directive) {
		if on, ok := c.boolean(d); ok {
			at.listener.security.anonymous = &on
		}
	})(c, at, d)
}

func passwordFile(c *conf, at *cursor, d directive) {
	if path, ok := c.text(d); ok {
		s := c.securityAt(at, d)
		s.passwordFile = path
		if c.perListener {
			at.listener.served = true // of the options here, this one makes Mosquitto serve its default listener
		}
	}
}

func aclFile(c *conf, at *cursor, d directive) {
	s := c.securityAt(at, d)
	path, ok := c.text(d)
	s.aclFile, s.lawless = path, !ok
}

// loadPlugin meets a plugin. Those that only read Mosquitto's own files are known by name.
func loadPlugin(c *conf, at *cursor, d directive) {
	path, label := d.rest, ""
	if d.key == "plugin_load" { // a name for plugin_use stands in front
		label = d.first()
		path = strings.TrimSpace(strings.TrimPrefix(path, label))
	}
	if path == "" {
		c.wrong(d, "has no value")
		return
	}
	file := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	p := &plugin{line: d, label: label, name: strings.TrimPrefix(file, "mosquitto_")}
	switch d.key {
	case "plugin_load": // works where it is used
		p.of = &security{}
	case "global_plugin":
		p.of = &c.security
	default:
		p.of = c.securityAt(at, d)
	}
	c.plugins = append(c.plugins, p)
	at.plugin = p
	switch p.name {
	case "password_file", "acl_file":
	case "persist_sqlite":
		c.persistence, c.database = true, d
	default:
		p.of.foreign = true
		c.lose(d, "Midge runs no plugins; as this one may keep clients out, allow_anonymous is false where it works")
	}
}

// usePlugin gives the listener what a plugin does.
func usePlugin(c *conf, at *cursor, d directive) {
	for _, p := range c.plugins {
		if p.label != "" && p.label == d.first() {
			at.plugin = p
			at.listener.plugins = append(at.listener.plugins, p)
			return
		}
	}
	c.wrong(d, fmt.Sprintf("there is no plugin %q", d.first()))
}

// pluginOption meets an option of the plugin above it. Names of plugins say what may be read; options of others go with their plugin.
func pluginOption(c *conf, at *cursor, d directive) {
	if at.plugin == nil {
		c.wrong(d, "belongs to a plugin, but there is none above it")
		return
	}
	_, option, _ := strings.Cut(d.key, "_opt_")
	switch at.plugin.name + " " + option {
	case "password_file password_file":
		at.plugin.of.passwordFile, _ = c.text(d)
	case "acl_file acl_file":
		path, ok := c.text(d)
		at.plugin.of.aclFile, at.plugin.of.lawless = path, !ok
	case "persist_sqlite db_file":
		if path, ok := c.text(d); ok {
			c.location = filepath.Dir(path)
		}
	}
}

// own is what a listener says for itself, in lines and by the plugins that it uses.
func (l *listener) own() security {
	s := l.security
	for _, p := range l.plugins {
		s.passwordFile = cmp.Or(s.passwordFile, p.of.passwordFile)
		s.aclFile = cmp.Or(s.aclFile, p.of.aclFile)
		s.lawless = s.lawless || p.of.lawless
		s.foreign = s.foreign || p.of.foreign
	}
	return s
}

// anonymous reports whether a listener lets clients in that have no user name.
func (c *conf) anonymous(l *listener) bool {
	own := l.own()
	switch {
	case own.foreign || c.security.foreign:
		return false
	case own.anonymous != nil:
		return *own.anonymous
	case c.security.anonymous != nil:
		return *c.security.anonymous
	}
	return !c.named
}

// passwordsToCome stands where a plugin knew the users.
const passwordsToCome = "passwd"

// saveAccess writes what a listener says for itself. It reports whether anybody may come in: Midge opens no listener for nobody.
func (c *conf) saveAccess(l *listener) bool {
	own := l.own()
	if own.lawless || c.security.lawless {
		c.lose(l.line, "acl_file is wrong, and without it everything would be allowed; this listener is left out")
		return false
	}
	if c.perListener || own.anonymous != nil || own.foreign {
		l.keys.set("allow_anonymous", c.anonymous(l))
	}
	switch {
	case own.passwordFile != "":
		l.keys.set("password_file", own.passwordFile)
	case own.foreign:
		l.keys.set("password_file", passwordsToCome, "to be made: midge passwd -c passwd NAME")
	case c.security.passwordFile == "" && !c.security.foreign && !c.anonymous(l) && !l.keys.has("use_identity_as_username"):
		c.lose(l.line, "nobody comes in here, as allow_anonymous is false and there is no password_file; this listener is left out")
		return false
	}
	if own.aclFile != "" {
		l.keys.set("acl_file", own.aclFile)
	}
	return true
}

// usersUnproved reports whether there are rules for users that nothing proves to be one: Mosquitto believes whoever says so, Midge does not.
func (c *conf) usersUnproved(l *listener) bool {
	own := l.own()
	acl := cmp.Or(own.aclFile, c.security.aclFile)
	known := cmp.Or(own.passwordFile, c.security.passwordFile) != "" || own.foreign || c.security.foreign || l.keys.has("use_identity_as_username")
	if acl == "" || known {
		return false
	}
	rules, err := c.read(acl)
	return err != nil || slices.ContainsFunc(directives(acl, rules), func(d directive) bool { return d.key == "user" })
}

// authTable is what holds where a listener says nothing.
func (c *conf) authTable() *table {
	t := &table{header: "[auth]"}
	if c.perListener {
		t.set("allow_anonymous", false, "each listener has its own")
		return t
	}
	t.set("allow_anonymous", c.anonymous(&listener{}))
	switch {
	case c.security.passwordFile != "":
		t.set("password_file", c.security.passwordFile)
	case c.security.foreign:
		t.set("password_file", passwordsToCome, "to be made: midge passwd -c passwd NAME")
	}
	if c.security.aclFile != "" {
		t.set("acl_file", c.security.aclFile)
	}
	return t
}
