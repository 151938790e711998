package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
)

// Hashes of "secret" with the salt 1, 2, 3 …, made with Python's hashlib and with the reference implementation of Argon2.
var (
	salt12 = base64.StdEncoding.EncodeToString(counted(12))
	salt64 = base64.StdEncoding.EncodeToString(counted(64))
)

func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + 1)
	}
	return b
}

func mustPasswords(t testing.TB, file string) *Passwords {
	t.Helper()
	p, err := ParsePasswords("passwords", strings.NewReader(file))
	if err != nil {
		t.Fatalf("the file is good:\n%s\n%v", file, err)
	}
	return p
}

func verify(p *Passwords, user, password string) bool {
	return p.Verify(context.Background(), user, []byte(password))
}

func TestHashesThatOthersMade(t *testing.T) {
	rows := []struct{ rule, hash string }{
		{"$6$ with a salt of 12 bytes", "$6$" + salt12 + "$XtaqFTpVqKCBusKxL7SramYPpHVSOw+CXtRUIv0PpX6q57MW1a1RUVsLMxkhMn6XOYi3uYMZcGrMAEzcnh9EoA=="},
		{"$7$ with 1 iterations and a salt of 12 bytes", "$7$1$" + salt12 + "$+8iu0Pt6R8tNhuBpevBmZ2JeGVR6DSk3S3FIZP8nSf8Ugj7QSenAPnSWCAf+pj1FP5YtZKu6pPlHsmmxwVxEKg=="},
		{"$7$ with 101 iterations and a salt of 12 bytes", "$7$101$" + salt12 + "$ElKF/yT2lAwrOIqDbqwyDkdEWWjEv9xNCPp7zaw7NgKePlIs4CqOpY89+U/jSu9Z0ymojy1xkdWS2VfMzvRKZw=="},
		{"$7$ with 1000 iterations and a salt of 12 bytes", "$7$1000$" + salt12 + "$phZ+4jy6/E2V8Jp4yzDn0+uk3XusNMNCzaF1ETZ1etLITSUISozPh+j3m20pEOk0Ox1mY1WFta+Jza4Bpvamjg=="},
		{"$6$ with a salt of 64 bytes", "$6$" + salt64 + "$6NfUvv818/9bVj04rznnWvFWYBW+NfJIiD+BRd9quOanjICno6sXd9HIMP/Bwz74l6MI+PZ0vuow6+E3VJyT1g=="},
		{"$7$ with 1 iterations and a salt of 64 bytes", "$7$1$" + salt64 + "$ncBlSxGQxctMf9IQKvrxFv0+LcKR4I38015gRFwUTjTpR/tJIUN5oMPCYThOQ+1jAeE5a1OGFyrHUEFu4GJzjA=="},
		{"$7$ with 101 iterations and a salt of 64 bytes", "$7$101$" + salt64 + "$rATFstwF7LchSDFmg1oETMX50I9n+5u77PAeZbLHScYKudiPPSiaAy/dG9IAWtXLfArZzNBlQBi3pPh9tg6kZA=="},
		{"$7$ with 1000 iterations and a salt of 64 bytes", "$7$1000$" + salt64 + "$tjIBTBp1SiPQedMhFG/NCfdMktc569LbKhw29yXfYdg2DtYSAwKE1LtoIl6Y2CClnyb4UDIZM1bg3YXqgDsbcw=="},
		{"Argon2id as Mosquitto 2.1 writes it", "$argon2id$v=19$m=47104,t=1,p=1$AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QA$m0m1/8Qlu6cSKsdR3JN67bAkSxey0oHIUkXOxGC8Q8Gmche6seXH+3AysDkicJqd8LbflcHxFePXx+OilTv9jA"},
		{"Argon2id as midge passwd writes it", "$argon2id$v=19$m=19456,t=2,p=1$AQIDBAUGBwgJCgsMDQ4PEA$8LSU70Hm/UnLrjwlb6rJqEetqH1wZFov8tbs66h8rtg"},
		{"Argon2id with lanes and a memory that is no multiple of them", "$argon2id$v=19$m=103,t=3,p=4$AQIDBAUGBwgJCgsMDQ4PEA$JPYHraecr/cGbzdVhTtH8bgcHEj757UWQBOvpFuvYr8"},
		{"Argon2id with the least of everything", "$argon2id$v=19$m=8,t=1,p=1$AQIDBAUGBwg$a04C0BWxdkdn9kHkvI50mw"},
	}
	for _, row := range rows {
		p := mustPasswords(t, "bob:"+row.hash)
		if !verify(p, "bob", "secret") {
			t.Errorf("%s: the right password is refused", row.rule)
		}
		// "secret\x00" is missing: HMAC pads its key with zeros, so to PBKDF2 it is the same password.
		for _, wrong := range []string{"", "Secret", "\x00secret", "secre", "secret "} {
			if verify(p, "bob", wrong) {
				t.Errorf("%s: the wrong password %q is taken", row.rule, wrong)
			}
		}
	}
}

