package passwd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"midge/broker/auth"
)

// place is a directory with a password file in it.
type place struct {
	t    *testing.T
	dir  string
	file string
}

func newPlace(t *testing.T) *place {
	dir := t.TempDir()
	return &place{t, dir, filepath.Join(dir, "passwords")}
}

// run runs the command; FILE among the arguments stands for the file. It returns the exit code and what was printed.
func (p *place) run(stdin string, args ...string) (code int, out, errs string) {
	var stdout, stderr strings.Builder
	for i := range args {
		if args[i] == "FILE" {
			args[i] = p.file
		}
	}
	code = Run(args, strings.NewReader(stdin), &stdout, &stderr)
	hide := strings.NewReplacer(p.dir, "DIR")
	return code, hide.Replace(stdout.String()), hide.Replace(stderr.String())
}

func (p *place) want(sentence, stdin, wantOut string, args ...string) {
	p.t.Helper()
	if code, out, errs := p.run(stdin, args...); code != 0 || out != wantOut || errs != "" {
		p.t.Errorf("%s: %q exits with %d, prints %q and %q, want %q", sentence, args, code, out, errs, wantOut)
	}
}

func (p *place) wantError(sentence, stdin, want string, args ...string) {
	p.t.Helper()
	if code, out, errs := p.run(stdin, args...); code != 1 || out != "" || errs != "midge passwd: "+want+"\n" {
		p.t.Errorf("%s: %q exits with %d, prints %q and %q, want %q", sentence, args, code, out, errs, want)
	}
}

// wantLogin checks the file with the reader of the broker.
func (p *place) wantLogin(sentence, user, password string, want bool) {
	p.t.Helper()
	passwords, err := auth.LoadPasswords(p.file)
	if err != nil {
		p.t.Fatal(err)
	}
	if got := passwords.Verify(context.Background(), user, []byte(password)); got != want {
		p.t.Errorf("%s: %q with %q logs in: %v, want %v", sentence, user, password, got, want)
	}
}

func (p *place) text() string {
	p.t.Helper()
	text, err := os.ReadFile(p.file)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *place) write(text string, mode os.FileMode) {
	p.t.Helper()
	if err := os.WriteFile(p.file, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(p.file, mode); err != nil { // whatever the umask is
		p.t.Fatal(err)
	}
}

func TestAddChangeDelete(t *testing.T) {
	p := newPlace(t)
	p.want("a new file", "", "Adding password for user bob\n", "-c", "-b", "FILE", "bob", "one")
	if !strings.HasPrefix(p.text(), "bob:$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Argon2id is the default, not %q", p.text())
	}
	if info, _ := os.Stat(p.file); info.Mode() != 0o600 {
		t.Errorf("a new file is its owner's alone, not %v", info.Mode())
	}
	p.wantLogin("added", "bob", "one", true)
	p.want("one more user", "", "Adding password for user eve\n", "-b", "-H", "sha512-pbkdf2", "-I", "7", "FILE", "eve", "two")
	p.want("a user for enhanced authentication", "", "Adding password for user ann\n", "-b", "-H", "scram-sha-256", "-I", "5000", "FILE", "ann", "three")
	p.wantLogin("the record says so, and does for a password too", "ann", "three", true)
	if text, _ := os.ReadFile(p.file); !strings.Contains(string(text), "\nann:SCRAM-SHA-256$5000:") {
		t.Errorf("the record has the form of RFC 5803:\n%s", text)
	}
	p.want("who is no longer wanted goes", "", "", "-D", "FILE", "ann")
	if !strings.Contains(p.text(), "\neve:$7$7$") {
		t.Errorf("seven iterations were asked for: %q", p.text())
	}
	p.want("another password", "", "Updating password for user bob\n", "-b", "-H", "sha512", "FILE", "bob", "three")
	p.wantLogin("changed", "bob", "three", true)
	p.wantLogin("the old password", "bob", "one", false)
	p.wantLogin("the other user", "eve", "two", true)
	p.want("delete", "", "", "-D", "FILE", "eve")
	p.wantLogin("deleted", "eve", "two", false)
	p.wantLogin("still there", "bob", "three", true)
	p.wantError("delete nobody", "", `user "eve" does not stand in DIR/passwords`, "-D", "FILE", "eve")
	p.want("-c begins anew", "", "Adding password for user carol\n", "-c", "-b", "-H", "sha512", "FILE", "carol", "x")
	p.wantLogin("overwritten", "bob", "three", false)
	if names, _ := filepath.Glob(filepath.Join(p.dir, "*")); len(names) != 1 {
		t.Errorf("nothing else is left in the directory: %q", names)
	}
}

func TestPasswordFromStandardInput(t *testing.T) {
	rows := []struct{ rule, stdin, password string }{
		{"the first line", "secret\nother\n", "secret"},
		{"without its end", "secret", "secret"},
		{"of Windows", "secret\r\n", "secret"},
		{"with its blanks", " two words \n", " two words "},
	}
	for _, row := range rows {
		p := newPlace(t)
		p.want(row.rule, row.stdin, "Adding password for user bob\n", "-c", "-H", "sha512", "FILE", "bob")
		p.wantLogin(row.rule, "bob", row.password, true)
	}
	p := newPlace(t)
	p.wantError("no password", "", "there is no password on standard input", "-c", "FILE", "bob")
	p.wantError("an empty line", "\nx\n", "the password is empty", "-c", "FILE", "bob")
	p.wantError("an empty argument", "", "the password is empty", "-c", "-b", "FILE", "bob", "")
	p.wantError("a long one", strings.Repeat("x", 65536), "the password is longer than 65535 bytes", "-c", "FILE", "bob")
	if _, err := os.Stat(p.file); err == nil {
		t.Error("no file was made")
	}
}

