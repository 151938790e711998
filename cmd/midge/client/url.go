package client

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// setURL is -L: mqtt(s)://[user[:password]@]host[:port]/topic. The topic is taken as it stands, '#' and all.
func (o *options) setURL(s string) error {
	scheme, rest, ok := strings.Cut(s, "://")
	port := 1883
	switch strings.ToLower(scheme) {
	case "mqtt":
	case "mqtts":
		port, o.tls.on = 8883, true
	case "ws", "wss":
		return errors.New("WebSockets are not supported here")
	default:
		ok = false
	}
	authority, topic, hasTopic := strings.Cut(rest, "/")
	if !ok || !hasTopic {
		return fmt.Errorf("URL must read mqtt://[user[:password]@]host[:port]/topic, not %q", s)
	}
	if err := setTopic(o, []string{topic}); err != nil {
		return err
	}
	u, err := url.Parse("mqtt://" + authority)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("host and port in the URL %q cannot be read", s)
	}
	o.host, o.port = u.Hostname(), port
	if u.Port() != "" {
		if o.port, err = strconv.Atoi(u.Port()); err != nil || o.port > 65535 {
			return fmt.Errorf("port in the URL must be a number up to 65535, not %q", u.Port())
		}
	}
	if u.User != nil {
		name := u.User.Username()
		o.username = &name
		if pw, ok := u.User.Password(); ok {
			o.password = &pw
		}
	}
	return nil
}
