package importer

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// parseNumber reads a number as C does: 0x is hexadecimal, a leading 0 octal.
func parseNumber(s string) (int64, error) {
	digits := strings.ToLower(strings.TrimLeft(s, "+-"))
	if strings.Contains(s, "_") || strings.HasPrefix(digits, "0b") || strings.HasPrefix(digits, "0o") {
		return 0, strconv.ErrSyntax // Go's own notations
	}
	return strconv.ParseInt(s, 0, 64)
}

// plainText reports whether a text can stand in TOML and in an MQTT string: UTF-8 without control characters.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F })
}

// spans are the units of persistent_client_expiration.
var spans = map[byte]time.Duration{
	's': time.Second, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'm': 30 * 24 * time.Hour, 'y': 365 * 24 * time.Hour,
}

// parseSpan reads a number with a unit: "14d". ok is false for everything else and for more than 290 years.
func parseSpan(s string) (d time.Duration, ok bool) {
	if s == "" {
		return 0, false
	}
	unit := spans[s[len(s)-1]]
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	if err != nil || unit == 0 || n < 1 || n > int64((1<<63-1)/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
