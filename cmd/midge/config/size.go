package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of octets, which TOML writes as a number or as text with a unit: 65536, "64KiB", "100MiB", "1GiB". It is never negative.
type Size int64

var units = []struct {
	name   string
	octets int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText takes a whole number with a unit, or without.
func (s *Size) UnmarshalText(text []byte) error {
	number, octets := string(text), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, octets = strings.TrimSuffix(rest, " "), u.octets
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/octets {
		return fmt.Errorf(`%q is not a size; write for example "64KiB", "100MiB" or "1GiB"`, text)
	}
	*s = Size(int64(n) * octets)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the shortest exact text.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && int64(s)%u.octets == 0 {
			return strconv.FormatInt(int64(s)/u.octets, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