func TestWhatAPasswordFileHolds(t *testing.T) {
	hash := encoded(t, SHA512, 0)
	rows := []struct {
		rule, file, user string
		want             bool
	}{
		{"a record", "bob:" + hash, "bob", true},
		{"with end of line", "bob:" + hash + "\n", "bob", true},
		{"with the end of line of Windows", "bob:" + hash + "\r\n", "bob", true},
		{"blanks around name and hash do not count", " \tbob :  " + hash + " \t", "bob", true},
		{"comments do not count", "#bob:" + hash, "bob", false},
		{"nor lines without ':'", "bob\n\n  \nbob:" + hash, "bob", true},
		{"what stands behind a second ':' is not read", "bob:" + hash + ":Bob of the workshop", "bob", true},
		{"a user name may contain spaces", "two words:" + hash, "two words", true},
		{"names are case-sensitive", "bob:" + hash, "Bob", false},
		{"nobody is in an empty file", "", "bob", false},
		{"nobody has no name", "bob:" + hash, "", false},
	}
	for _, row := range rows {
		if got := verify(mustPasswords(t, row.file), row.user, "secret"); got != row.want {
			t.Errorf("%s: %q logs in: %v, want %v", row.rule, row.user, got, row.want)
		}
	}
	var none *Passwords
	if verify(none, "bob", "secret") || none.Len() != 0 {
		t.Error("without a file nobody is known")
	}
	if p := mustPasswords(t, "a:"+hash+"\nb:"+hash+"\n"); p.Len() != 2 {
		t.Errorf("there are two users and not %d", p.Len())
	}
}

