package config

import "testing"

func TestSize(t *testing.T) {
	for _, row := range []struct {
		text string
		want Size
		back string // "" is no size
	}{
		{"0", 0, "0"},
		{"1000", 1000, "1000"},
		{"65536", 65536, "64KiB"},
		{"64KiB", 65536, "64KiB"},
		{"64 MiB", 64 << 20, "64MiB"},
		{"1024MiB", 1 << 30, "1GiB"},
		{"1536KiB", 1536 << 10, "1536KiB"},
		{"8589934591GiB", 8589934591 << 30, "8589934591GiB"},
		{"8589934592GiB", 0, ""},
		{"-1", 0, ""},
		{"1.5GiB", 0, ""},
		{"64MB", 0, ""},
		{"MiB", 0, ""},
		{"", 0, ""},
	} {
		var s Size
		err := s.UnmarshalText([]byte(row.text))
		if (err == nil) != (row.back != "") {
			t.Errorf("%q is a size: %v", row.text, err)
			continue
		}
		if err == nil && (s != row.want || s.String() != row.back) {
			t.Errorf("%q is %d octets, written %q; want %d and %q", row.text, s, s.String(), row.want, row.back)
		}
	}
}
