package mqtt

import "unicode/utf8"

// ValidText reports whether b may stand in a UTF-8 Encoded String: well-formed UTF-8 without U+0000, control characters
// and Unicode's non-characters. Surrogates are not well-formed.
//
// "it MUST NOT include encodings of code points between U+D800 and U+DFFF" [MQTT-1.5.4-1]
// "It MUST NOT include an encoding of the null character U+0000" [MQTT-1.5.4-2]
// Control characters and non-characters: "If the Server or Client receives an MQTT Control Packet containing any of
// them it MAY treat the packet as a Malformed Packet" (§1.5.4). We do: they end up in logs, terminals and file names.
func ValidText(b []byte) bool {
	for i, c := range b {
		if c < 0x20 || c == 0x7F {
			return false
		}
		if c >= utf8.RuneSelf {
			return validRunes(b[i:])
		}
	}
	return true
}

func validRunes(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			return false
		case r < 0x20, 0x7F <= r && r <= 0x9F:
			return false
		case 0xFDD0 <= r && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
			return false
		}
		b = b[n:]
	}
	return true
}

// maxText is the longest string or binary value, in octets (MQTT 5 §1.5.4).
const maxText = 65_535

// appendText appends a string or binary value behind its two-octet length. What is longer than maxText is cut there:
// nothing that was parsed can be that long, and a wrong length would garble the whole connection.
func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	n := min(len(s), maxText)
	b = append(b, byte(n>>8), byte(n))
	return append(b, s[:n]...)
}

func textSize[T ~string | ~[]byte](s T) int { return 2 + min(len(s), maxText) }
