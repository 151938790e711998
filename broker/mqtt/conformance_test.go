package mqtt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sequences is where Mosquitto's packet sequences lie beside the project, when they do.
const sequences = "../../../shared/conformance/mqtt-sequences"

type sequenceGroup struct {
	Group            string
	Disable          bool
	Ver              Version
	ExpectDisconnect *bool `json:"expect_disconnect"`
	Tests            []sequence
}

type sequence struct {
	Name             string
	Ver              Version
	ExpectDisconnect *bool `json:"expect_disconnect"`
	Msgs             []struct{ Type, Payload string }
}

// The data decide which reason code a malformation gets: every packet that is to be accepted parses, and every one
// that is to be refused with a reason code is either refused with that code here or well-formed, which the listener then judges.
func TestMosquittosPacketSequences(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sequences, "*.json"))
	if len(files) == 0 {
		t.Skip("the packet sequences are not beside this checkout")
	}
	parsed, refused := 0, 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []sequenceGroup
		if err := json.Unmarshal(raw, &groups); err != nil {
			t.Fatalf("%s holds groups of sequences: %v", file, err)
		}
		for _, g := range groups {
			for _, s := range g.Tests {
				if g.Disable {
					continue
				}
				s.Ver = firstNonZero(s.Ver, g.Ver, V311)
				if s.ExpectDisconnect == nil {
					s.ExpectDisconnect = g.ExpectDisconnect
				}
				t.Run(fmt.Sprintf("%s %s v%d %s", filepath.Base(file), g.Group, s.Ver, s.Name), func(t *testing.T) {
					p, r := s.run(t)
					parsed, refused = parsed+p, refused+r
				})
			}
		}
	}
	t.Logf("%d packets parsed, %d refused", parsed, refused)
}

func firstNonZero(vs ...Version) Version {
	for _, v := range vs {
		if v != 0 {
			return v
		}
	}
	return 0
}

func (s *sequence) run(t *testing.T) (parsed, refused int) {
	for i, m := range s.Msgs {
		if m.Type != "send" {
			continue
		}
		answer := ""
		if i+1 < len(s.Msgs) {
			answer = s.Msgs[i+1].Payload
		}
		survives := i+1 < len(s.Msgs) && !strings.HasPrefix(answer, "E0") && !strings.HasPrefix(answer, "20 r3") ||
			s.ExpectDisconnect != nil && !*s.ExpectDisconnect
		wire := sequencePayload(t, m.Payload)
		err := parseWire(wire, s.Ver)
		if err == nil {
			parsed++
			continue
		}
		refused++
		e, ok := err.(*Error)
		if !ok || survives && answer != "20 r2 00 02" {
			t.Errorf("%q is accepted: got %v", m.Payload, err)
			continue
		}
		if want, told := toldReason(answer); told && (e.Silent || e.Reason != want) {
			t.Errorf("%q is answered with %v: got %v, silent %v (%v)", m.Payload, want, e.Reason, e.Silent, e)
		} else if !told && answer == "" && !e.Silent && wire[0]>>4 == byte(TypeConnect) {
			t.Errorf("%q is not answered: got %v (%v)", m.Payload, e.Reason, e)
		}
	}
	return parsed, refused
}

// parseWire parses one packet as a server would: what only a server sends is not parsed beyond its flags.
func parseWire(wire []byte, v Version) error {
	h, err := ParseHeader(wire)
	if err != nil {
		return err
	}
	b := wire[h.Size:]
	if len(b) > h.Length {
		b = b[:h.Length]
	} else if len(b) < h.Length {
		return nil // a test of waiting for more, or of a limit
	}
	switch h.Type() {
	case TypeConnack, TypeAuth:
		return nil
	case TypeSuback, TypeUnsuback, TypePingresp:
		return CheckFlags(h.First, v)
	}
	_, err = parse(h.First, b, v)
	return err
}

// toldReason is the reason code in the CONNACK or DISCONNECT that a sequence expects.
func toldReason(answer string) (ReasonCode, bool) {
	f := strings.Fields(answer)
	n := -1
	switch {
	case len(f) == 3 && f[0] == "E0" && f[1] == "r1":
		n = 2
	case len(f) == 5 && f[0] == "20" && f[1] == "r3":
		n = 3
	}
	if n < 0 {
		return 0, false
	}
	x, err := strconv.ParseUint(f[n], 16, 8)
	return ReasonCode(x), err == nil
}

// sequencePayload reads the data's notation, which is described beside them.
func sequencePayload(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		token, rest, _ := strings.Cut(s, " ")
		if s[0] == '\'' {
			token, rest, _ = strings.Cut(s[1:], "'")
			b, s = append(b, token...), rest
			continue
		}
		s = rest
		n, err := strconv.ParseUint(token[1:], 10, 32)
		switch {
		case err == nil && token[0] == 'i':
			b = append(b, byte(n))
		case err == nil && strings.ContainsRune("Hkms", rune(token[0])):
			b = binary.BigEndian.AppendUint16(b, uint16(n))
		case err == nil && token[0] == 'L':
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		case err == nil && (token[0] == 'v' || token[0] == 'r'):
			b = appendVarint(b, uint32(n))
		default:
			b = append(b, fields(t, token)...)
		}
	}
	return b
}
