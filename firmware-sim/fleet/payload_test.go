package fleet

import "testing"

func TestPayloadRoundTrip(t *testing.T) {
	rows := []struct {
		size int
		want string
	}{
		{0, "21.5 sim-07 42"},
		{14, "21.5 sim-07 42"},
		{15, "21.5 sim-07 42 "},
		{16, "21.5 sim-07 42 ."},
		{24, "21.5 sim-07 42 ........."},
	}
	in := Reading{"21.5", "sim-07", 42}
	for _, row := range rows {
		b := in.append([]byte("x"), row.size)
		if got := string(b[1:]); got != row.want {
			t.Errorf("the text is filled up to %d octets: got %q, want %q", row.size, got, row.want)
		}
		if got, err := ParsePayload(b[1:]); err != nil || got != in {
			t.Errorf("a payload of %d octets reads back as %+v, got %+v, %v", row.size, in, got, err)
		}
	}
}

func TestForeignPayloadsAreRefused(t *testing.T) {
	for _, bad := range []string{"", "on", "21.5 sim-07", "21.5 sim-07 x", "21.5 sim-07 0", "21.5 sim-07 -1"} {
		if r, err := ParsePayload([]byte(bad)); err == nil {
			t.Errorf("%q is no reading, got %+v", bad, r)
		}
	}
}

func FuzzPayload(f *testing.F) {
	f.Add("21.5", "sim-07", uint64(42), 64)
	f.Add("", "x", uint64(1), 0)
	f.Fuzz(func(t *testing.T, command, device string, seq uint64, size int) {
		if !plain(device) || seq == 0 || size > payloadMax {
			t.Skip("no device of a fleet is like that")
		}
		in := Reading{oneWord([]byte(command)), device, seq}
		if got, err := ParsePayload(in.append(nil, size)); err != nil || got != in {
			t.Errorf("whatever a command says, the answer reads back as %+v, got %+v, %v", in, got, err)
		}
	})
}
