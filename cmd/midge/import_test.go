package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"midge/internal/certtest"
	"midge/internal/peertest"
)

const importedConf = `
# A site with users, rules and a bridge, as people write them.
listener %[1]d 127.0.0.1
allow_anonymous false
password_file %[2]s/passwd
acl_file %[2]s/acl
persistence true
persistence_location %[2]s/state/
user root
max_inflight_messages 1

connection head-office
address 127.0.0.1:%[3]d
remote_clientid site12
keepalive_interval 30
topic sensors/# out 1 "" site12/
topic cmd/# in 1 office/ site12/
topic "" out 1 kitchen/temperature house/12/t
`

const importedACL = `
user ann
topic readwrite home/#
topic readwrite sensors/#
topic kitchen/temperature
topic read office/cmd/#
user bob
topic read home/#
pattern readwrite clients/%c/#
`

// TestImportedConfigurationDoesTheSame runs Mosquitto with a configuration, then Midge with what that is imported to, and has the same clients do the same
// things at both. The bridge's other end is the same Mosquitto all the time.
func TestImportedConfigurationDoesTheSame(t *testing.T) {
	peertest.Need(t, "mosquitto", "mosquitto_passwd", "mosquitto_pub", "mosquitto_sub")
	office := startMosquitto(t)
	dir, port := t.TempDir(), peertest.FreePort(t)
	for _, user := range []string{"ann", "bob"} {
		create := []string{"-c"}
		if user != "ann" {
			create = nil
		}
		if out, err := run(t, "mosquitto_passwd", append(create, "-b", dir+"/passwd", user, user+"'s secret")...); err != nil {
			t.Fatal(out)
		}
	}
	for name, text := range map[string]string{"acl": importedACL, "mosquitto.conf": fmt.Sprintf(importedConf, port, dir, office.port)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/state", 0o700); err != nil {
		t.Fatal(err)
	}

	theirs := start(t, "mosquitto", "-v", "-c", dir+"/mosquitto.conf")
	theirs.waitFor("mosquitto starts", "running")
	lifeAtTheSite(t, "mosquitto", port, office.port)
	theirs.stop()

	toml, report, status := midge(t, dir, "import", "mosquitto.conf")
	if status != 0 {
		t.Fatalf("the configuration is imported: status %d, %s", status, report)
	}
	want := "mosquitto.conf:7: persistence: what Mosquitto's database holds stays there; retained messages and sessions begin anew\n" +
		"mosquitto.conf:9: user: set \"User=\" in the systemd unit; Midge does not change its user\n" +
		"midge: 2 not carried over from this mosquitto.conf\n"
	if report != want {
		t.Errorf("all but two lines are carried over:\n%sbut the report is\n%s", want, report)
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, wrong, status := midge(t, dir, "check"); status != 0 {
		t.Fatalf("what was imported passes midge check: %s%s", out, wrong)
	}
	ours := start(t, midgePath(t), "run", "-c", path)
	ours.waitFor("midge says when it is ready", "midge is ready")
	lifeAtTheSite(t, "midge", port, office.port)
	ours.stop()
}

// lifeAtTheSite is what clients of importedConf do. Whose broker it is stands in every sentence and in every message.
func lifeAtTheSite(t *testing.T, whose string, port, office int) {
	t.Helper()
	as := func(user string) []string { return []string{"-u", user, "-P", user + "'s secret", "-q", "1"} }
	say := func(port int, topic, text string, who ...string) {
		t.Helper()
		publish(t, port, append(who, "-t", topic, "-m", whose+" "+text)...)
	}

	for sentence, who := range map[string][]string{
		"a client without a user":        nil,
		"a client with a wrong password": {"-u", "ann", "-P", "bob's secret"},
		"a user that is not in the file": {"-u", "eve", "-P", "ann's secret"},
	} {
		if out, err := run(t, "mosquitto_pub", append(who, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "home/door", "-m", "x")...); err == nil {
			t.Errorf("%s refuses %s: %s", whose, sentence, out)
		}
	}

	ann := subscribe(t, port, append(as("ann"), "-t", "home/#", "-t", "office/cmd/#")...)
	bob := subscribe(t, port, append(as("bob"), "-t", "home/#")...)
	say(port, "home/door", "bob may not", as("bob")...)
	say(port, "home/door", "ann may", as("ann")...)
	for name, sub := range map[string]*process{"ann": ann, "bob": bob} {
		equal(t, "at "+whose+" "+name+" gets what ann may write and bob may not", sub.waitCount("a message for "+name, "home/door", 1), []string{"home/door " + whose + " ann may"})
	}

	say(port, "clients/bob-1/x", "for its own id", append(as("bob"), "-i", "bob-1", "-r")...)
	say(port, "clients/bob-2/x", "for another id", append(as("bob"), "-i", "bob-1", "-r")...)
	own := subscribe(t, port, append(as("bob"), "-i", "bob-1", "-t", "clients/#", "-t", "home/#")...)
	say(port, "home/end", "that was all", as("ann")...)
	own.waitFor("the last message", "that was all")
	equal(t, "at "+whose+" %c in a pattern is the client id", own.waitCount("what was retained", "clients/", 1), []string{"clients/bob-1/x " + whose + " for its own id"})

	state := subscribe(t, office, "-t", "$SYS/broker/connection/site12/state")
	state.waitFor("the head office is told that the bridge of "+whose+" is connected", "/state 1")
	outside := subscribe(t, office, "-t", "#", "-q", "1")
	say(port, "sensors/attic", "out", as("ann")...)
	say(port, "kitchen/temperature", "one topic to another", as("ann")...)
	equal(t, "at "+whose+" a line with a remote prefix carries out", outside.waitCount("what a sensor sent", "sensors/", 1), []string{"site12/sensors/attic " + whose + " out"})
	equal(t, "at "+whose+" a line without a pattern carries one topic to another", outside.waitCount("a temperature", "one topic", 1), []string{"house/12/t " + whose + " one topic to another"})
	say(office, "site12/cmd/light", "in", "-q", "1")
	ann.waitFor("a line with both prefixes carries in", "office/cmd/light "+whose+" in")
	for _, sub := range []*process{ann, bob, own, state, outside} {
		sub.stop() // or they come again to the next broker at that port, all at once
	}
}

const importedSecureConf = `
per_listener_settings true

listener %[1]d 127.0.0.1
allow_anonymous true
acl_file %[3]s/guests

listener %[2]d 127.0.0.1
certfile %[4]s
keyfile %[5]s
cafile %[6]s
crlfile %[7]s
require_certificate true
use_identity_as_username true
tls_version tlsv1.2
acl_file %[3]s/members

listener 0 %[3]s/mqtt.sock
allow_anonymous true
acl_file %[3]s/guests

user root
log_dest stderr
`

// TestImportedCertificatesAndListeners does the same for listeners with settings of their own: guests without a user here, members with certificates there.
func TestImportedCertificatesAndListeners(t *testing.T) {
	peertest.Need(t, "mosquitto", "mosquitto_pub", "mosquitto_sub")
	dir, guests, members := t.TempDir(), peertest.FreePort(t), peertest.FreePort(t)
	ca := certtest.New(t)
	server, valve, fired := ca.Issue("127.0.0.1"), ca.Issue("valve7"), ca.Issue("fired")
	crl := ca.Revoke("revoked", []certtest.Pair{fired})
	for name, text := range map[string]string{
		"guests":         "topic read board/#\n",
		"members":        "user valve7\ntopic readwrite board/#\n",
		"mosquitto.conf": fmt.Sprintf(importedSecureConf, guests, members, dir, server.CertFile, server.KeyFile, ca.File, crl),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	life := func(whose string) {
		t.Helper()
		tls := func(p certtest.Pair, args ...string) []string {
			return append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(members), "-q", "1", "--cafile", ca.File, "--cert", p.CertFile, "--key", p.KeyFile}, args...)
		}
		guest := subscribe(t, guests, "-t", "board/#")
		if out, err := run(t, "mosquitto_pub", tls(fired, "-t", "board/x", "-m", "x")...); err == nil {
			t.Errorf("%s refuses a certificate that is revoked: %s", whose, out)
		}
		if out, err := run(t, "mosquitto_pub", "-h", "127.0.0.1", "-p", fmt.Sprint(members), "--cafile", ca.File, "-t", "board/x", "-m", "x"); err == nil {
			t.Errorf("%s refuses a client without a certificate: %s", whose, out)
		}
		publish(t, guests, "-t", "board/1", "-m", "guests may not", "-q", "1")
		if out, err := run(t, "mosquitto_pub", "--unix", dir+"/mqtt.sock", "-t", "board/1", "-m", "nor here", "-q", "1"); err != nil {
			t.Fatalf("%s listens on a Unix socket: %v: %s", whose, err, out)
		}
		if out, err := run(t, "mosquitto_pub", tls(valve, "-t", "board/1", "-m", whose)...); err != nil {
			t.Fatalf("%s takes a member's certificate: %v: %s", whose, err, out)
		}
		equal(t, "at "+whose+" guests read what members write", guest.waitCount("the message", "board/", 1), []string{"board/1 " + whose})
	}

	theirs := start(t, "mosquitto", "-v", "-c", dir+"/mosquitto.conf")
	theirs.waitFor("mosquitto starts", "running")
	life("mosquitto")
	theirs.stop()

	toml, report, status := midge(t, dir, "import", "mosquitto.conf")
	if want := "mosquitto.conf:22: user: set \"User=\" in the systemd unit; Midge does not change its user\nmidge: 1 not carried over from this mosquitto.conf\n"; status != 0 || report != want {
		t.Fatalf("the configuration is imported but for one line:\n%sbut the report is\n%s", want, report)
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := start(t, midgePath(t), "run", "-c", path)
	ours.waitFor("midge says when it is ready", "midge is ready")
	life("midge")
	ours.stop()
}

// TestImportOfNothingKnown: what cannot be imported at all is one sentence and a status, and prints no configuration.
func TestImportOfNothingKnown(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"letter.txt": {"Dear Sir or Madam,\n", "midge: letter.txt: is neither a mosquitto.conf nor a list of predefined topics of the Paho MQTT-SN gateway, bisquitt or EMQX\n"},
		"":           {"", "midge: read the file to import: stat nowhere.conf: no such file or directory\n"},
	} {
		dir, file := t.TempDir(), "nowhere.conf"
		if name != "" {
			file = name
			if err := os.WriteFile(filepath.Join(dir, name), []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, wrong, status := midge(t, dir, "import", file); out != "" || wrong != row.want || status != 1 {
			t.Errorf("midge import %s says %q with status 1, not %q %q with %d", file, row.want, out, wrong, status)
		}
	}
}
