package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"midge/broker/auth"
	"midge/internal/certtest"
	"midge/internal/peertest"
)

// theirPasswords writes a password file with Debian's mosquitto_passwd; users are "name:password".
func theirPasswords(t *testing.T, users ...string) string {
	t.Helper()
	peertest.Need(t, "mosquitto_passwd")
	path := filepath.Join(t.TempDir(), "passwords")
	for i, u := range users {
		name, password, _ := strings.Cut(u, ":")
		args := []string{"-b", path, name, password}
		if i == 0 {
			args = append([]string{"-c"}, args...)
		}
		if out, err := exec.Command("mosquitto_passwd", args...).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd %v: %v: %s", args, err, out)
		}
	}
	return path
}

// guarded is a midge whose listener asks for passwords.
func guarded(t *testing.T, passwords, acl string) (p *process, port int) {
	t.Helper()
	port = peertest.FreePort(t)
	return startMidge(t, fmt.Sprintf("link = []\n[node]\ndata_dir = \"\"\n[http]\naddress = \"\"\n[[listener]]\naddress = \"127.0.0.1:%d\"\n[auth]\npassword_file = %q\nacl_file = %q\n",
		port, passwords, acl)), port
}

// TestMosquittoClientsWithPasswords logs in with mosquitto_pub against a file that Debian's mosquitto_passwd wrote. Codes and words are what mosquitto 2.0.11 answers to the same.
func TestMosquittoClientsWithPasswords(t *testing.T) {
	peertest.Need(t, "mosquitto_pub")
	p, port := guarded(t, theirPasswords(t, "joe:secret", "ann:other"), "")
	p.waitFor("midge says who may come in", "users of ")
	const three, five = "Connection Refused: not authorised.", "Not authorized"
	for i, row := range []struct {
		name, args, refusal3, refusal5 string
	}{
		{"the right password", "-u joe -P secret", "", ""},
		{"another user's", "-u ann -P other", "", ""},
		{"a wrong password", "-u joe -P other", three, five},
		{"an unknown user", "-u eve -P secret", three, five},
		{"no password", "-u joe", three, five},
		{"no user", "", three, five},
	} {
		for version, refusal := range map[string]string{"mqttv31": row.refusal3, "mqttv311": row.refusal3, "mqttv5": row.refusal5} {
			args := append([]string{"-p", fmt.Sprint(port), "-A", fmt.Sprint("127.0.1.", i), "-V", version, "-t", "t", "-m", "x", "-q", "1"}, strings.Fields(row.args)...)
			out, err := run(t, "mosquitto_pub", args...)
			if (err == nil) != (refusal == "") || !strings.Contains(out, refusal) {
				t.Errorf("%s, %s: mosquitto_pub is told %q, got %v: %s", row.name, version, refusal, err, out)
			}
		}
	}
}

// TestACLWithMosquittoClients holds what goes through to whom.
func TestACLWithMosquittoClients(t *testing.T) {
	acl := writeFile(t, "acl", `
# what the barn may do
user joe
topic write out/#
topic read in/#
topic deny in/secret
user ann
topic readwrite #
pattern write dev/%c/up
pattern read dev/%c/down
pattern readwrite of/%u
`)
	p, port := guarded(t, theirPasswords(t, "joe:secret", "ann:other"), acl)
	five := theirTools(t)
	joe := end{five, t, port, "mqttv5"}
	login := []string{"-u", "joe", "-P", "secret", "-i", "valve7"}
	ann := end{five, t, port, "mqttv311"}
	ann.publish("-u", "ann", "-P", "other", "-t", "in/retained", "-m", "kept", "-r", "-q", "1")
	ann.publish("-u", "ann", "-P", "other", "-t", "in/secret", "-m", "kept too", "-r", "-q", "1")
	sub := start(t, five.sub[0], joe.args(five.sub, append(login, "-v", "-q", "1", "-t", "#"))...)
	sub.waitFor("a retained message that may be read comes", "in/retained kept")
	all := start(t, five.sub[0], ann.args(five.sub, []string{"-u", "ann", "-P", "other", "-v", "-t", "#", "-t", "$SYS/x"})...)
	all.waitFor("ann may read everything", "in/secret kept too")
	for _, topic := range []string{"in/a", "in/secret", "out/b", "dev/valve7/down", "dev/valve7/up", "dev/valve8/down", "of/joe", "of/ann", "last/of/joe", "in/last"} {
		ann.publish("-u", "ann", "-P", "other", "-t", topic, "-m", "1", "-q", "1")
	}
	sub.waitFor("what may be read arrives", "in/last 1")
	want := []string{"in/retained kept", "in/a 1", "dev/valve7/down 1", "of/joe 1", "in/last 1"}
	if got := sub.output(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("a subscriber to everything gets what it may read and nothing else:\n%v\nnot\n%v", want, got)
	}
	denied := func(topic string, allowed bool) {
		t.Helper()
		out, err := run(t, five.pub[0], joe.args(five.pub, append(login[:4:4], "-i", "publisher", "-t", topic, "-m", "from joe", "-q", "1"))...)
		if told := strings.Contains(out, "Not authorized"); told == allowed {
			t.Errorf("publishing to %s is allowed: %v; mosquitto_pub says %v: %s", topic, allowed, err, out)
		}
		old := joe
		old.version = "mqttv311"
		old.publish(append(login[:4:4], "-i", "publisher", "-t", topic, "-m", "from old joe", "-q", "2")...) // it is not told
	}
	denied("in/a", false)
	denied("out/a", true)
	denied("dev/publisher/up", true)
	denied("dev/other/up", false)
	denied("$SYS/broker/version", false)
	denied("out/last", true)
	all.waitFor("what may be written arrives", "out/last from old joe")
	var got []string
	for _, line := range all.output() {
		if topic, payload, _ := strings.Cut(line, " "); strings.HasPrefix(payload, "from") {
			got = append(got, topic)
		}
	}
	if want := "out/a out/a dev/publisher/up dev/publisher/up out/last out/last"; strings.Join(got, " ") != want {
		t.Errorf("what may be written, and nothing else, arrives: %s, not %v", want, got)
	}
	p.waitCount("a denied publish is logged once per client and minute", "publish refused", 1)
	out := strings.Join(p.output(), "\n")
	if n := strings.Count(out, "publish refused"); n != 1 {
		t.Errorf("and not %d times", n)
	}
}

