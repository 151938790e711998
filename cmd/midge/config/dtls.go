package config

// dtls checks a [[link]] of type dtls. The files are opened when Midge starts.
func (v checker) dtls(at string, l Link) {
	v.foreign(at, "serial", "dtls", serialKeys...)
	v.foreign(at, "xbee", "dtls", xbeeKeys...)
	v.foreign(at, "udp", "dtls", "groups", "multicast_hops")
	if l.MTU != 0 {
		v.number(at+".mtu", l.MTU, mtuLeast, 8128)
	}
	switch {
	case l.PSKFile == "" && l.CertFile == "":
		v.addf(at+".type", `[link] of type dtls needs to know its devices; write psk_file = "psk.txt" beside it, or cert_file and key_file`)
	case l.CertFile == "" && l.KeyFile != "":
		v.addf(at+".key_file", "[link] key_file needs its cert_file beside it")
	case l.CertFile != "" && l.KeyFile == "":
		v.addf(at+".cert_file", "[link] cert_file needs its key_file beside it")
	case l.CAFile != "" && l.CertFile == "":
		v.addf(at+".ca_file", "[link] ca_file is for the certificates of devices, and for these the gateway needs one too; write cert_file and key_file beside it")
	case l.RequireCertificate && l.CAFile == "":
		v.addf(at+".require_certificate", "[link] require_certificate needs a ca_file beside it: who may sign the certificates of devices")
	}
	if !v.required(at+".address", l.Address, "[link] of type dtls", "127.0.0.1:8883") || !v.address(at+".address", l.Address) {
		return
	}
	v.linkReach(at, l)
}

// open reports whether devices may come in that prove nothing.
func (l Link) open() bool {
	return l.Type != "dtls" || l.CertFile != "" && !l.RequireCertificate
}

// RebindPolicy is one of RebindPolicies. Where links know their devices by more than an address, only the same device may go on from another one, unless it
// is said otherwise.
func (l Link) RebindPolicy() string {
	switch {
	case l.Rebind != "":
		return l.Rebind
	case l.Type == "dtls":
		return "same-identity"
	}
	return "open"
}

// whoByDTLS says who comes in over DTLS.
func (l Link) whoByDTLS() (who string) {
	switch {
	case l.open():
		return "anyone without a password"
	case l.CertFile != "":
		who = "whoever has a certificate by " + l.CAFile
	}
	if l.PSKFile != "" && who != "" {
		who = " and " + who
	}
	if l.PSKFile != "" {
		who = "whoever has a key of " + l.PSKFile + who
	}
	return who
}
