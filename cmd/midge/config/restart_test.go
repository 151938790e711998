package config

import (
	"strings"
	"testing"
)

func TestAfterRestart(t *testing.T) {
	const base = "[node]\nid = \"a\"\n[log]\nlevel = \"info\"\n[[listener]]\naddress = \"127.0.0.1:1883\"\n[[link]]\nname = \"l\"\ntype = \"serial\"\ndevice = \"/dev/x\"\n"
	for _, row := range []struct{ from, to, want string }{
		{"", "", ""},
		{`"info"`, `"debug"`, ""},
		{`"127.0.0.1:1883"`, "\"127.0.0.1:1883\"\npassword_file = \"p\"\npublic = true", ""},
		{"[log]", "[auth]\nallow_anonymous = true\n[log]", ""},
		{`id = "a"`, "id = \"b\"\ndata_dir = \"\"", "[node] id, [node] data_dir"},
		{"level", "format = \"json\"\nlevel", "[log] format"},
		{"127.0.0.1:1883", "127.0.0.1:1884", "[[listener]] 127.0.0.1:1883, [[listener]] 127.0.0.1:1884"},
		{"/dev/x", "/dev/y", "[[link]] l"},
		{"\"l\"", "\"m\"", "[[link]] l, [[link]] m"},
		{"\"l\"", "\"l\"\nregister_after_sleep = true\nretry_count = 1\nrebind = \"never\"\nallow_clients = [\"a\"]\ndeny_clients = [\"b\"]\ndeny_addresses = [\"*7\"]\nclient_addresses = [\"a b\"]\nidle_limit = \"1h\"\nprobe = true\nbit_rate = 9600\nduty_cycle = 10\nframe_overhead = 5\nmax_qos = 1", ""},
		{"\"l\"", "\"l\"\nmtu = 60", "[[link]] l"},
		{"/dev/x\"", "/dev/x\"\nframing = \"loralink\"\ndevice_tx = \"/dev/y\"", "[[link]] l"},
		{"\"l\"", "\"l\"\nmount_point = \"m/\"", "[[link]] l"},
		{`"127.0.0.1:1883"`, "\"127.0.0.1:1883\"\nmount_point = \"m/\"", ""},
		{"[log]", "[store]\non_damage = \"refuse\"\n[gateway]\npredefined = []\n[log]", "[store] on_damage"},
		{"[log]", "[http]\naddress = \"\"\n[log]", "[http] address"},
		{"[log]", "[[bridge]]\nname = \"b\"\naddress = \"mqtt://b\"\n[[bridge.topic]]\nfilter = \"a\"\ndirection = \"out\"\n[log]", "[[bridge]]"},
	} {
		before, err := Parse("before", []byte(base))
		if err != nil {
			t.Fatal(err)
		}
		after, err := Parse("after", []byte(strings.Replace(base, row.from, row.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(before.AfterRestart(after), ", "); got != row.want {
			t.Errorf("with %q for %q, a restart is needed for %q, not %q", row.to, row.from, row.want, got)
		}
	}
}
