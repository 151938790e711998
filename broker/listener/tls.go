package listener

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// TLSFiles say how a listener proves who it is and how clients may prove who they are. The files are PEM. Errors call them by their keys in the
// configuration.
type TLSFiles struct {
	CertFile, KeyFile  string // the certificate with its intermediates, itself first, and its key
	CAFile             string // who may sign clients' certificates; "" = nobody
	CRLFile            string // revoked ones, a list of every CA that signs clients; "" = none are
	RequireCertificate bool   // of clients; else they are not asked
	MinVersion         uint16 // 0 = TLS 1.2
}

// TLS is what TLSFiles held when they were read. It does not change: who wants new files reads them again and gives the listener another Policy.
type TLS struct {
	files  TLSFiles
	config *tls.Config
	expiry time.Time
	lists  revocations // nil: none
}

// LoadTLS reads the files. The error names the one that is wrong.
func LoadTLS(f TLSFiles) (*TLS, error) {
	pair, err := loadPair(f.CertFile, f.KeyFile)
	if err != nil {
		return nil, err
	}
	t := &TLS{files: f, config: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: max(f.MinVersion, tls.VersionTLS12)}, expiry: pair.Leaf.NotAfter}
	if !f.RequireCertificate {
		return t, nil
	}
	authorities, err := loadCertificates(f.CAFile)
	if err != nil {
		return nil, err
	}
	t.config.ClientAuth, t.config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	for _, ca := range authorities {
		t.config.ClientCAs.AddCert(ca)
	}
	if f.CRLFile == "" {
		return t, nil
	}
	if t.lists, err = loadRevocations(f.CRLFile, authorities); err != nil {
		return nil, err
	}
	// VerifyConnection is asked for resumed sessions too, VerifyPeerCertificate would not be.
	t.config.VerifyConnection = func(s tls.ConnectionState) error { return t.lists.check(time.Now(), s.VerifiedChains) }
	return t, nil
}

// trusts tells why a client that is connected would not be let in now, by the certificates that it showed.
func (t *TLS) trusts(now time.Time, shown []*x509.Certificate) error {
	switch {
	case t.config.ClientCAs == nil:
		return nil
	case len(shown) == 0:
		return errors.New("the client has shown no certificate")
	}
	others := x509.NewCertPool()
	for _, c := range shown[1:] {
		others.AddCert(c)
	}
	chains, err := shown[0].Verify(x509.VerifyOptions{Roots: t.config.ClientCAs, Intermediates: others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil || t.lists == nil {
		return err
	}
	return t.lists.check(now, chains)
}

// Again reads the same files. Sessions of t are not resumed by what it returns: whoever had one shows his certificate again.
func (t *TLS) Again() (*TLS, error) { return LoadTLS(t.files) }

// Expiry is when the listener's own certificate ends.
func (t *TLS) Expiry() time.Time { return t.expiry }

func loadPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := readFile("cert_file", certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readFile("key_file", keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("cert_file %s with key_file %s: %s", certFile, keyFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return pair, nil
}

func readFile(key, name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	var failed *os.PathError
	if errors.As(err, &failed) {
		err = failed.Err // the name comes once
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", key, name, err)
	}
	return b, nil
}

// pemBlocks reads a file of PEM blocks, of which there must be one of the kind at least. Others are passed over.
func pemBlocks(key, name, kind string) (blocks [][]byte, err error) {
	rest, err := readFile(key, name)
	if err != nil {
		return nil, err
	}
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type == kind {
			blocks = append(blocks, b.Bytes)
		}
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%s %s: there is no %s in PEM in it", key, name, kind)
	}
	return blocks, nil
}

func loadCertificates(name string) (certs []*x509.Certificate, err error) {
	blocks, err := pemBlocks("ca_file", name, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	for i, b := range blocks {
		cert, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, fmt.Errorf("ca_file %s: certificate %d: %w", name, i+1, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// secure makes a TLS connection of nc. Its deadline is nc's; it is closed when ctx ends. The user name is "" unless the policy asks for it.
func (p *Policy) secure(ctx context.Context, nc net.Conn) (t *tls.Conn, user string, why refusal, err error) {
	t = tls.Server(nc, p.TLS.config)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, "", refusedHandshake, err
	}
	if p.IdentityAsUsername && p.TLS.files.RequireCertificate {
		if user, err = identity(t.ConnectionState().PeerCertificates); err != nil {
			return nil, "", refusedIdentity, err
		}
	}
	return t, user, 0, nil
}

// identity is the user name that a verified certificate gives.
func identity(chain []*x509.Certificate) (string, error) {
	if len(chain) == 0 {
		return "", errors.New("the client has shown no certificate to take its user name from")
	}
	name := chain[0].Subject.CommonName
	return name, validIdentity(name)
}

// validIdentity wants a common name that can be a user name.
func validIdentity(name string) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7F }
	switch {
	case name == "":
		return errors.New("the certificate has no common name (CN) to take the user name from")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, control):
		return fmt.Errorf("the certificate's common name %q cannot be a user name", name)
	}
	return nil
}
