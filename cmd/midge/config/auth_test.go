package config

import (
	"strings"
	"testing"
)

// TestAdmission holds who may come in, what midge says of it, and when public has to stand beside an address that others reach.
func TestAdmission(t *testing.T) {
	const public = "lets everyone who reaches it publish and subscribe"
	for _, row := range []struct {
		auth, listener string // lines of [auth] and of a [[listener]]
		who            string
		open           bool
	}{
		{"", "", "anyone without a password, from anywhere; everything is allowed", true},
		{`acl_file = "acl"`, "", "anyone without a password, from anywhere; as acl allows", true},
		{`password_file = "pw"`, "", "users of pw, from anywhere, passwords not encrypted; everything is allowed", false},
		{`password_file = "pw", acl_file = "acl"`, "", "users of pw, from anywhere, passwords not encrypted; as acl allows", false},
		{`password_file = "pw", allow_anonymous = false`, "", "users of pw, from anywhere, passwords not encrypted; everything is allowed", false},
		{`password_file = "pw", allow_anonymous = true`, "", "users of pw and anyone without a password, from anywhere, passwords not encrypted; everything is allowed", true},
		{`password_file = "pw"`, `password_file = ""`, "anyone without a password, from anywhere; everything is allowed", true},
		{`password_file = "pw"`, `password_file = "own", acl_file = "acl"`, "users of own, from anywhere, passwords not encrypted; as acl allows", false},
		{`acl_file = "acl"`, `acl_file = ""`, "anyone without a password, from anywhere; everything is allowed", true},
		{`password_file = "pw"`, `allow_anonymous = true`, "users of pw and anyone without a password, from anywhere, passwords not encrypted; everything is allowed", true},
		{`allow_anonymous = true`, `password_file = "own", allow_anonymous = false`, "users of own, from anywhere, passwords not encrypted; everything is allowed", false},
		{`allow_anonymous = true`, `password_file = "own"`, "users of own and anyone without a password, from anywhere, passwords not encrypted; everything is allowed", true},
	} {
		lines := func(s string) string { return strings.ReplaceAll(s, ", ", "\n") + "\n" }
		text := "[[listener]]\naddress = \":1883\"\n" + lines(row.listener) + "[auth]\n" + lines(row.auth)
		c, err := Parse("config.toml", []byte(text))
		if told := err != nil && strings.Contains(err.Error(), public); told != row.open {
			t.Errorf("public = true has to stand beside an address that others reach where anybody comes in, %v: got %v for\n%s", row.open, err, text)
		}
		if err != nil {
			c, err = Parse("config.toml", []byte(strings.Replace(text, "[auth]", "public = true\n[auth]", 1)))
		}
		if err != nil {
			t.Errorf("with public = true it is accepted: %v\n%s", err, text)
			continue
		}
		if got := c.Who(c.Listeners[0]); got != row.who {
			t.Errorf("midge check says\n%s\nbut said\n%s\nof\n%s", row.who, got, text)
		}
	}
}