// TestFaultyFilesAtTheStart names what is wrong with password and ACL files.
func TestFaultyFilesAtTheStart(t *testing.T) {
	dir := t.TempDir()
	hash, _ := auth.Encode(auth.SHA512, 0, []byte("x"))
	os.WriteFile(filepath.Join(dir, "passwords"), []byte("joe:"+hash+"\nann:secret\n"), 0o600)
	os.WriteFile(filepath.Join(dir, "acl"), []byte("user joe\ntopics read #\n"), 0o600)
	os.WriteFile(filepath.Join(dir, "config.toml"), []byte("[auth]\npassword_file = \"passwords\"\nacl_file = \"acl\"\n"), 0o600)
	for _, command := range []string{"run", "check"} {
		_, stderr, status := midge(t, dir, command)
		for _, want := range []string{`passwords:2: user "ann"`, `acl:2: the line begins with the unknown word "topics"`} {
			if status == 0 || !strings.Contains(stderr, want) {
				t.Errorf("midge %s says %q and does not start: got %q, status %d", command, want, stderr, status)
			}
		}
	}
}

// TestEachListenerHasItsRules has three listeners that know their clients in different ways.
func TestEachListenerHasItsRules(t *testing.T) {
	theirs := theirTools(t)
	ca := certtest.New(t)
	server, valve := ca.Issue("server"), ca.Issue("valve7")
	e := newEstate(t, "")
	open, secured := peertest.FreePort(t), peertest.FreePort(t)
	e.write("passwords", record(t, "joe", "1"))
	e.write("acl", "topic read #\nuser joe\ntopic #\nuser valve7\ntopic valves/7/#\n")
	e.write("config.toml", e.config(fmt.Sprintf(`[auth]
password_file = "passwords"
acl_file = "acl"
[[listener]]
address = "127.0.0.1:%d"
password_file = ""
[[listener]]
address = "127.0.0.1:%d"
type = "tls"
cert_file = %q
key_file = %q
ca_file = %q
require_certificate = true
use_identity_as_username = true
`, open, secured, server.CertFile, server.KeyFile, ca.File)))
	e.run()
	for _, who := range []string{
		`for="users of passwords, on this machine only; as acl allows"`,
		`for="anyone without a password, on this machine only; as acl allows"`,
		`for="whoever is named in a certificate by ` + ca.File + `, on this machine only; as acl allows"`,
	} {
		e.waitFor("start-up says who may come in where", who)
	}
	anyone := end{theirs, t, open, "mqttv5"}
	sub := start(t, theirs.sub[0], anyone.args(theirs.sub, []string{"-v", "-t", "#", "-i", "watcher"})...)
	e.waitFor("nobody needs a password where there is no file", "client=watcher")
	anyone.publish("-t", "valves/7/state", "-m", "from anyone", "-q", "1", "-u", "joe", "-P", "wrong", "-V", "mqttv311")
	certified := end{theirs, t, secured, "mqttv311"}
	tls := []string{"-h", "localhost", "--cafile", ca.File, "--cert", valve.CertFile, "--key", valve.KeyFile, "-q", "1"}
	certified.publish(append(tls, "-t", "valves/8/state", "-m", "from 7")...)
	certified.publish(append(tls, "-t", "valves/7/state", "-m", "from 7")...)
	if out, err := run(t, theirs.pub[0], certified.args(theirs.pub, []string{"-h", "localhost", "--cafile", ca.File, "-t", "valves/7/state", "-m", "x"})...); err == nil {
		t.Errorf("without a certificate nobody comes in there: %s", out)
	}
	users := end{theirs, t, e.port, "mqttv5"}
	users.publish("-u", "joe", "-P", "1", "-t", "valves/8/state", "-m", "from joe", "-q", "1")
	sub.waitFor("what each may publish arrives", "valves/8/state from joe")
	if got := strings.Join(sub.output(), ", "); got != "valves/7/state from 7, valves/8/state from joe" {
		t.Errorf("and nothing else: %s", got)
	}
}