func TestFaultsOfAPasswordFile(t *testing.T) {
	good := encoded(t, SHA512, 0)
	digest := base64.StdEncoding.EncodeToString(counted(64))
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$AQIDBAUGBwg$AQIDBAUGBwgJCgsMDQ4PEA" }
	rows := []struct{ file, want string }{
		{":" + good, "the user name is empty"},
		{"  :" + good, "the user name is empty"},
		{"a\x01b:" + good, "the user name contains a control character"},
		{"a\xff:" + good, "the user name is not valid UTF-8"},
		{strings.Repeat("u", 65536) + ":" + good, "the user name is longer than 65535 bytes"},
		{"bob:", `user "bob": there is no hash behind ':'`},
		{"bob:secret", `user "bob": what stands behind ':' is no hash: if it is a password, hash the file with midge passwd -U`},
		{"bob:$5$a$b", `user "bob": the hash is of the unknown kind "$5$": there are $6$, $7$, $argon2id$ and SCRAM-SHA-256$`},
		{"bob:$argon2i$v=19$m=8,t=1,p=1$a$b", `user "bob": the hash is of the unknown kind "$argon2i$": there are $6$, $7$, $argon2id$ and SCRAM-SHA-256$`},
		{"bob:$6$" + salt12, `user "bob": the hash is not of the form $6$salt$hash`},
		{"bob:$6$***$" + digest, `user "bob": the salt is not valid base64`},
		{"bob:$6$AAAA$" + digest, `user "bob": the salt has 3 bytes: from 8 to 64 are possible`},
		{"bob:$6$" + salt12 + "$***", `user "bob": the hash is not valid base64`},
		{"bob:$6$" + salt12 + "$" + salt12, `user "bob": the hash has 12 bytes instead of 64`},
		{"bob:$6$" + salt12 + "$" + digest[:86], `user "bob": the hash is not valid base64`},
		{"bob:$7$" + salt12 + "$" + digest, `user "bob": the hash is not of the form $7$iterations$salt$hash`},
		{"bob:$7$x$" + salt12 + "$" + digest, `user "bob": the hash has "x" iterations: from 1 to 10000000 are possible`},
		{"bob:$7$0$" + salt12 + "$" + digest, `user "bob": the hash has "0" iterations: from 1 to 10000000 are possible`},
		{"bob:$7$10000001$" + salt12 + "$" + digest, `user "bob": the hash has "10000001" iterations: from 1 to 10000000 are possible`},
		{"bob:$argon2id$m=8,t=1,p=1$a$b", `user "bob": the hash is not of the form $argon2id$v=19$m=…,t=…,p=…$salt$hash`},
		{"bob:$argon2id$v=16$m=8,t=1,p=1$a$b", `user "bob": the hash is of Argon2 version "v=16": only v=19 is known`},
		{"bob:" + argon("m=8,t=1"), `user "bob": the hash has the parameters "m=8,t=1" instead of m=…,t=…,p=…`},
		{"bob:" + argon("t=1,m=8,p=1"), `user "bob": the hash has the parameter "t=1" instead of m= and a number`},
		{"bob:" + argon("m=262145,t=1,p=1"), `user "bob": the hash wants 262145 KiB of memory: from 8 to 262144 are possible`},
		{"bob:" + argon("m=31,t=1,p=4"), `user "bob": the hash wants 31 KiB of memory: from 32 to 262144 are possible`},
		{"bob:" + argon("m=64,t=17,p=1"), `user "bob": the hash wants 17 passes: from 1 to 16 are possible`},
		{"bob:" + argon("m=64,t=0,p=1"), `user "bob": the hash wants 0 passes: from 1 to 16 are possible`},
		{"bob:" + argon("m=1024,t=1,p=17"), `user "bob": the hash wants 17 lanes: from 1 to 16 are possible`},
		{"bob:$argon2id$v=19$m=8,t=1,p=1$AQIDBAUGBwg$AQID", `user "bob": the hash has 3 bytes: from 16 to 128 are possible`},
	}
	for _, row := range rows {
		_, err := ParsePasswords("passwords", strings.NewReader("# first\n"+row.file+"\nlast:"+good+"\n"))
		if want := "passwords:2: " + row.want; err == nil || err.Error() != want {
			t.Errorf("%.60q gives\n%v\nwant\n%s", row.file, err, want)
		}
	}
	_, err := ParsePasswords("passwords", strings.NewReader("bob:"+good+"\neve:x$\nbob:"+good+"\n:\n"))
	want := "passwords:2: user \"eve\": what stands behind ':' is no hash: if it is a password, hash the file with midge passwd -U\n" +
		"passwords:3: user \"bob\" stands in line 1 already\npasswords:4: the user name is empty"
	if err == nil || err.Error() != want {
		t.Errorf("all faults are told at once, got\n%v\nwant\n%s", err, want)
	}
	if _, err := LoadPasswords("/nowhere/passwords"); err == nil || err.Error() != "read the password file: open /nowhere/passwords: no such file or directory" {
		t.Errorf("a missing file is said in one sentence: %v", err)
	}
	if _, err := LoadPasswords(t.TempDir()); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a directory is no password file: %v", err)
	}
}

func TestEncodedPasswordsVerify(t *testing.T) {
	rows := []struct {
		kind       Kind
		iterations int
		begins     string
		saltBytes  int
	}{
		{SHA512, 0, "$6$", 12},
		{PBKDF2, 0, "$7$1000$", 12},
		{PBKDF2, 101, "$7$101$", 12},
		{Argon2id, 0, "$argon2id$v=19$m=19456,t=2,p=1$", 16},
	}
	for _, row := range rows {
		hash, err := Encode(row.kind, row.iterations, []byte("sésam\x00e"))
		if err != nil || !strings.HasPrefix(hash, row.begins) {
			t.Fatalf("%s: %q does not begin with %q: %v", row.kind, hash, row.begins, err)
		}
		p := mustPasswords(t, "u:"+hash)
		if !verify(p, "u", "sésam\x00e") || verify(p, "u", "sésam") {
			t.Errorf("%s: the password and no other is taken", row.kind)
		}
		if got := len(p.records["u"].salt); got != row.saltBytes {
			t.Errorf("%s: the salt has %d bytes, want %d", row.kind, got, row.saltBytes)
		}
		if again, _ := Encode(row.kind, row.iterations, []byte("sésam\x00e")); again == hash {
			t.Errorf("%s: every hash has a salt of its own", row.kind)
		}
	}
	for _, iterations := range []int{-1, IterationsMax + 1} {
		if _, err := Encode(PBKDF2, iterations, nil); err == nil || err.Error() != "the number of iterations must be from 1 to 10000000" {
			t.Errorf("%d iterations are refused: %v", iterations, err)
		}
	}
	if _, err := Encode("md5", 0, nil); err == nil || err.Error() != `unknown kind of hash "md5": there are argon2id, sha512-pbkdf2, sha512 and scram-sha-256` {
		t.Errorf("an unknown kind is refused: %v", err)
	}
}

