package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
)

// Wrong or missing credentials: the same exit codes in every version and way of publishing.
func TestRefusedConnectionsEndAlike(t *testing.T) {
	b := startBroker(t, "allow_anonymous false")
	for _, v := range []string{"31", "311", "5"} {
		for _, args := range [][]string{
			{"sub", "-t", "a"}, {"pub", "-t", "a", "-m", "x"}, {"pub", "-t", "a", "-l"},
			{"pub", "-t", "a", "-m", "x", "-u", "who", "-P", "what"}, {"sub", "-t", "a", "--quiet"},
		} {
			full := append([]string{"-p", b.port, "-V", v}, args[1:]...)
			want := theirs(t, program(args[0]), "line\n", full...)()
			got := ours(t, program(args[0]), "line\n", full...)()
			if got.code != want.code || got.code == 0 || got.out != want.out || (got.errors == "") != (want.errors == "") {
				t.Errorf("%v in version %s ends alike:\n got %+v\nwant %+v", args, v, got, want)
			}
		}
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	for _, p := range []program{pubProgram, subProgram} {
		args := []string{"-h", "127.0.0.1", "-p", port, "-t", "a"}
		if p == pubProgram {
			args = append(args, "-n")
		}
		r := ours(t, p, "", args...)()
		if r.code != 1 || !strings.Contains(r.errors, "cannot connect to 127.0.0.1:"+port+": connection refused") {
			t.Errorf("midge %s says where it could not connect and why: got %+v", p, r)
		}
	}
	r := ours(t, subProgram, "", "--unix", "/nonexistent/socket", "-t", "a")()
	if r.code != 1 || !strings.Contains(r.errors, "cannot connect to /nonexistent/socket: no such file") {
		t.Errorf("a socket that is not there is named: got %+v", r)
	}
}

func TestPasswordAndUnixSocket(t *testing.T) {
	needMosquitto(t)
	peertest.Need(t, "mosquitto_passwd")
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, "anna", "secret:@%").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd writes a file: %v, %s", err, out)
	}
	socket := filepath.Join(dir, "s")
	b := startBroker(t, "password_file "+passwords+"\nallow_anonymous false\nlistener 0 "+socket)
	for _, address := range [][]string{{"-p", b.port}, {"--unix", socket}} {
		must(t, ours(t, pubProgram, "", append(address, "-u", "anna", "-P", "secret:@%", "-t", "a", "-m", "x", "-r")...))
		if r := must(t, ours(t, subProgram, "", append(address, "-u", "anna", "-P", "secret:@%", "-t", "a", "-C", "1")...)); r.out != "x\n" {
			t.Errorf("with the right password over %v the message is printed: got %+v", address, r)
		}
	}
	url := "mqtt://anna:secret%3A%40%25@localhost:" + b.port + "/a"
	if r := must(t, ours(t, subProgram, "", "-L", url, "-C", "1")); r.out != "x\n" {
		t.Errorf("user and password may stand in the URL, escaped: got %+v", r)
	}
}

func TestRetainedOnlyAndRemoveRetained(t *testing.T) {
	b := startBroker(t, "")
	fill := func() {
		for _, topic := range []string{"k/a", "k/b", "k/c"} {
			must(t, theirs(t, pubProgram, "", "-p", b.port, "-t", topic, "-m", topic, "-r", "-q", "1"))
		}
	}
	type start func(*testing.T, program, string, ...string) started
	for n, sub := range []start{ours, theirs} {
		fill()
		only := sub(t, subProgram, "", "-p", b.port, "-t", "k/#", "--retained-only", "-v", "-i", []string{"ours", "theirs"}[n])
		b.wait("Sending SUBACK to " + []string{"ours", "theirs"}[n])
		must(t, theirs(t, pubProgram, "", "-p", b.port, "-t", "k/z", "-m", "live"))
		if r := must(t, only); r.out != "k/a k/a\nk/b k/b\nk/c k/c\n" {
			t.Errorf("--retained-only ends at the first live message: got %+v", r)
		}
	}
	// mosquitto_sub 2.0.11 never ends with these flags, so there is nothing to compare with.
	if r := must(t, ours(t, subProgram, "", "-p", b.port, "-t", "k/#", "-T", "k/b", "--remove-retained", "-C", "2", "-v")); r.out != "k/a k/a\nk/c k/c\n" {
		t.Errorf("--remove-retained prints what it removes: got %+v", r)
	}
	if r := must(t, theirs(t, subProgram, "", "-p", b.port, "-t", "k/#", "-C", "1", "-v")); r.out != "k/b k/b\n" {
		t.Errorf("only what -T filtered out is left: got %+v", r)
	}
}

// A persistent session, and what it is told after it was away.
func TestPersistentSession(t *testing.T) {
	b := startBroker(t, "")
	for _, v := range []string{"311", "5"} {
		id := []string{"-p", b.port, "-V", v, "-i", "stay" + v, "-c", "-t", "s/#", "-q", "2"}
		must(t, ours(t, subProgram, "", append(id, "-E")...))
		must(t, ours(t, pubProgram, "one\ntwo\nthree\n", "-p", b.port, "-t", "s/x", "-l", "-q", "2"))
		if r := must(t, ours(t, subProgram, "", append(id, "-C", "3")...)); r.out != "one\ntwo\nthree\n" {
			t.Errorf("what came while the session of version %s was away is printed in order: got %+v", v, r)
		}
	}
}

