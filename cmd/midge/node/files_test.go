package node

import "testing"

func TestConnectionsLeaveFilesForTheStore(t *testing.T) {
	for _, row := range []struct{ files, want int }{
		{0, 100_000}, {1 << 30, 100_000}, {524_288, 100_000}, {20_000, 19_600}, {1024, 624}, {256, 64},
	} {
		if got := connections(row.files); got != row.want {
			t.Errorf("with %d files there may be %d connections, not %d", row.files, row.want, got)
		}
	}
}
