package node

import (
	"errors"
	"fmt"
	"strings"

	"midge/broker"
	"midge/broker/auth"
	"midge/broker/bridge"
	"midge/broker/listener"
	"midge/cmd/midge/config"
	"midge/cmd/midge/guard"
	"midge/transports/dtls"
)

// doors are where clients come in: one for each listener, in the order of the configuration, and one for all links.
type doors struct {
	*guard.Guard
	listeners []*guard.Door
	links     *guard.Door
	devices   *auth.Passwords // of the links, as last read
}

// rules are what holds at them.
type rules struct {
	listeners []guard.Rules
	links     guard.Rules
	warnings  []string
}

// loadRules reads all password and ACL files that cfg names, each once. The error has everything that is wrong with them.
func loadRules(cfg *config.Config) (r rules, err error) {
	f := files{passwords: map[string]*auth.Passwords{}, acls: map[string]*auth.ACL{}}
	for _, l := range cfg.Listeners {
		a := cfg.AdmissionAt(l)
		r.listeners = append(r.listeners, guard.Rules{Anonymous: a.Anonymous, Passwords: f.password(a.PasswordFile), ACL: f.acl(a.ACLFile), CheckSubscribe: cfg.Auth.ACLCheckSubscribe})
	}
	r.links = guard.Rules{Anonymous: true, Passwords: f.password(cfg.Auth.PasswordFile), ACL: f.acl(cfg.Auth.ACLFile), CheckSubscribe: cfg.Auth.ACLCheckSubscribe}
	r.warnings = f.warnings
	return r, errors.Join(f.problems...)
}

// Check reads the files that cfg names and says what is wrong with them.
func Check(cfg *config.Config) error {
	_, err := prepare(cfg)
	for _, b := range cfg.Bridges {
		err = errors.Join(err, bridge.Check(bridgeConfig(b, cfg.Node.Name())))
	}
	return err
}

// prepared is what a reload replaces, as far as files say it.
type prepared struct {
	rules
	policies []listener.Policy // in the order of the listeners
	dtls     []dtls.Config     // in the order of the links; that of others is empty
}

// prepare reads the files that cfg names but for those of bridges. The error has everything that is wrong.
func prepare(cfg *config.Config) (p prepared, err error) {
	p.rules, err = loadRules(cfg)
	for _, l := range cfg.Listeners {
		one, fault := policy(l)
		err = errors.Join(err, fault)
		p.policies = append(p.policies, one)
	}
	for _, l := range cfg.Links {
		var one dtls.Config
		if l.Type == "dtls" {
			var fault error
			if one, fault = dtlsConfig(l); fault != nil {
				err = errors.Join(err, fmt.Errorf("link %s: %w", l.Name, fault))
			}
		}
		p.dtls = append(p.dtls, one)
	}
	return p, err
}

// files are the files that have been read.
type files struct {
	passwords map[string]*auth.Passwords // by path
	acls      map[string]*auth.ACL
	problems  []error
	warnings  []string
}

func (f *files) password(path string) *auth.Passwords {
	if _, known := f.passwords[path]; !known && path != "" {
		p, err := auth.LoadPasswords(path)
		f.passwords[path] = p
		if err != nil {
			f.problems = append(f.problems, err)
		}
	}
	return f.passwords[path]
}

func (f *files) acl(path string) *auth.ACL {
	if _, known := f.acls[path]; !known && path != "" {
		a, err := auth.LoadACL(path)
		f.acls[path] = a
		if err != nil {
			f.problems = append(f.problems, err)
		}
		f.warnings = append(f.warnings, a.Warnings()...)
	}
	return f.acls[path]
}

// guard opens the doors.
func (n *Node) guard(cfg *config.Config) error {
	r, err := loadRules(cfg)
	if err != nil {
		return err
	}
	n.doors.Guard = guard.New(n.log)
	n.Add("guard", n.doors.Run)
	for i, l := range cfg.Listeners {
		n.doors.listeners = append(n.doors.listeners, n.doors.Door(l.Address, r.listeners[i]))
	}
	n.doors.links, n.doors.devices = n.doors.Door("links", r.links), r.links.Passwords
	n.warn(r)
	n.Broker.Authorize(n.access)
	return nil
}

func (n *Node) warn(r rules) {
	for _, w := range r.warnings {
		n.log.Warn("the ACL file says what can hardly be meant", "reason", w)
	}
}

// access gives a session without a client that was without rules, as all are after a restart, those of [auth]. Until its client comes back they are for its will alone.
func (n *Node) access(clientID, username string, old broker.Access) broker.Access {
	if old != nil || strings.HasPrefix(clientID, "$bridge/") { // what a bridge carries is said by its topics
		return old
	}
	return n.doors.links.Access(username, clientID)
}
