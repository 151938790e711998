package listener

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"midge/broker"
	"midge/broker/mqtt"
	"midge/internal/certtest"
)

// secured is a server with one listener that speaks TLS.
type secured struct {
	t        *testing.T
	ca       *certtest.Authority
	files    TLSFiles
	server   *Server
	listener *Listener
	addr     string
	clients  int

	mu  sync.Mutex
	log bytes.Buffer
}

// Write makes it a log's writer.
func (s *secured) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *secured) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serveTLS serves with a certificate for localhost; set changes files and policy before.
func serveTLS(t *testing.T, set func(*secured, *Policy)) *secured {
	t.Helper()
	s := &secured{t: t, ca: certtest.New(t)}
	pair := s.ca.Issue("server")
	s.files = TLSFiles{CertFile: pair.CertFile, KeyFile: pair.KeyFile}
	policy := Policy{Name: "secured"}
	set(s, &policy)
	var err error
	if policy.TLS, err = LoadTLS(s.files); err != nil {
		t.Fatal(err)
	}
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = nl.Addr().String()
	s.server = New(broker.New(broker.Limits{}), Config{}, slog.New(slog.NewTextHandler(s, nil)))
	s.listener = s.server.Listener(nl, policy)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.listener.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		start := time.Now()
		if err := <-done; err != nil {
			t.Errorf("the server ends without an error, not with %v", err)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("the server ends at once, not after %v", took)
		}
	})
	return s
}

// requireCertificates makes clients show one.
func requireCertificates(s *secured, p *Policy) {
	s.files.RequireCertificate, s.files.CAFile = true, s.ca.File
}

// client is a TLS configuration that believes the server.
func (s *secured) client(pairs ...certtest.Pair) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	c.RootCAs.AddCert(s.ca.Cert)
	for _, p := range pairs {
		c.Certificates = append(c.Certificates, p.TLS(s.t))
	}
	return c
}

// connect sends a CONNECT and returns what is wrong when no CONNACK comes. The server has closed the connection then.
func (s *secured) connect(c *tls.Config) (*tls.Conn, error) {
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { raw.Close() })
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	s.clients++
	nc := tls.Client(raw, c)
	nc.Write(connectPacket(mqtt.V311, fmt.Sprint("c", s.clients)))
	if _, err = readPacket(nc); err != nil {
		io.Copy(io.Discard, raw)
	}
	return nc, err
}

func (s *secured) wantIn(sentence string, c *tls.Config) *tls.Conn {
	s.t.Helper()
	nc, err := s.connect(c)
	if err != nil {
		s.t.Fatalf("%s: %v", sentence, err)
	}
	return nc
}

// wantRefused wants the connection refused, counted, and the log to say why. It forgets the log.
func (s *secured) wantRefused(sentence string, c *tls.Config, reason, logged string) {
	s.t.Helper()
	before := s.server.Refused()[reason]
	if _, err := s.connect(c); err == nil {
		s.t.Errorf("%s: it came in", sentence)
		return
	}
	if got := s.server.Refused()[reason] - before; got != 1 {
		s.t.Errorf("%s: it is counted as %s: got %v", sentence, reason, s.server.Refused())
	}
	if !strings.Contains(s.logged(), logged) {
		s.t.Errorf("%s: the log says %q:\n%s", sentence, logged, s.logged())
	}
	s.mu.Lock()
	s.log.Reset()
	s.mu.Unlock()
}

func TestTLSVersions(t *testing.T) {
	for _, row := range []struct {
		min, offered uint16
		in           bool
	}{
		{0, tls.VersionTLS10, false}, {0, tls.VersionTLS11, false}, {0, tls.VersionTLS12, true}, {0, tls.VersionTLS13, true},
		{tls.VersionTLS13, tls.VersionTLS12, false}, {tls.VersionTLS13, tls.VersionTLS13, true},
	} {
		s := serveTLS(t, func(s *secured, p *Policy) { s.files.MinVersion = row.min })
		c := s.client()
		c.MinVersion, c.MaxVersion = row.offered, row.offered
		if row.in {
			s.wantIn(tls.VersionName(row.offered)+" is spoken", c)
		} else {
			s.wantRefused(tls.VersionName(row.offered)+" is not spoken", c, "tls_handshake", "unsupported versions")
		}
	}
}