func TestPrintTheRecord(t *testing.T) {
	code, out, errs := newPlace(t).run("secret\n", "-c", "-H", "sha512", "-", "bob")
	p, err := auth.ParsePasswords("out", strings.NewReader(out))
	if code != 0 || errs != "" || err != nil || !p.Verify(context.Background(), "bob", []byte("secret")) {
		t.Errorf("- prints the record: %d %q %q %v", code, out, errs, err)
	}
}

func TestHashAPlainFile(t *testing.T) {
	p := newPlace(t)
	p.write("# users\nbob:one\neve:t:wo\n", 0o640)
	p.want("hash", "", "2 passwords hashed\n", "-U", "-H", "sha512", "FILE")
	p.wantLogin("bob", "bob", "one", true)
	p.wantLogin("eve, with a colon", "eve", "t:wo", true)
	before := p.text()
	p.want("once more", "", "0 passwords hashed\n", "-U", "FILE")
	if p.text() != before || !strings.HasPrefix(before, "# users\n") {
		t.Errorf("nothing is hashed twice: %q", p.text())
	}
	for _, row := range []struct{ file, want string }{
		{"bob:one\neve:\n", "DIR/passwords, line 2: the password is empty; nothing was changed"},
		{"bob:one\nbob:two\n", `DIR/passwords:2: user "bob" stands in line 1 already; nothing was changed`},
	} {
		p.write(row.file, 0o600)
		p.wantError("a faulty file", "", row.want, "-U", "-H", "sha512", "FILE")
		if p.text() != row.file {
			t.Errorf("the faulty file stays as it was: %q", p.text())
		}
	}
}

func TestWhatElseIsWrongIsWarnedOf(t *testing.T) {
	p := newPlace(t)
	p.write("eve:plain\n", 0o600)
	code, out, errs := p.run("", "-b", "-H", "sha512", "FILE", "bob", "x")
	want := `midge passwd: warning: DIR/passwords:1: user "eve": what stands behind ':' is no hash: if it is a password, hash the file with midge passwd -U` + "\n"
	if code != 0 || out != "Adding password for user bob\n" || errs != want {
		t.Errorf("bob is added, eve warned of: %d %q %q", code, out, errs)
	}
}

func TestFilesThatCannotBe(t *testing.T) {
	p := newPlace(t)
	p.wantError("without -c", "", "there is no file DIR/passwords; -c makes it", "-b", "FILE", "bob", "x")
	p.wantError("before a password is read", "", "there is no file DIR/passwords; -c makes it", "FILE", "bob")
	p.wantError("a directory", "", "DIR/sub is not a regular file", "-c", "-b", p.sub(), "bob", "x")
	p.file = filepath.Join(p.dir, "none", "passwords")
	p.wantError("no directory", "", "cannot open the directory of the password file: open DIR/none: no such file or directory", "-c", "-b", "FILE", "bob", "x")
	p.file = filepath.Join(p.dir, "dangling")
	os.Symlink("nowhere", p.file)
	p.wantError("a link to nothing", "", "DIR/dangling is a symbolic link to a file that does not exist", "-c", "-b", "FILE", "bob", "x")
	code, _, errs := p.run("", "-x")
	if code != 1 || errs != "midge passwd: unknown flag -x; midge passwd --help lists the flags\n" {
		t.Errorf("a wrong flag says where to look: %d %q", code, errs)
	}
}

func (p *place) sub() string {
	dir := filepath.Join(p.dir, "sub")
	os.Mkdir(dir, 0o700)
	return dir
}

func TestHelpNamesMosquitto(t *testing.T) {
	code, out, errs := newPlace(t).run("", "--help")
	if code != 0 || errs != "" || !strings.Contains(out, "use -H sha512-pbkdf2 for files that Mosquitto 2.0 reads too") {
		t.Errorf("help says what Mosquitto 2.0 reads: %d %q %q", code, out, errs)
	}
}

func TestALinkStaysALink(t *testing.T) {
	p := newPlace(t)
	p.write("", 0o640)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(p.file, link); err != nil {
		t.Skipf("this system has no symbolic links for us: %v", err)
	}
	p.want("through the link", "", "Adding password for user bob\n", "-b", "-H", "sha512", link, "bob", "x")
	p.wantLogin("in the file behind it", "bob", "x", true)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is still one: %v %v", info.Mode(), err)
	}
}

func TestCommandsAtTheSameTimeLoseNothing(t *testing.T) {
	p := newPlace(t)
	p.write("", 0o600)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			user := fmt.Sprint("user", i)
			p.want("each adds one", "", "Adding password for user "+user+"\n", "-b", "-H", "sha512", "FILE", user, user)
		})
	}
	all.Wait()
	for i := range 20 {
		p.wantLogin("all are there", fmt.Sprint("user", i), fmt.Sprint("user", i), true)
	}
}