// The broker is killed and started again: the subscriber finds it, and the publisher of lines goes on.
func TestReconnect(t *testing.T) {
	needMosquitto(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	b := &broker{t: t, port: port, dir: t.TempDir(), more: make(chan struct{})}
	stop := b.run("")
	sub := ours(t, subProgram, "", "-p", port, "-t", "a", "-C", "1", "-i", "back")
	b.wait("Sending SUBACK to back")
	stop()
	b.run("")
	b.wait("Sending SUBACK to back")
	must(t, ours(t, pubProgram, "", "-p", port, "-t", "a", "-m", "again"))
	if r := must(t, sub); r.out != "again\n" {
		t.Errorf("after connecting again messages are printed: got %+v", r)
	}
}

// Will and -d: the will of a client that is cut off reaches a subscriber, and debug lines name the packets.
func TestTakeoverBringsTheWill(t *testing.T) {
	b := startBroker(t, "")
	watch := ours(t, subProgram, "", "-p", b.port, "-t", "will", "-C", "1", "-v", "-i", "watch", "-V", "5")
	b.wait("Sending SUBACK to watch")
	first := ours(t, subProgram, "", "-p", b.port, "-t", "x", "-i", "twin", "-V", "5", "-d", "-C", "1",
		"--will-topic", "will", "--will-payload", "gone", "--will-qos", "1")
	b.wait("Sending SUBACK to twin")
	must(t, ours(t, subProgram, "", "-p", b.port, "-t", "x", "-i", "twin", "-V", "5", "-E"))
	if r := must(t, watch); r.out != "will gone\n" {
		t.Errorf("the will is published when another client takes over: got %+v", r)
	}
	// Mosquitto 2.0.11 does not say that it was a take-over, so the first client comes back.
	b.waitTimes("Sending SUBACK to twin", 3)
	must(t, ours(t, pubProgram, "", "-p", b.port, "-t", "x", "-m", "end"))
	if r := must(t, first); strings.Count(r.out, "Client twin sending CONNECT\n") != 2 || !strings.Contains(r.out, "Subscribed (mid: 2): 0\n") {
		t.Errorf("debug lines show both connections: got %+v", r)
	}
}

// certificates writes a CA, a server and a client certificate into dir.
func certificates(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	for n, name := range []string{"ca", "server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(n + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), DNSNames: []string{"broker.test"},
			IsCA: ca == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		if ca == nil {
			ca, caKey = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		keyDER, _ := x509.MarshalPKCS8PrivateKey(key)
		write(name+".crt", "CERTIFICATE", der)
		write(name+".key", "PRIVATE KEY", keyDER)
	}
}

func TestTLS(t *testing.T) {
	needMosquitto(t)
	dir := t.TempDir()
	certificates(t, dir)
	file := func(name string) string { return filepath.Join(dir, name) }
	b := startBroker(t, "allow_anonymous true\ncafile "+file("ca.crt")+"\ncertfile "+file("server.crt")+"\nkeyfile "+file("server.key")+
		"\nrequire_certificate true")
	pair := []string{"--cert", file("client.crt"), "--key", file("client.key")}
	for _, r := range []struct {
		name string
		code int
		args []string
	}{
		{"a CA, a client certificate and --insecure, for the name does not fit", 0, append(pair, "--cafile", file("ca.crt"), "--insecure")},
		{"TLS 1.2 and ALPN", 0, append(pair, "--cafile", file("ca.crt"), "--insecure", "--tls-version", "tlsv1.2", "--tls-alpn", "mqtt")},
		{"a folder of CA certificates", 0, append(pair, "--capath", dir, "--insecure")},
		{"a server certificate for another name", 1, append(pair, "--cafile", file("ca.crt"))},
		{"a server certificate of another CA, even with --insecure", 1, append(pair, "--tls-use-os-certs", "--insecure")},
		{"a client certificate that is not there", 1, []string{"--cafile", file("ca.crt"), "--cert", "/nonexistent", "--key", "/nonexistent"}},
		{"a CA file that is none", 1, append(pair, "--cafile", file("ca.key"))},
	} {
		got := ours(t, pubProgram, "", append([]string{"-h", "127.0.0.1", "-p", b.port, "-t", "tls", "-m", "x", "-r", "-q", "1"}, r.args...)...)()
		if got.code != r.code {
			t.Errorf("%s ends with code %d: got %+v", r.name, r.code, got)
		}
	}
	got := ours(t, pubProgram, "", "-h", "127.0.0.1", "-p", b.port, "-t", "tls", "-m", "x", "-q", "1", "--cafile", file("ca.crt"), "--insecure")()
	if got.code == 0 {
		t.Errorf("without a client certificate nothing is published: got %+v", got)
	}
	r := must(t, ours(t, subProgram, "", append(pair, "-h", "127.0.0.1", "-p", b.port, "-t", "tls", "-C", "1", "--cafile", file("ca.crt"), "--insecure")...))
	if r.out != "x\n" {
		t.Errorf("the message comes over TLS: got %+v", r)
	}
}
