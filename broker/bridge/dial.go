package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
)

// target is where and how to connect.
type target struct {
	hostPort string
	tls      *tls.Config // nil: plain TCP
}

// newTarget reads the address and the TLS files. Every error is one sentence that names what is wrong.
func newTarget(c Config) (target, error) {
	u, err := url.Parse(c.Address)
	if err != nil || u.Hostname() == "" {
		return target{}, errors.New(`address is not a URL; write for example "mqtts://broker.example.com:8883"`)
	}
	port, secure := "1883", false
	switch u.Scheme {
	case "mqtt", "tcp":
	case "mqtts", "ssl":
		port, secure = "8883", true
	default:
		return target{}, fmt.Errorf("address has the unknown scheme %q; write mqtt:// or mqtts://", u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t := target{hostPort: net.JoinHostPort(u.Hostname(), port)}
	if secure {
		t.tls, err = tlsConfig(c, u.Hostname())
	}
	return t, err
}

func tlsConfig(c Config, host string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file cannot be read: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" || c.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s cannot be used: %w", c.CertFile, c.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// dial opens the connection, TLS handshake included.
func (t target) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if t.tls == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", t.hostPort)
	}
	return (&tls.Dialer{Config: t.tls}).DialContext(ctx, "tcp", t.hostPort)
}
