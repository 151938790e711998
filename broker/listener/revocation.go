package listener

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// revocations are certificate revocation lists (RFC 5280 §5) by the raw name of who issued them.
type revocations map[string]*revocationList

type revocationList struct {
	*x509.RevocationList
	signed  bool            // by an authority of ours
	serials map[string]bool // of what is revoked, as big-endian octets
}

// loadRevocations reads lists in PEM. One whose issuer is among the authorities must bear its signature; others are looked at when a chain is.
func loadRevocations(name string, authorities []*x509.Certificate) (revocations, error) {
	blocks, err := pemBlocks("crl_file", name, "X509 CRL")
	if err != nil {
		return nil, err
	}
	all := revocations{}
	for i, b := range blocks {
		list, err := parseRevocations(b, authorities)
		if err != nil {
			return nil, fmt.Errorf("crl_file %s: list %d: %w", name, i+1, err)
		}
		if older := all[string(list.RawIssuer)]; older == nil || older.ThisUpdate.Before(list.ThisUpdate) {
			all[string(list.RawIssuer)] = list
		}
	}
	return all, nil
}

func parseRevocations(der []byte, authorities []*x509.Certificate) (*revocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	for _, e := range list.Extensions {
		if e.Critical { // "If a CRL contains a critical extension that the application cannot process, then the application MUST NOT use that CRL" (RFC 5280 §5.2)
			return nil, fmt.Errorf("extension %v is not understood: write a full list without it", e.Id)
		}
	}
	r := &revocationList{RevocationList: list, serials: make(map[string]bool, len(list.RevokedCertificateEntries))}
	var refused error
	for _, ca := range authorities {
		if !r.signed && bytes.Equal(ca.RawSubject, list.RawIssuer) { // there may be two of one name while its key is changed
			refused = list.CheckSignatureFrom(ca)
			r.signed = refused == nil
		}
	}
	if refused != nil {
		return nil, fmt.Errorf("%s in ca_file has not signed it: %w", list.Issuer, refused)
	}
	for _, e := range list.RevokedCertificateEntries {
		r.serials[string(e.SerialNumber.Bytes())] = true
	}
	list.RevokedCertificateEntries, list.Raw = nil, nil
	return r, nil
}

// check refuses a client none of whose chains is free of revoked certificates.
func (r revocations) check(now time.Time, chains [][]*x509.Certificate) error {
	err := errors.New("no verified certificate")
	for _, chain := range chains {
		if err = r.chain(now, chain); err == nil {
			return nil
		}
	}
	return err
}

// chain wants a list of who issued the client's certificate, and looks at those of the intermediates where there are some.
func (r revocations) chain(now time.Time, chain []*x509.Certificate) error {
	for i, cert := range chain[:len(chain)-1] {
		issuer := chain[i+1]
		switch list := r[string(cert.RawIssuer)]; {
		case list == nil && i > 0:
		case list == nil:
			return fmt.Errorf("crl_file has no list of %s", issuer.Subject)
		case !list.signed && list.CheckSignatureFrom(issuer) != nil:
			return fmt.Errorf("the list of %s in crl_file is not signed by it", issuer.Subject)
		case list.serials[string(cert.SerialNumber.Bytes())]:
			return fmt.Errorf("the certificate of %s, serial number %x, is revoked", cert.Subject, cert.SerialNumber)
		case !list.NextUpdate.IsZero() && now.After(list.NextUpdate):
			return fmt.Errorf("the list of %s in crl_file is out of date since %s", issuer.Subject, list.NextUpdate.Format(time.RFC3339))
		}
	}
	return nil
}
