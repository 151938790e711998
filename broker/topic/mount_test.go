package topic

import "testing"

func TestMount(t *testing.T) {
	for _, c := range []struct {
		what, pattern, client, user string
		name, mounted               string
		filter, mountedFilter       string
	}{
		{"no mount changes nothing", "", "c", "u", "a/b", "a/b", "$share/g/a/#", "$share/g/a/#"},
		{"a mount stands in front", "barn/", "c", "u", "a/b", "barn/a/b", "#", "barn/#"},
		{"it need not end a level", "barn-", "c", "u", "a", "barn-a", "+/x", "barn-+/x"},
		{"of a shared subscription it stands behind the group", "barn/", "c", "u", "/a", "barn//a", "$share/g/a/+", "$share/g/barn/a/+"},
		{"also where the filter looks like the group", "m/", "c", "u", "g", "m/g", "$share/g/g", "$share/g/m/g"},
		{"the server's own topics are out of reach", "barn/", "c", "u", "$SYS/x", "barn/$SYS/x", "$SYS/#", "barn/$SYS/#"},
		{"it names client and user", "%u/%c/", "c1", "anna", "t", "anna/c1/t", "t/#", "anna/c1/t/#"},
		{"who has no user name is -", "u/%u/", "c1", "", "t", "u/-/t", "t", "u/-/t"},
		{"nobody reaches another's branch by his name", "%c/", "a/+#$", "", "t", "a____/t", "#", "a____/#"},
		{"what is put in is not put in again", "%c/%u/", "%u", "%c", "t", "%u/%c/t", "t", "%u/%c/t"},
	} {
		m := MountFor(c.pattern, c.client, c.user)
		if got := m.Name(c.name); got != c.mounted {
			t.Errorf("%s: %q means %q, not %q", c.what, c.name, c.mounted, got)
		}
		if got := m.Strip(c.mounted); got != c.name {
			t.Errorf("%s: the client is told of %q as %q, not %q", c.what, c.mounted, c.name, got)
		}
		if got := m.Filter(c.filter); got != c.mountedFilter {
			t.Errorf("%s: the filter %q means %q, not %q", c.what, c.filter, c.mountedFilter, got)
		}
		if got := m.StripFilter(c.mountedFilter); got != c.filter {
			t.Errorf("%s: the client has written the filter %q as %q, not %q", c.what, c.mountedFilter, c.filter, got)
		}
	}
	for _, name := range []string{"elsewhere/x", "barn/"} {
		if got := Mount("barn/").Strip(name); got != name {
			t.Errorf("what is not below the mount stays whole: %q, not %q", name, got)
		}
	}
	for pattern, ok := range map[string]bool{"": true, "barn/": true, "%c/": true, "a/+/": false, "#": false, "$SYS/": false, "a\x00": false} {
		if err := ValidMount(pattern); (err == nil) != ok {
			t.Errorf("whether %q may stand in front of topics is %v, not the error %v", pattern, ok, err)
		}
	}
}
