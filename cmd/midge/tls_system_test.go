package main

import (
	"fmt"
	"strings"
	"testing"

	"midge/internal/certtest"
	"midge/internal/peertest"
)

// only is a configuration with listeners and nothing else.
func only(listeners string) string {
	return "link = []\n" + listeners + "\n[node]\ndata_dir = \"\"\n[http]\naddress = \"\"\n"
}

const tlsListener = `
[[listener]]
type = "tls"
address = "127.0.0.1:%d"
cert_file = "%s"
key_file = "%s"
`

// TestTLSWithMosquittoClients has Mosquitto's tools come in with client certificates, and some not.
func TestTLSWithMosquittoClients(t *testing.T) {
	peertest.Need(t, "mosquitto_pub", "mosquitto_sub")
	ca := certtest.New(t)
	server, good, bad, old := ca.Issue("server"), ca.Issue("good"), ca.Issue("bad"), ca.Issue("old", certtest.Expired)
	port, open := peertest.FreePort(t), peertest.FreePort(t)
	m := startMidge(t, only(fmt.Sprintf(tlsListener, open, server.CertFile, server.KeyFile)+
		fmt.Sprintf(tlsListener+"require_certificate = true\nca_file = %q\ncrl_file = %q\nuse_identity_as_username = true\n",
			port, server.CertFile, server.KeyFile, ca.File, ca.Revoke("crl.pem", []certtest.Pair{bad}))))
	with := func(p certtest.Pair) []string {
		return []string{"--cafile", ca.File, "--cert", p.CertFile, "--key", p.KeyFile}
	}
	s := subscribe(t, port, append(with(good), "-V", "mqttv5", "-t", "#")...)
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		publish(t, port, append(with(good), "-V", version, "-t", version, "-m", "with a certificate", "-q", "2")...)
		s.waitFor("a message comes over TLS", version+" with a certificate")
	}
	publish(t, open, "--cafile", ca.File, "--tls-version", "tlsv1.2", "-t", "open", "-m", "x", "-q", "1")
	s.waitFor("one of a client without a certificate comes where none is asked for", "open x")
	for name, row := range map[string]struct {
		args   []string
		logged string
	}{
		"a revoked certificate": {with(bad), "is revoked"},
		"an expired one":        {with(old), "certificate has expired"},
		"none":                  {[]string{"--cafile", ca.File}, "client didn't provide a certificate"},
	} {
		if out, err := run(t, "mosquitto_pub", append(row.args, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "x", "-m", "x", "-q", "1")...); err == nil {
			t.Errorf("%s does not come in: %s", name, out)
		}
		m.waitFor(name+" is logged", row.logged)
	}
}

// TestTLSFilesThatAreMissing wants a start to fail where a file is wrong.
func TestTLSFilesThatAreMissing(t *testing.T) {
	config := writeFile(t, "config.toml", only(fmt.Sprintf(tlsListener, peertest.FreePort(t), "/nowhere/server.pem", "/nowhere/server.key")))
	out, err := run(t, midgePath(t), "run", "-c", config)
	if err == nil || !strings.Contains(out, "cert_file /nowhere/server.pem: no such file or directory") {
		t.Errorf("a start with a wrong certificate says which file it is: %v: %s", err, out)
	}
}
