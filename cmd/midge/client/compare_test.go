package client

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// times is what differs from one run to the next.
var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6}Z)?|\d{10}\.\d{9}`)

func timeless(s string) string { return times.ReplaceAllString(s, "TIME") }

// retained is what every row of TestSubPrintsTheSame finds on the broker.
func publishRetained(t *testing.T, b *broker) {
	for _, args := range [][]string{
		{"-t", "r/a", "-m", `hel"lo`},
		{"-t", "r/b", "-m", "two", "-q", "2"},
		{"-t", "r/json", "-m", `{"a":[1,2.5,{"b":null}],"é":"x/\u00e9","e":{},"l":[],"t":true}`},
		{"-t", "r/utf8", "-m", "é\x01\t\\"},
		{"-t", "p/user", "-m", "u", "-D", "publish", "user-property", "k", "v", "-D", "publish", "user-property", "k2", "v 2"},
		{"-t", "p/type", "-m", "c", "-D", "publish", "content-type", "text"},
		{"-t", "p/corr", "-m", "d", "-D", "publish", "correlation-data", "corr"},
		{"-t", "p/resp", "-m", "r", "-D", "publish", "response-topic", "a/b"},
		{"-t", "p/form", "-m", "f", "-D", "publish", "payload-format-indicator", "1"},
	} {
		must(t, theirs(t, pubProgram, "", append([]string{"-p", b.port, "-r"}, args...)...))
	}
}

// Both programs print the same octets and end with the same code for the same flags.
func TestSubPrintsTheSame(t *testing.T) {
	b := startBroker(t, "")
	publishRetained(t, b)
	for _, args := range [][]string{
		{"-t", "r/a", "-C", "1"},
		{"-t", "r/a", "-C", "1", "-v"},
		{"-t", "r/a", "-C", "1", "-N"},
		{"-t", "r/a", "-t", "r/b", "-C", "2", "-v", "-q", "2"},
		{"-t", "r/+", "-T", "r/a", "-T", "r/utf8", "-T", "r/json", "-C", "1", "-v"},
		{"-t", "r/b", "-C", "1", "-V", "mqttv31", "-v"},
		{"-t", "r/b", "-C", "1", "-V", "31", "-q", "1"},
		{"-t", "r/b", "-C", "1", "-V", "mqttv5", "-q", "2", "-v"},
		{"-t", "r/b", "-C", "1", "-V", "5", "-x", "60", "-i", "ID", "-k", "30"},
		{"-t", "r/b", "-C", "1", "-c", "-i", "ID"},
		{"-t", "r/b", "-C", "1", "-D", "connect", "topic-alias-maximum", "3", "-D", "subscribe", "user-property", "a", "b"},
		{"-L", "mqtt://localhost:" + b.port + "/r/a", "-C", "1"},
		{"-t", "r/a", "-E"},
		{"-t", "r/a", "-U", "r/b", "-E", "-q", "1", "-V", "5"},
		{"-t", "r/a", "-E", "-d", "-i", "ID"},
		{"-t", "r/a", "-t", "r/b", "-C", "2", "-d", "-i", "ID", "-q", "2", "-V", "5", "--retain-as-published"},
		{"-t", "nothing", "-W", "1"},
		{"-t", "r/a", "-R", "-W", "1"},
		{"-t", "r/a", "-R", "-W", "1", "-V", "5"},
		{"-t", "r/a", "-C", "1", "-F", ""},
		{"-t", "r/a", "-C", "1", "-F", "%t %p %q %r %m %l %% @@ \\t\\\\\\n\\0\\a\\e\\r\\v"},
		{"-t", "r/a", "-C", "1", "-F", "%10t|%-10t|%.2t|%12.3t|%-12.3t|%10p|%-10p|%3p|%010p|%-3p"},
		{"-t", "r/a", "-C", "1", "-F", "%5l|%05l|%-5l|%5m|%05m|%-5m|%5q|%05r"},
		{"-t", "r/a", "-C", "1", "-F", "%x %X"},
		{"-t", "r/a", "-C", "1", "-F", "%I %U", "-N"},
		{"-t", "r/a", "-C", "1", "-F", "@Y-@m-@d @F @y @b @B @a @A @j @C @z @Z @u @w @U @W @V @G @g @D @e @p @n @t"},
		{"-t", "r/a", "-C", "1", "-F", "%j"},
		{"-t", "r/b", "-C", "1", "-F", "%j", "-q", "2"},
		{"-t", "r/utf8", "-C", "1", "-F", "%j"},
		{"-t", "r/utf8", "-C", "1", "-F", "%J"},
		{"-t", "r/json", "-C", "1", "-F", "%J"},
		{"-t", "r/json", "-C", "1", "-F", "%J", "--pretty"},
		{"-t", "r/json", "-C", "1", "-F", "%j", "--pretty"},
		{"-t", "p/user", "-C", "1", "-F", "%P|%C|%D|%E|%F|%R|%S|%A|%5C|%5E|%5S", "-V", "5"},
		{"-t", "p/type", "-C", "1", "-F", "%C %8C|%-8C|%.2C", "-V", "5"},
		{"-t", "p/corr", "-C", "1", "-F", "%D", "-V", "5"},
		{"-t", "p/resp", "-C", "1", "-F", "%R", "-V", "5"},
		{"-t", "p/form", "-C", "1", "-F", "%F %3F %-3F| %03F", "-V", "5"},
		{"-t", "p/user", "-C", "1", "-F", "%j", "-V", "5"},
		{"-t", "p/user", "-C", "1", "-F", "%j", "-V", "5", "--pretty"},
		{"-t", "p/type", "-C", "1", "-F", "%j", "-V", "5"},
		{"-t", "p/corr", "-C", "1", "-F", "%j", "-V", "5"},
		{"-t", "p/form", "-C", "1", "-F", "%j", "-V", "5"},
		{"-t", "r/a", "-C", "1", "-F", "%S", "-D", "subscribe", "subscription-identifier", "7"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			full := append([]string{"-p", b.port}, args...)
			want := theirs(t, subProgram, "", full...)()
			got := ours(t, subProgram, "", full...)()
			if timeless(got.out) != timeless(want.out) || got.code != want.code {
				t.Errorf("midge sub prints and ends as mosquitto_sub does:\n got %d %q (%s)\nwant %d %q (%s)",
					got.code, got.out, got.errors, want.code, want.out, want.errors)
			}
		})
	}
}

