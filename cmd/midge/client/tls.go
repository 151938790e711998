package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

type tlsOptions struct {
	on             bool
	cafile, capath string
	cert, key      string
	insecure       bool
	version, alpn  string
	osCerts        bool
}

var tlsVersions = map[string]uint16{"tlsv1.3": tls.VersionTLS13, "tlsv1.2": tls.VersionTLS12, "tlsv1.1": tls.VersionTLS11}

func (t *tlsOptions) check() error {
	if (t.cert == "") != (t.key == "") {
		return errors.New("--cert and --key must be given together")
	}
	if t.version != "" && tlsVersions[t.version] == 0 {
		return fmt.Errorf("TLS version must be tlsv1.3, tlsv1.2 or tlsv1.1, not %q", t.version)
	}
	return nil
}

// config builds the TLS configuration for a connection to host.
func (t *tlsOptions) config(host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if v := tlsVersions[t.version]; v != 0 {
		c.MinVersion, c.MaxVersion = v, v
	}
	if t.alpn != "" {
		c.NextProtos = []string{t.alpn}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("client certificate cannot be used: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	var err error
	if c.RootCAs, err = t.roots(); err != nil {
		return nil, err
	}
	if t.insecure {
		skipHostName(c)
	}
	return c, nil
}

// roots are the CA certificates given; nil means those of the system.
func (t *tlsOptions) roots() (*x509.CertPool, error) {
	var files []string
	if t.cafile != "" {
		files = append(files, t.cafile)
	}
	if t.capath != "" {
		found, _ := filepath.Glob(filepath.Join(t.capath, "*"))
		files = append(files, found...)
	}
	if len(files) == 0 && t.capath == "" {
		return nil, nil
	}
	pool, any := x509.NewCertPool(), false
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil && f == t.cafile {
			return nil, fmt.Errorf("CA file cannot be read: %w", err)
		}
		any = pool.AppendCertsFromPEM(pem) || any
	}
	if !any {
		return nil, fmt.Errorf("there is no CA certificate in %s", t.cafile+t.capath)
	}
	return pool, nil
}

// skipHostName makes --insecure what it is for Mosquitto: the chain is verified, the host name is not.
func skipHostName(c *tls.Config) {
	roots := c.RootCAs
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}
