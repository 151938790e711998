package passwd

import (
	"strings"
	"testing"

	"midge/broker/auth"
)

func TestArguments(t *testing.T) {
	rows := []struct {
		args string
		want options
	}{
		{"F u", options{file: "F", user: "u"}},
		{"-c F u", options{create: true, file: "F", user: "u"}},
		{"-c -b F u p", options{create: true, batch: true, file: "F", user: "u", password: "p"}},
		{"-b F u -p", options{batch: true, file: "F", user: "u", password: "-p"}},
		{"-b -- -F u p", options{batch: true, file: "-F", user: "u", password: "p"}},
		{"-D F :x", options{remove: true, file: "F", user: ":x"}},
		{"-U F", options{update: true, file: "F"}},
		{"-c - u", options{create: true, file: "-", user: "u"}},
		{"-H sha512 F u", options{kind: auth.SHA512, file: "F", user: "u"}},
		{"-I 5 -H sha512-pbkdf2 -U F", options{kind: auth.PBKDF2, iterations: 5, update: true, file: "F"}},
		{"--help F", options{help: true}},
	}
	for _, row := range rows {
		if row.want.kind == "" {
			row.want.kind = auth.Argon2id
		}
		if got, err := parse(strings.Fields(row.args)); err != nil || got != row.want {
			t.Errorf("%q means %+v, not %+v (%v)", row.args, row.want, got, err)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	rows := []struct {
		args []string
		want string
	}{
		{nil, "FILE is missing"},
		{[]string{"F"}, "USER is missing"},
		{[]string{"-b", "F", "u"}, "PASSWORD is missing"},
		{[]string{"-U"}, "FILE is missing"},
		{[]string{"F", "u", "p"}, `there is an argument too many: "p"`},
		{[]string{"-U", "F", "u"}, `there is an argument too many: "u"`},
		{[]string{"-x", "F", "u"}, "unknown flag -x"},
		{[]string{"-H"}, "-H needs a value"},
		{[]string{"-I"}, "-I needs a value"},
		{[]string{"-H", "md5", "F", "u"}, `-H must be argon2id, sha512-pbkdf2, sha512 or scram-sha-256, not "md5"`},
		{[]string{"-I", "0", "F", "u"}, `-I must be a number from 1 to 10000000, not "0"`},
		{[]string{"-I", "x", "F", "u"}, `-I must be a number from 1 to 10000000, not "x"`},
		{[]string{"-I", "9", "F", "u"}, "-I is for -H sha512-pbkdf2 and -H scram-sha-256"},
		{[]string{"-I", "4095", "-H", "scram-sha-256", "F", "u"}, "-I must be at least 4096 for -H scram-sha-256"},
		{[]string{"-I", "9", "-H", "sha512", "F", "u"}, "-I is for -H sha512-pbkdf2 and -H scram-sha-256"},
		{[]string{"-c", "-D", "F", "u"}, "-c and -D cannot be used together"},
		{[]string{"-c", "-U", "F"}, "-c and -U cannot be used together"},
		{[]string{"-D", "-U", "F"}, "-D and -U cannot be used together"},
		{[]string{"-b", "-D", "F", "u"}, "-b and -D cannot be used together"},
		{[]string{"-b", "-U", "F"}, "-b and -U cannot be used together"},
		{[]string{"", "u"}, "FILE is empty"},
		{[]string{"-", "u"}, "- as FILE needs -c"},
		{[]string{"F", ""}, "the user name is empty"},
		{[]string{"F", "a:b"}, "the user name contains ':', which ends it in a password file"},
		{[]string{"F", "a\nb"}, "the user name contains a control character"},
		{[]string{"F", "#a"}, "the user name begins with '#', which makes its line a comment"},
		{[]string{"F", " a"}, "the user name begins or ends with a blank"},
		{[]string{"F", "\xff"}, "the user name is not valid UTF-8"},
		{[]string{"F", strings.Repeat("u", 65536)}, "the user name is longer than 65535 bytes"},
	}
	for _, row := range rows {
		if _, err := parse(row.args); err == nil || err.Error() != row.want {
			t.Errorf("%.60q: got %v, want %s", row.args, err, row.want)
		}
	}
}
