package config

import "strings"

// Auth says who may connect and do what: on every listener that does not say otherwise, and on the links as far as it concerns them.
type Auth struct {
	AllowAnonymous *bool  `toml:"allow_anonymous"` // clients may come in without a user name; nil = see AdmissionAt
	PasswordFile   string `toml:"password_file"`   // "" = none
	ACLFile        string `toml:"acl_file"`        // "" = none: everything is allowed

	ACLCheckSubscribe bool `toml:"acl_check_subscribe"` // refuse subscriptions that can bring nothing
}

// Admission is who may come in at a listener and what whoever is in may do.
type Admission struct {
	Anonymous    bool
	PasswordFile string // "" = none
	ACLFile      string // "" = none
}

// AdmissionAt is what holds at a listener: what stands beside it, or else in [auth]. Anonymous clients may come in where nobody said whether they may, as long as
// there is nothing else to know clients by: no password file and no user name from a certificate.
func (c *Config) AdmissionAt(l Listener) Admission {
	a := Admission{PasswordFile: general(l.PasswordFile, c.Auth.PasswordFile), ACLFile: general(l.ACLFile, c.Auth.ACLFile)}
	switch {
	case l.AllowAnonymous != nil:
		a.Anonymous = *l.AllowAnonymous
	case c.Auth.AllowAnonymous != nil:
		a.Anonymous = *c.Auth.AllowAnonymous
	default:
		a.Anonymous = a.PasswordFile == "" && !l.UseIdentityAsUsername
	}
	return a
}

func general(own *string, all string) string {
	if own != nil {
		return *own
	}
	return all
}

// admission checks that somebody may come in at a listener.
func (v checker) admission(at string, l Listener) {
	if a := v.c.AdmissionAt(l); a.Anonymous || a.PasswordFile != "" || l.UseIdentityAsUsername {
		return
	}
	path := at + ".allow_anonymous"
	if l.AllowAnonymous == nil {
		path = "auth.allow_anonymous"
	}
	v.addf(path, "%s = false lets nobody in at %s; write a password_file beside it", v.key(path), l.Address)
}

// open reports whether everybody who reaches the listener may come in.
func (c *Config) open(l Listener) bool {
	if l.UseIdentityAsUsername {
		return !l.RequireCertificate // then a proxy tells the names, and who reaches the listener may pass for it
	}
	return c.AdmissionAt(l).Anonymous && !l.RequireCertificate
}

// Who says in a line who may come in at a listener and what they may do.
func (c *Config) Who(l Listener) string {
	a := c.AdmissionAt(l)
	var who []string
	switch {
	case l.UseIdentityAsUsername && !l.RequireCertificate:
		who = append(who, "whoever a proxy names")
	case l.UseIdentityAsUsername:
		who = append(who, "whoever is named in a certificate by "+l.CAFile)
	case l.RequireCertificate && a.Anonymous:
		who = append(who, "whoever has a certificate by "+l.CAFile)
	case a.Anonymous:
		who = append(who, "anyone without a password")
	}
	if a.PasswordFile != "" && !l.UseIdentityAsUsername {
		user := "users of " + a.PasswordFile
		if l.RequireCertificate {
			user += " who have a certificate by " + l.CAFile
		}
		who = append([]string{user}, who...)
	}
	return strings.Join(who, " and ") + l.from() + l.secrecy(a) + rights(a.ACLFile)
}

// WhoOnLink says the same of a link. MQTT-SN knows no passwords, but for the extension that auth = true switches on.
func (c *Config) WhoOnLink(l Link) string {
	who, where := "anyone without a password", from(loopback(l.Address))
	switch {
	case l.Type == "xbee":
		return "whoever is in the radio network" + rights(c.Auth.ACLFile)
	case l.Type == "serial":
		who, where = "whoever is on the line", ""
	case l.Type == "dtls":
		who = l.whoByDTLS()
	case len(l.Groups) > 0:
		where = from(false)
	}
	if l.Auth {
		who = "users of " + c.Auth.PasswordFile
		if c.Gateway.QoSMinusOne {
			where += ", and QoS -1 without a password"
		}
	}
	if len(l.AllowClients)+len(l.AllowAddresses)+len(l.DenyClients)+len(l.DenyAddresses)+len(l.ClientAddrs) > 0 {
		where += ", as far as the link's lists of clients and addresses let them"
	}
	return who + where + rights(c.Auth.ACLFile)
}

// from says where clients come from.
func (l Listener) from() string {
	if _, ok := l.SystemdName(); ok {
		return ", from where systemd listens"
	}
	return from(l.local())
}

// from says whether clients come from elsewhere.
func from(local bool) string {
	if local {
		return ", on this machine only"
	}
	return ", from anywhere"
}

// secrecy says what becomes of passwords on their way to other machines.
func (l Listener) secrecy(a Admission) string {
	if a.PasswordFile == "" || l.TLS() || l.local() {
		return ""
	}
	return ", passwords not encrypted"
}

func rights(aclFile string) string {
	if aclFile == "" {
		return "; everything is allowed"
	}
	return "; as " + aclFile + " allows"
}
