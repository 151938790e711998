package config

import (
	"slices"
	"time"
)

// listeners checks every [[listener]].
func (v checker) listeners() {
	for i, l := range v.c.Listeners {
		at := element("listener", i)
		if !v.servedOf(at+".type", l.Type, ListenerTypes, listenersServed) {
			continue
		}
		v.listenerKeys(at, l)
		v.span(at+".max_keepalive", l.MaxKeepalive, 0, 65535*time.Second) // 16 bits in CONNACK
		v.wholeSeconds(at+".max_keepalive", l.MaxKeepalive)
		if l.TLS() {
			v.listenerTLS(at, l)
		}
		if v.required(at+".address", l.Address, "[listener]", "127.0.0.1:1883") && v.address(at+".address", l.Address) {
			v.admission(at, l)
			if v.c.open(l) {
				v.reach(at+".address", l.Address, l.Public, "lets everyone who reaches it publish and subscribe")
			}
		}
	}
}

// TLS reports whether connections are encrypted.
func (l Listener) TLS() bool { return l.Type == "tls" || l.Type == "wss" }

// keysOfTypes are the keys of listeners that belong to some types only.
var keysOfTypes = []struct {
	types []string
	named string
	keys  []string
}{
	{[]string{"tls", "wss"}, "tls", []string{"cert_file", "key_file", "tls_version", "require_certificate", "ca_file", "crl_file", "use_identity_as_username"}},
}

// listenerKeys refuses keys of another type: they would have no effect. Only a file tells what was written.
func (v checker) listenerKeys(at string, l Listener) {
	for _, group := range keysOfTypes {
		for _, key := range group.keys {
			if path := at + "." + key; !slices.Contains(group.types, l.Type) && v.src.written(path) {
				v.addf(path, "[listener] %s is for listeners of type %s; this one is of type %s", key, group.named, l.Type)
			}
		}
	}
}

// listenerTLS checks what stands beside the type tls. The files are opened when Midge starts.
func (v checker) listenerTLS(at string, l Listener) {
	v.required(at+".cert_file", l.CertFile, "[listener] of type "+l.Type, "server.pem")
	v.required(at+".key_file", l.KeyFile, "[listener] of type "+l.Type, "server.key")
	v.oneOf(at+".tls_version", l.TLSVersion, TLSVersions)
	switch {
	case l.RequireCertificate && l.CAFile == "":
		v.addf(at+".require_certificate", "[listener] require_certificate needs a ca_file beside it: who may sign the certificates of clients")
	case l.RequireCertificate:
	case l.CRLFile != "":
		v.addf(at+".crl_file", "[listener] crl_file needs require_certificate = true beside it")
	case l.UseIdentityAsUsername:
		v.addf(at+".use_identity_as_username", "[listener] use_identity_as_username needs require_certificate = true beside it")
	}
}