func TestUnknownUserCostsWhatTheCommonestCosts(t *testing.T) {
	file := "a:" + encoded(t, SHA512, 0) + "\nb:" + encoded(t, PBKDF2, 2) + "\nc:" + encoded(t, PBKDF2, 3) + "\nd:" + encoded(t, PBKDF2, 3) + "\n"
	p := mustPasswords(t, file)
	if got, want := p.dummy.cost, p.records["c"].cost; got != want {
		t.Errorf("two of four users have %+v, the dummy %+v", want, got)
	}
	if p = mustPasswords(t, file[:strings.Index(file, "c:")]); p.dummy.cost != p.records["a"].cost {
		t.Errorf("of equally common ones the first counts, not %+v", p.dummy.cost)
	}
	// The dummy's hash is all zeros; a password that hashed to it would still not let an unknown user in.
	p.dummy.hash = p.dummy.derive([]byte("x"))
	if verify(p, "nobody", "x") {
		t.Error("an unknown user is let in")
	}
}

func TestChangedUsers(t *testing.T) {
	one, two := encoded(t, SHA512, 0), encoded(t, SHA512, 0)
	old := mustPasswords(t, "same:"+one+"\nchanged:"+one+"\ngone:"+one+"\n")
	now := mustPasswords(t, "new:"+one+"\nchanged:"+two+"\nsame:"+one+" \n")
	var none *Passwords
	rows := []struct {
		rule     string
		now, old *Passwords
		want     []string
	}{
		{"changed, gone and new users", now, old, []string{"changed", "gone", "new"}},
		{"the same file changes nobody", now, now, nil},
		{"the first file is new to all its users", now, none, []string{"changed", "new", "same"}},
		{"without a file all are gone", none, old, []string{"changed", "gone", "same"}},
	}
	for _, row := range rows {
		if got := row.now.Changed(row.old); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.rule, got, row.want)
		}
	}
}

func TestVerifyWaitsNoLongerThanItsContext(t *testing.T) {
	p := mustPasswords(t, "u:"+encoded(t, SHA512, 0))
	p.gate = &gate{size: gateBytes}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if p.Verify(ctx, "u", []byte("secret")) || ctx.Err() == nil {
		t.Error("nobody is let in who had no turn")
	}
}

func TestFilesOfMosquittoPasswd(t *testing.T) {
	peertest.Need(t, "mosquitto_passwd")
	path := filepath.Join(t.TempDir(), "passwords")
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mosquitto_passwd", args...).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd %q: %v %s", args, err, out)
		}
	}
	run("-c", "-b", path, "bob", "secret")
	run("-b", "-H", "sha512", path, "two words", "pass word")
	run("-b", "-H", "sha512-pbkdf2", path, "ümlaut", "schlüssel")
	run("-b", path, "gone", "x")
	run("-D", path, "gone")
	p, err := LoadPasswords(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		user, password string
		want           bool
	}{
		{"bob", "secret", true}, {"bob", "wrong", false}, {"two words", "pass word", true}, {"ümlaut", "schlüssel", true}, {"gone", "x", false},
	}
	for _, row := range rows {
		if got := verify(p, row.user, row.password); got != row.want {
			t.Errorf("%q with %q logs in: %v, want %v", row.user, row.password, got, row.want)
		}
	}
}

func FuzzParsePasswords(f *testing.F) {
	f.Add("# users\nbob:" + encoded(f, SHA512, 0) + "\neve:" + encoded(f, PBKDF2, 1) + ":x\n")
	f.Add("bob:$argon2id$v=19$m=8,t=1,p=1$AQIDBAUGBwg$AQIDBAUGBwgJCgsMDQ4PEA")
	f.Add("bob:$7$101$" + salt64 + "$" + salt64 + "\r\n:\nbob")
	f.Fuzz(func(t *testing.T, file string) {
		p, err := ParsePasswords("passwords", strings.NewReader(file))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "passwords:") {
					t.Fatalf("a problem is one line with its place: %q", line)
				}
			}
			return
		}
		for user, r := range p.records {
			if r.memoryKiB > memoryKiBMax || r.iterations > IterationsMax || r.passes > passesMax || r.lanes > lanesMax || ValidUser(user) != nil {
				t.Fatalf("user %q is out of bounds: %+v", user, r.cost)
			}
			again, err := parseRecord(r.encode())
			if err != nil || fmt.Sprint(again.cost, again.salt, again.hash) != fmt.Sprint(r.cost, r.salt, r.hash) {
				t.Fatalf("%q reads back as %+v: %v", r.encode(), again, err)
			}
		}
	})
}