// Messages that arrive while both subscribers wait, from either publisher.
func TestLiveMessages(t *testing.T) {
	b := startBroker(t, "")
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, r := range []struct {
		name  string
		stdin string
		count int
		args  []string
	}{
		{"argument", "", 1, []string{"-m", "hello"}},
		{"null", "", 1, []string{"-n"}},
		{"file", "", 1, []string{"-f", file}},
		{"all of stdin", "a\nb\n", 1, []string{"-s", "-q", "1"}},
		{"lines", "one\n\nthree\r\nlast", 4, []string{"-l"}},
		{"lines at QoS 2", "one\n\nthree\r\nlast", 4, []string{"-l", "-q", "2", "-M", "1"}},
		{"lines in MQTT 5", strings.Repeat("x\n", 100), 100, []string{"-l", "-q", "1", "-V", "5"}},
		{"repeat", "", 3, []string{"-m", "again", "--repeat", "3", "-q", "1"}},
		{"repeat with a delay", "", 2, []string{"-m", "again", "--repeat", "2", "--repeat-delay", "0.01"}},
		{"retained", "", 1, []string{"-m", "kept", "-r", "-q", "2"}},
		{"properties", "", 1, []string{"-m", "x", "-D", "publish", "content-type", "c", "-D", "publish", "user-property", "k", "v"}},
		{"alias", "", 2, []string{"-m", "x", "-D", "publish", "topic-alias", "1", "--repeat", "2"}},
		{"MQTT 3.1", "", 1, []string{"-m", "x", "-V", "31", "-q", "1"}},
		{"will", "", 1, []string{"-m", "x", "--will-topic", "w", "--will-payload", "gone", "--will-qos", "1", "--will-retain"}},
	} {
		for who, publish := range map[string]func(*testing.T, program, string, ...string) started{"midge": ours, "mosquitto": theirs} {
			t.Run(r.name+" from "+who, func(t *testing.T) {
				sub := []string{"-p", b.port, "-t", "live/#", "-C", fmt.Sprint(r.count), "-q", "2", "-V", "5", "-F", "%t %p %q %r %l %C %P|"}
				id := fmt.Sprintf("%d-%s", n, who)
				mine := ours(t, subProgram, "", append(sub[:len(sub):len(sub)], "-i", "mine-"+id)...)
				other := theirs(t, subProgram, "", append(sub[:len(sub):len(sub)], "-i", "other-"+id)...)
				b.wait("Sending SUBACK to mine-" + id)
				b.wait("Sending SUBACK to other-" + id)
				must(t, publish(t, pubProgram, r.stdin, append([]string{"-p", b.port, "-t", "live/topic"}, r.args...)...))
				got, want := must(t, mine), must(t, other)
				if got.out != want.out || strings.Count(got.out, "|\n") != r.count {
					t.Errorf("both subscribers print the same %d messages:\n got %q\nwant %q", r.count, got.out, want.out)
				}
				must(t, theirs(t, pubProgram, "", "-p", b.port, "-t", "live/topic", "-n", "-r"))
			})
		}
	}
}
