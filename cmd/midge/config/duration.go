package config

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a span of time that TOML writes as text: "15m", "1h30m", "250ms", "0s". It is never negative.
type Duration struct{ time.Duration }

// UnmarshalText takes what time.ParseDuration takes, negative spans excepted.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is not a duration; write for example "30s", "15m" or "1h30m"`, text)
	}
	d.Duration = v
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the shortest usual text: "15m" where time.Duration says "15m0s".
func (d Duration) String() string {
	s := d.Duration.String()
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		s = short + "m"
	}
	if short, ok := strings.CutSuffix(s, "h0m"); ok {
		s = short + "h"
	}
	return s
}
