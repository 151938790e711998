package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

func scramRecord(t testing.TB, user, password string) string {
	t.Helper()
	hash, err := Encode(SCRAM, 0, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return user + ":" + hash + "\n"
}

// TestScramVector is the example of RFC 7677 §3.
func TestScramVector(t *testing.T) {
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sign := func(key []byte, text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	const exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=" + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=" + nonce
	keys := scramKeys([]byte("pencil"), decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
	clientKey := sign(keys.StoredKey, exchange)
	for i, o := range decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=") {
		clientKey[i] ^= o
	}
	if hash := sha256.Sum256(clientKey); !hmac.Equal(hash[:], keys.StoredKey) {
		t.Error("the StoredKey accepts the proof of the specification's example")
	}
	if !hmac.Equal(sign(keys.ServerKey, exchange), decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")) {
		t.Error("the ServerKey gives the verifier of the specification's example")
	}
}

// converse lets a client log in and returns how it ends for both.
func converse(t *testing.T, p *Passwords, user, password string) (client bool, server string) {
	t.Helper()
	c, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	cc, x := c.NewConversation(), p.Exchange()
	if answer, done, err := x.Step(nil); len(answer) > 0 || done || err != nil {
		t.Errorf("a client that begins with nothing is asked to begin: %q, %v, %v", answer, done, err)
	}
	answer := ""
	for {
		said, err := cc.Step(answer)
		if err != nil {
			t.Fatal(err)
		}
		out, done, err := x.Step([]byte(said))
		if err != nil {
			return false, ""
		}
		answer = string(out)
		if done {
			_, err := cc.Step(answer)
			return err == nil && cc.Valid(), x.User()
		}
	}
}

func TestScram(t *testing.T) {
	plain, err := Encode(SHA512, 0, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePasswords("p", strings.NewReader(scramRecord(t, "joe", "secret")+scramRecord(t, "a,b=c", "pä ß")+"ann:"+plain+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		who, user, password string
		ok                  bool
	}{
		{"the right password", "joe", "secret", true},
		{"a wrong one", "joe", "secre", false},
		{"a name that has to be escaped, and a password beyond ASCII", "a,b=c", "pä ß", true},
		{"a user who is not there", "eve", "secret", false},
		{"a user whose record is of another kind", "ann", "secret", false},
	} {
		client, server := converse(t, p, row.user, row.password)
		if client != row.ok || (server == row.user) != row.ok {
			t.Errorf("%s: both sides agree on %v: the client says %v, the server %q", row.who, row.ok, client, server)
		}
	}
	for user, password := range map[string]string{"joe": "secret", "a,b=c": "pä ß", "ann": "secret"} {
		if !verify(p, user, password) || verify(p, user, password+"x") {
			t.Errorf("%s logs in with a plain password too, and with no other", user)
		}
	}
}

// TestScramTellsNobodyWhoExists asks for salts as one who looks for users would.
func TestScramTellsNobodyWhoExists(t *testing.T) {
	plain, _ := Encode(SHA512, 0, []byte("secret"))
	file := scramRecord(t, "joe", "secret") + "ann:" + plain + "\n"
	read := func() *Passwords {
		p, err := ParsePasswords("p", strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	challenge := func(p *Passwords, user string) string {
		answer, _, err := p.Exchange().Step([]byte("n,,n=" + user + ",r=x"))
		if err != nil {
			t.Fatalf("%s is answered: %v", user, err)
		}
		_, after, _ := strings.Cut(string(answer), ",") // the nonce differs always
		return after
	}
	p, q := read(), read()
	joe, ann, eve := challenge(p, "joe"), challenge(p, "ann"), challenge(p, "eve")
	if len(joe) != len(ann) || len(joe) != len(eve) || !strings.HasSuffix(eve, ",i=4096") {
		t.Errorf("who is there and who is not are challenged alike: %q, %q, %q", joe, ann, eve)
	}
	if joe == ann || ann == eve {
		t.Errorf("each has a salt of his own: %q, %q, %q", joe, ann, eve)
	}
	if challenge(p, "eve") != eve || challenge(q, "eve") != eve || challenge(q, "ann") != ann {
		t.Error("and the same again, also after a restart")
	}
	if empty, _ := ParsePasswords("p", strings.NewReader("ann:"+plain)); empty.Exchange() != nil || (*Passwords)(nil).Exchange() != nil {
		t.Error("where no user has such a record, the method is not offered")
	}
}

func TestFaultsOfScramRecords(t *testing.T) {
	good := strings.TrimSpace(strings.TrimPrefix(scramRecord(t, "", "x"), ":"))
	_, keys, _ := strings.Cut(good, ":")
	for text, want := range map[string]string{
		"SCRAM-SHA-256$4096:x":              `user "u": the record is not of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`,
		"SCRAM-SHA-256$4095:" + keys:        `user "u": the record has "4095" iterations: from 4096 to 10000000 are possible`,
		"SCRAM-SHA-256$99999999:" + keys:    `user "u": the record has "99999999" iterations: from 4096 to 10000000 are possible`,
		good[:len(good)-4]:                  `user "u": the ServerKey is not 32 bytes in base64`,
		strings.Replace(good, ":", ":?", 1): `user "u": the salt is not valid base64`,
		"SCRAM-SHA-1$4096:" + keys:          `user "u": what stands behind ':' is no hash: if it is a password, hash the file with midge passwd -U`,
	} {
		_, err := ParsePasswords("p", strings.NewReader("u:"+text))
		if err == nil || err.Error() != "p:1: "+want {
			t.Errorf("%q: %s\ngot %v", text, want, err)
		}
	}
	if _, err := ParsePasswords("p", strings.NewReader("u:"+good+":what follows is not read")); err != nil {
		t.Errorf("what follows another ':' is not read: %v", err)
	}
	if _, err := Encode(SCRAM, 1000, nil); err == nil {
		t.Error("fewer iterations than the specification's least are not made")
	}
}

// FuzzScram sends messages of any content, a line each. Nobody gets in without the password, whatever is sent, and nothing is answered after a failure.
func FuzzScram(f *testing.F) {
	f.Add("n,,n=joe,r=abc\nc=biws,r=abc,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("\nn,,n=eve,r=abc\nc=biws")
	f.Add("y,a=joe,n=joe,r=x\n\n")
	f.Add("p=tls-exporter,,n=joe,r=x")
	f.Add("n,,n=j=2Coe=3D,r=x,e=1\nx")
	p, err := ParsePasswords("p", strings.NewReader(scramRecord(f, "joe", "not to be guessed")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, script string) {
		x := p.Exchange()
		failed := false
		for message := range strings.SplitSeq(script, "\n") {
			answer, done, err := x.Step([]byte(message))
			switch {
			case done:
				t.Fatalf("nobody gets in with %q", script)
			case failed && err == nil:
				t.Fatalf("an exchange that failed goes on: %q", answer)
			case err != nil && len(answer) > 0:
				t.Fatalf("a failure has no answer: %q", answer)
			}
			failed = failed || err != nil
		}
	})
}
