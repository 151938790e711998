package dtls

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/pion/dtls/v3"
)

// Config says where a gateway listens and whom it believes.
type Config struct {
	Address  string // "host:port"; ":8883" is IPv4 and IPv6, port 0 any free one
	MTU      int    // longest message in octets; 0 is 8,128
	Sessions int    // peers at a time; 0 is 10,000

	PSK PSK // nil: none

	Certificates []tls.Certificate // the gateway's own; none: PSK alone
	ClientCAs    *x509.CertPool    // who may vouch for devices; nil: their certificates are not asked for
	RequireCert  bool              // a device with neither certificate nor PSK does not come in

	// Failed, if not nil, is told of handshakes that come to nothing, by any goroutine, and must not wait. Those of senders that may be somebody else are only counted.
	Failed func(Failure)
}

// DialConfig says how a device proves who it is.
type DialConfig struct {
	Address string // of the gateway, host:port

	Identity string // with Key: a pre-shared key
	Key      []byte

	Certificate *tls.Certificate // of the device; nil: none
	RootCAs     *x509.CertPool   // who may vouch for the gateway; nil without PSK: the system's
	ServerName  string           // "" = the host of Address
}

const (
	// overhead bounds what a record adds to a message: header 13, Connection ID 8, explicit nonce 8, tag 16, inner type 1.
	overhead = 64
	// mtuMax is the longest message: pion reads datagrams of 8,192 octets.
	mtuMax = 8192 - overhead
	// idSize is the length of a Connection ID in octets: long enough not to be guessed, short enough for a radio.
	idSize = 8
	// sessionsMax is how many peers there may be unless the configuration says otherwise: about 40 KB each.
	sessionsMax = 10_000
	// handshakesMax are under way at once.
	handshakesMax = 256
	// handshakeTimeout is for slow networks: NB-IoT takes ten seconds for a round trip in a bad cell.
	handshakeTimeout = time.Minute
)

// Suites with forward secrecy first. CCM_8 is what constrained devices have (RFC 7925 §4).
var (
	certificateSuites = []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, dtls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	}
	pskSuites = []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, dtls.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256,
		dtls.TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_PSK_WITH_AES_128_CCM_8,
	}
)

func (c *Config) options() ([]dtls.ServerOption, error) {
	if c.PSK == nil && len(c.Certificates) == 0 {
		return nil, fmt.Errorf("DTLS link %s has neither pre-shared keys nor a certificate", c.Address)
	}
	if c.MTU < 0 || c.MTU > mtuMax {
		return nil, fmt.Errorf("MTU of DTLS link %s is %d, must be 0 to %d", c.Address, c.MTU, mtuMax)
	}
	o := []dtls.ServerOption{
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithLoggerFactory(silent{}),
	}
	var suites []dtls.CipherSuiteID
	if len(c.Certificates) > 0 {
		suites = certificateSuites
		o = append(o, dtls.WithCertificates(c.Certificates...))
	}
	if c.PSK != nil {
		suites = append(suites[:len(suites):len(suites)], pskSuites...)
		o = append(o, dtls.WithPSK(c.PSK.key)) // each handshake says so again, see shake
	}
	if c.ClientCAs != nil {
		auth := dtls.VerifyClientCertIfGiven
		if c.RequireCert {
			auth = dtls.RequireAndVerifyClientCert
		}
		o = append(o, dtls.WithClientCAs(c.ClientCAs), dtls.WithClientAuth(auth))
	}
	return append(o, dtls.WithCipherSuites(suites...)), nil
}

// PSK are pre-shared keys by identity.
type PSK map[string][]byte

// key is pion's callback. An unknown identity gets a key that nobody has: its handshake fails as one with a wrong key does.
func (p PSK) key(identity []byte) ([]byte, error) {
	if key, ok := p[string(identity)]; ok {
		return key, nil
	}
	decoy := make([]byte, 16)
	rand.Read(decoy)
	return decoy, nil
}

func (c *DialConfig) options(host string) []dtls.ClientOption {
	o := []dtls.ClientOption{
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()),
		dtls.WithLoggerFactory(silent{}),
	}
	if c.Key != nil {
		return append(o, dtls.WithPSK(func([]byte) ([]byte, error) { return c.Key, nil }),
			dtls.WithPSKIdentityHint([]byte(c.Identity)), dtls.WithCipherSuites(pskSuites...))
	}
	if c.ServerName != "" {
		host = c.ServerName
	}
	o = append(o, dtls.WithRootCAs(c.RootCAs), dtls.WithServerName(host), dtls.WithCipherSuites(certificateSuites...))
	if c.Certificate != nil {
		o = append(o, dtls.WithCertificates(*c.Certificate))
	}
	return o
}
