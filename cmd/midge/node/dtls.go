package node

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"midge/cmd/midge/config"
	"midge/transports"
	"midge/transports/dtls"
)

func openDTLS(l config.Link) (transports.Link, error) {
	c := dtls.Config{Address: l.Address, MTU: l.MTU, RequireCert: l.RequireCertificate}
	var err error
	if l.PSKFile != "" {
		if c.PSK, err = dtls.LoadPSK(l.PSKFile); err != nil {
			return nil, err
		}
	}
	if l.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with key %s: %w", l.CertFile, l.KeyFile, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	if l.CAFile != "" {
		pem, err := os.ReadFile(l.CAFile)
		if err != nil {
			return nil, err
		}
		if c.ClientCAs = x509.NewCertPool(); !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM form", l.CAFile)
		}
	}
	return dtls.Listen(c)
}
