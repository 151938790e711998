package node

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"midge/cmd/midge/config"
	"midge/internal/ration"
	"midge/transports/dtls"
)

// dtlsConfig reads the files of a link. Every error names the file.
func dtlsConfig(l config.Link) (c dtls.Config, err error) {
	c = dtls.Config{Address: l.Address, MTU: l.MTU, RequireCert: l.RequireCertificate}
	if l.PSKFile != "" {
		if c.PSK, err = dtls.LoadPSK(l.PSKFile); err != nil {
			return c, err
		}
	}
	if l.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
		if err != nil {
			return c, fmt.Errorf("certificate %s with key %s: %w", l.CertFile, l.KeyFile, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	if l.CAFile != "" {
		pem, err := os.ReadFile(l.CAFile)
		if err != nil {
			return c, err
		}
		if c.ClientCAs = x509.NewCertPool(); !c.ClientCAs.AppendCertsFromPEM(pem) {
			return c, fmt.Errorf("%s has no certificate in PEM form", l.CAFile)
		}
	}
	return c, nil
}

// failures logs the handshakes of a link that come to nothing, once a minute for each address and reason.
func failures(log *slog.Logger) func(dtls.Failure) {
	var mu sync.Mutex
	var said ration.Ration
	return func(f dtls.Failure) {
		mu.Lock()
		ok, unsaid := said.Take(time.Now(), f.Peer.Addr().String()+f.Reason)
		mu.Unlock()
		if ok {
			log.Warn("handshake failed", "peer", f.Peer, "reason", f.Reason, "not_logged", unsaid)
		}
	}
}
