package dtls

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pskLeast is the shortest key in octets that is taken: what is shorter can be searched through.
const pskLeast = 8

// LoadPSK reads a file of pre-shared keys as Mosquitto's psk_file is: one "identity:key" a line, the key in hexadecimal. Blank lines and those that begin with '#' are
// skipped. Errors name the line, and never the key.
func LoadPSK(path string) (PSK, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the pre-shared keys: %w", err)
	}
	p, err := parsePSK(b)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return p, nil
}

func parsePSK(b []byte) (PSK, error) {
	p := PSK{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ':')
		if i < 1 {
			return nil, fmt.Errorf("%d: not of the form identity:key", n)
		}
		identity := line[:i]
		key, err := hex.DecodeString(line[i+1:])
		switch {
		case err != nil || len(key) < pskLeast:
			return nil, fmt.Errorf("%d: the key of %q is not hexadecimal of %d digits or more", n, identity, 2*pskLeast)
		case !utf8.ValidString(identity) || strings.ContainsFunc(identity, unicode.IsControl):
			return nil, fmt.Errorf("%d: the identity is no text", n)
		case p[identity] != nil:
			return nil, fmt.Errorf("%d: %q has a key already", n, identity)
		}
		p[identity] = key
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	return p, nil
}