func TestClientCertificates(t *testing.T) {
	s := serveTLS(t, requireCertificates)
	s.wantIn("a certificate of the authority comes in", s.client(s.ca.Issue("a")))
	s.wantRefused("none does not", s.client(), "tls_handshake", "client didn't provide a certificate")
	s.wantRefused("an expired one does not", s.client(s.ca.Issue("b", certtest.Expired)), "tls_handshake", "certificate has expired")
	stranger := s.client(certtest.New(t).Issue("c"))
	stranger.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger.Certificates[0], nil }
	s.wantRefused("one of another authority does not", stranger, "tls_handshake", "unknown authority")
	s.wantRefused("one for servers only does not", s.client(s.ca.Issue("d", func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})), "tls_handshake", "incompatible key usage")
}

func TestIdentityOfACertificate(t *testing.T) {
	s := serveTLS(t, func(s *secured, p *Policy) {
		requireCertificates(s, p)
		p.IdentityAsUsername = true
	})
	s.wantIn("a certificate with a common name comes in", s.client(s.ca.Issue("pump 7")))
	s.server.mu.Lock()
	for c := range s.server.conns {
		if c.identity != "pump 7" {
			t.Errorf("its common name is the connection's identity: got %q", c.identity)
		}
	}
	s.server.mu.Unlock()
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject.CommonName = name }
	}
	s.wantRefused("one without a common name does not", s.client(s.ca.Issue("x", named(""))), "no_identity", "has no common name (CN)")
	s.wantRefused("one with a name that no user has does not", s.client(s.ca.Issue("x", named("a\x01b"))), "no_identity", "cannot be a user name")
}

func TestRevocation(t *testing.T) {
	s := serveTLS(t, requireCertificates)
	good, bad := s.ca.Issue("good"), s.ca.Issue("bad")
	session := s.client(bad)
	session.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	before := s.wantIn("before it is revoked a certificate comes in", session)
	s.reload("a list is read while the listener is served", func(f *TLSFiles) { f.CRLFile = s.ca.Revoke("crl", []certtest.Pair{bad}) })
	stays := s.wantIn("then one that is not on it still comes in", s.client(good))
	s.wantRefused("one that is on it does not", s.client(bad), "tls_handshake", "is revoked")
	s.wantRefused("even if it had a session to resume", session, "tls_handshake", "is revoked")
	before.Write(mqtt.AppendPingreq(nil))
	if p, err := readPacket(before); err != nil || p[0] != 0xD0 {
		t.Errorf("a connection that stands is not touched: got % x, %v", p, err)
	}
	if n := s.server.Review(); n != 1 {
		t.Errorf("until it is asked who may stay: then %d goes, not 1", n)
	}
	if p, err := readPacket(before); err == nil && p[0] != 0xE0 {
		t.Errorf("who may not is disconnected: got % x", p)
	}
	stays.Write(mqtt.AppendPingreq(nil))
	if p, err := readPacket(stays); err != nil || p[0] != 0xD0 {
		t.Errorf("who may is not: got % x, %v", p, err)
	}
	s.reload("a list may go out of date", func(f *TLSFiles) {
		f.CRLFile = s.ca.Revoke("crl", nil, func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) })
	})
	s.wantRefused("then nobody comes in", s.client(good), "tls_handshake", "is out of date since")
	other := certtest.New(t, func(c *x509.Certificate) { c.Subject.CommonName = "other" })
	s.reload("a list may be of another authority", func(f *TLSFiles) { f.CRLFile = other.Revoke("crl", nil) })
	s.wantRefused("then nobody comes in either", s.client(good), "tls_handshake", "crl_file has no list of CN=ca")
}

// reload changes the files and reads them.
func (s *secured) reload(sentence string, change func(*TLSFiles)) {
	s.t.Helper()
	change(&s.files)
	read, err := LoadTLS(s.files)
	if err != nil {
		s.t.Fatalf("%s: %v", sentence, err)
	}
	p := *s.listener.Policy()
	p.TLS = read
	s.listener.SetPolicy(p)
}

