package dtls

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadPSK(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"keys, blank lines and comments", "# keys\n\nsensor-7:0011223344556677\n  b:AABBCCDDEEFF0011 \n", ""},
		{"an identity with a colon", "urn:dev:1:0011223344556677\n", ""},
		{"no colon", "sensor-7\n", "1: not of the form"},
		{"no identity", ":0011223344556677\n", "1: not of the form"},
		{"a key that is not hexadecimal", "a:0011223344556677\nb:hello\n", `2: the key of "b"`},
		{"a key that is too short", "a:00112233445566\n", `1: the key of "a"`},
		{"an identity twice", "a:0011223344556677\na:0011223344556677\n", `2: "a" has a key already`},
		{"an identity that is no text", "a\xff:0011223344556677\n", "1: the identity is no text"},
	} {
		path := filepath.Join(t.TempDir(), "psk")
		if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := LoadPSK(path)
		switch {
		case row.want == "" && (err != nil || len(p) == 0):
			t.Errorf("%s are read: %v, %v", row.name, p, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s is an error that names file and line: got %v, want %q", row.name, err, row.want)
		}
	}
}

func FuzzPSK(f *testing.F) {
	f.Add([]byte("# keys\nsensor-7:0011223344556677\n"))
	f.Add([]byte("a:b:00\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePSK(b)
		for identity, key := range p {
			if err != nil || len(key) < pskLeast || !strings.Contains(strings.ToLower(string(b)), hex.EncodeToString(key)) || !strings.Contains(string(b), identity) {
				t.Errorf("what is read stands in the file: %q %x, %v", identity, key, err)
			}
		}
	})
}
