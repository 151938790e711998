package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"midge/broker/auth"
	"midge/internal/peertest"
)

// estate is a midge with its files in one directory, where it runs.
type estate struct {
	*process
	t    *testing.T
	dir  string
	port int
}

func newEstate(t *testing.T, config string) *estate {
	t.Helper()
	e := &estate{t: t, dir: t.TempDir(), port: peertest.FreePort(t)}
	e.write("config.toml", e.config(config))
	return e
}

func (e *estate) config(more string) string {
	return fmt.Sprintf("link = []\n[log]\nlevel = \"debug\"\n[http]\naddress = \"\"\n[[listener]]\naddress = \"127.0.0.1:%d\"\n[node]\nid = \"estate\"\n%s", e.port, more)
}

func (e *estate) run() {
	e.t.Helper()
	e.process = startIn(e.t, e.dir, midgePath(e.t), "run")
	e.waitFor("midge says when it is ready", "midge is ready")
}

func (e *estate) write(name, text string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// reload asks midge to and returns what it says.
func (e *estate) reload() (stdout, stderr string, status int) {
	e.t.Helper()
	return midge(e.t, e.dir, "reload")
}

func record(t *testing.T, user, password string) string {
	t.Helper()
	hash, err := auth.Encode(auth.SHA512, 0, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return user + ":" + hash + "\n"
}

// TestReload changes passwords and rules under connected clients.
func TestReload(t *testing.T) {
	theirs := theirTools(t)
	const with = "[auth]\npassword_file = \"passwords\"\nacl_file = \"acl\"\nallow_anonymous = true\n"
	e := newEstate(t, with)
	joe, ann, bob := record(t, "joe", "1"), record(t, "ann", "2"), record(t, "bob", "3")
	e.write("passwords", joe+ann+bob)
	e.write("acl", "topic read #\nuser joe\ntopic read old/#\nuser ann\ntopic #\nuser bob\ntopic #\n")
	e.run()
	client := func(version, user, password string, more ...string) *process {
		args := []string{"-v", "-q", "1", "-t", "#", "-i", "client-of-" + user}
		if user != "" {
			args = append(args, "-u", user, "-P", password)
		}
		s := start(t, theirs.sub[0], end{theirs, t, e.port, version}.args(theirs.sub, append(args, more...))...)
		e.waitFor("the client is there", "msg=\"client connected\" client=client-of-"+user+" ")
		return s
	}
	subJoe := client("mqttv5", "joe", "1")
	client("mqttv311", "ann", "2")
	client("mqttv5", "bob", "3")
	client("mqttv5", "", "")

	// ann has a new password, bob is gone, joe has other rules, nobody is anonymous any more.
	e.write("passwords", joe+record(t, "ann", "4")+record(t, "eve", "5"))
	e.write("acl", "user joe\ntopic read new/#\nuser eve\ntopic #\n")
	e.write("config.toml", e.config(strings.Replace(with, "true", "false", 1)+"[store]\non_damage = \"refuse\"\n"))
	out, errs, status := e.reload()
	if want := "reloaded; 3 clients were disconnected that may no longer stay\nthis waits for a restart: [store] on_damage\n"; out != want || errs != "" || status != 0 {
		t.Errorf("midge reload says\n%sbut said\n%s%s, status %d", want, out, errs, status)
	}
	for _, gone := range []string{"client-of-ann", "client-of-bob", "client-of- "} {
		e.waitFor("who may not stay is disconnected", "msg=\"client disconnected\" client="+gone)
	}
	eve := end{theirs, t, e.port, "mqttv5"}
	eve.publish("-u", "eve", "-P", "5", "-q", "1", "-t", "old/x", "-m", "1")
	eve.publish("-u", "eve", "-P", "5", "-q", "1", "-t", "new/x", "-m", "1")
	subJoe.waitFor("new rules hold for who stays", "new/x 1")
	if got := subJoe.output(); len(got) != 1 {
		t.Errorf("and the old ones no more: %v", got)
	}

	// A fault anywhere changes nothing anywhere.
	e.write("acl", "user joe\ntopic #\n")
	e.write("passwords", joe+"eve:plain\n")
	out, errs, status = e.reload()
	if want := "midge: nothing was reloaded:\npasswords:2: user \"eve\": what stands behind ':' is no hash: if it is a password, hash the file with midge passwd -U\n"; out != "" || errs != want || status != 1 {
		t.Errorf("midge reload says\n%sbut said\n%s%s, status %d", want, out, errs, status)
	}
	e.cmd.Process.Signal(syscall.SIGHUP)
	e.waitCount("the log says why, each time", "msg=\"reload refused: everything stays as it was\" reason=\"passwords:2:", 2)
	eve.publish("-u", "eve", "-P", "5", "-q", "1", "-t", "old/x", "-m", "2")
	eve.publish("-u", "eve", "-P", "5", "-q", "1", "-t", "new/x", "-m", "2")
	subJoe.waitFor("the old rules and users are still there", "new/x 2")
	if got := subJoe.output(); len(got) != 2 {
		t.Errorf("and the new ones are not: %v", got)
	}
	e.write("config.toml", "[auht]\n")
	if _, errs, status = e.reload(); status != 1 || !strings.Contains(errs, "config.toml:1: there is no table [auht]; did you mean [auth]?") {
		t.Errorf("a wrong configuration is told: %q, status %d", errs, status)
	}

	// The signal does the same as the command.
	e.write("config.toml", e.config(with))
	e.write("passwords", joe)
	e.cmd.Process.Signal(syscall.SIGHUP)
	e.waitFor("the signal is heeded", "msg=reloaded disconnected=0")
	eve.publish("-u", "joe", "-P", "1", "-q", "1", "-t", "old/x", "-m", "3")
	if strings.Contains(strings.Join(e.output(), "\n"), "msg=\"client disconnected\" client=client-of-joe") {
		t.Error("who may stay is never disconnected")
	}
	e.write("config.toml", e.config(""))
	e.cmd.Process.Signal(syscall.SIGHUP)
	e.waitFor("without a password file there are no users", "client=client-of-joe user=joe")
	e.stop()
	if _, errs, status = e.reload(); status != 1 || !strings.Contains(errs, "no midge runs on data") {
		t.Errorf("where none runs, midge reload says so: %q, status %d", errs, status)
	}
	e.write("config.toml", "[node]\ndata_dir = \"\"\n")
	if _, errs, status = e.reload(); status != 1 || !strings.Contains(errs, "kill -HUP PID") {
		t.Errorf("without a data directory it says what else helps: %q, status %d", errs, status)
	}
}

// TestRulesThatComeWithAReload gives an ACL to a midge that had none.
func TestRulesThatComeWithAReload(t *testing.T) {
	theirs := theirTools(t)
	e := newEstate(t, "")
	e.run()
	all := end{theirs, t, e.port, "mqttv5"}
	sub := start(t, theirs.sub[0], all.args(theirs.sub, []string{"-v", "-t", "#", "-i", "watcher"})...)
	e.waitFor("the subscriber is there", "client=watcher")
	all.publish("-t", "closed", "-m", "1")
	sub.waitFor("everything arrives", "closed 1")
	e.write("acl", "topic read open\ntopic write #\n")
	e.write("config.toml", e.config("[auth]\nacl_file = \"acl\"\n"))
	e.cmd.Process.Signal(syscall.SIGHUP)
	e.waitFor("the signal is heeded", "msg=reloaded disconnected=0")
	all.publish("-t", "closed", "-m", "2")
	all.publish("-t", "open", "-m", "2")
	sub.waitFor("what may be read arrives", "open 2")
	if got := strings.Join(sub.output(), ", "); got != "closed 1, open 2" {
		t.Errorf("and nothing else: %s", got)
	}
}