func TestCertificateIsReplaced(t *testing.T) {
	s := serveTLS(t, func(*secured, *Policy) {})
	s.wantIn("the first certificate is shown", s.client())
	old := s.listener.Policy().TLS
	other := certtest.New(t)
	fresh := other.Issue("server")
	for from, to := range map[string]string{fresh.CertFile: s.files.CertFile, fresh.KeyFile: s.files.KeyFile} {
		b, _ := os.ReadFile(from)
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read, err := old.Again()
	if err != nil {
		t.Fatalf("the same files are read again: %v", err)
	}
	p := *s.listener.Policy()
	p.TLS = read
	s.listener.SetPolicy(p)
	c := s.client()
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AddCert(other.Cert)
	s.wantIn("then the second is", c)
	os.WriteFile(s.files.KeyFile, []byte("rubbish"), 0o600)
	if _, err := read.Again(); err == nil || !strings.Contains(err.Error(), s.files.KeyFile) {
		t.Errorf("a faulty file is named: %v", err)
	}
	s.wantIn("and what was read before stands", c)
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	ca := certtest.New(t)
	a, b := ca.Issue("a"), ca.Issue("b")
	dir := t.TempDir()
	rubbish := filepath.Join(dir, "rubbish")
	os.WriteFile(rubbish, []byte("rubbish\n"), 0o600)
	broken := filepath.Join(dir, "broken")
	os.WriteFile(broken, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), 0o600)
	namesake := certtest.New(t).Revoke("crl", nil)
	for _, row := range []struct {
		files TLSFiles
		want  string
	}{
		{TLSFiles{CertFile: "none.pem", KeyFile: a.KeyFile}, "cert_file none.pem: no such file or directory"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: "none.key"}, "key_file none.key: no such file or directory"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: b.KeyFile}, "cert_file " + a.CertFile + " with key_file " + b.KeyFile + ": private key does not match public key"},
		{TLSFiles{CertFile: rubbish, KeyFile: a.KeyFile}, "cert_file " + rubbish + " with key_file " + a.KeyFile + ": failed to find any PEM data in certificate input"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: a.KeyFile, RequireCertificate: true, CAFile: "none.pem"}, "ca_file none.pem: no such file or directory"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: a.KeyFile, RequireCertificate: true, CAFile: rubbish}, "ca_file " + rubbish + ": there is no CERTIFICATE in PEM in it"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: a.KeyFile, RequireCertificate: true, CAFile: broken}, "ca_file " + broken + ": certificate 1: x509: malformed certificate"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: a.KeyFile, RequireCertificate: true, CAFile: ca.File, CRLFile: a.CertFile}, "crl_file " + a.CertFile + ": there is no X509 CRL in PEM in it"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: a.KeyFile, RequireCertificate: true, CAFile: ca.File, CRLFile: broken}, "crl_file " + broken + ": list 1: x509: malformed crl"},
		{TLSFiles{CertFile: a.CertFile, KeyFile: a.KeyFile, RequireCertificate: true, CAFile: ca.File, CRLFile: namesake}, "crl_file " + namesake + ": list 1: CN=ca in ca_file has not signed it: x509: ECDSA verification failure"},
	} {
		if _, err := LoadTLS(row.files); err == nil || err.Error() != row.want {
			t.Errorf("the error is %q: got %v", row.want, err)
		}
	}
}

// TestHandshakeMustComeInTime has clients that take their time with TLS and with the CONNECT in it.
func TestHandshakeMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := certtest.New(t)
		pair := ca.Issue("server")
		secure, err := LoadTLS(TLSFiles{CertFile: pair.CertFile, KeyFile: pair.KeyFile})
		if err != nil {
			t.Fatal(err)
		}
		h := open(t, Policy{TLS: secure}, broker.Limits{})
		defer h.end()
		silent, theirs := net.Pipe()
		h.pipes <- theirs
		start := time.Now()
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != connectTimeout {
			t.Errorf("a client that does not begin with TLS is cut after 10 s: got %v after %v", err, time.Since(start))
		}
		slow, theirs := net.Pipe()
		h.pipes <- theirs
		start = time.Now()
		time.Sleep(6 * time.Second)
		nc := tls.Client(slow, &tls.Config{InsecureSkipVerify: true})
		if err := nc.Handshake(); err != nil {
			t.Fatalf("a handshake in time is taken: %v", err)
		}
		if _, err := nc.Read(make([]byte, 1)); err == nil || time.Since(start) != connectTimeout {
			t.Errorf("what the handshake has used is not given again to CONNECT: got %v after %v", err, time.Since(start))
		}
		late, theirs := net.Pipe()
		h.pipes <- theirs
		synctest.Wait()
		h.end()
		if _, err := late.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("who is in the middle of it when the server ends is closed: got %v", err)
		}
		if n := h.server.Connections(); n != 0 {
			t.Errorf("all are forgotten, but %d are counted", n)
		}
	})
}

// TestStuckTLSClientsDoNotHoldUpTheEnd has clients that take nothing when the server ends.
func TestStuckTLSClientsDoNotHoldUpTheEnd(t *testing.T) {
	s := serveTLS(t, func(*secured, *Policy) {})
	pings := bytes.Repeat(mqtt.AppendPingreq(nil), 32<<10)
	for range 10 {
		nc := s.wantIn("a client comes in", s.client())
		nc.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		for {
			if _, err := nc.Write(pings); err != nil {
				break // its answers are stuck, and so is what it asks
			}
		}
	}
}
