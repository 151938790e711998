package auth

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkAccess is a check of a list in which the last entry decides, and one of a topic that no entry is about.
func BenchmarkAccess(b *testing.B) {
	for _, n := range []int{1, 8, 20, 200} {
		var file strings.Builder
		file.WriteString("user u\n")
		for i := range n {
			fmt.Fprintf(&file, "topic read site/building%03d/+/temperature\n", i)
		}
		acl, err := ParseACL("acl", strings.NewReader(file.String()))
		if err != nil {
			b.Fatal(err)
		}
		access := acl.For("u", "c")
		last := fmt.Sprintf("site/building%03d/room7/temperature", n-1)
		for name, topic := range map[string]string{"last": last, "none": "plant/line2/pump9/pressure"} {
			b.Run(fmt.Sprintf("entries=%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					access.MayRead(topic)
				}
			})
		}
	}
}

// BenchmarkPattern is a check that a pattern decides, and what it costs to make a client's Access.
func BenchmarkPattern(b *testing.B) {
	acl, err := ParseACL("acl", strings.NewReader("pattern write devices/%c/#\npattern read devices/%c/set/#\n"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		access := acl.For("u", "valve7")
		b.ReportAllocs()
		for b.Loop() {
			access.MayWrite("devices/valve7/state")
		}
	})
	b.Run("For", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			acl.For("u", "valve7")
		}
	})
}

// BenchmarkVerify is one log-in of each kind.
func BenchmarkVerify(b *testing.B) {
	rows := []struct {
		name, hash string
	}{
		{"sha512", encoded(b, SHA512, 0)},
		{"pbkdf2-101", encoded(b, PBKDF2, 101)},
		{"pbkdf2-1000", encoded(b, PBKDF2, 1000)},
		{"argon2id-19MiB", encoded(b, Argon2id, 0)},
		{"argon2id-mosquitto-46MiB", "$argon2id$v=19$m=47104,t=1,p=1$" + strings.Repeat("A", 86) + "$" + strings.Repeat("A", 86)},
	}
	for _, row := range rows {
		p, err := ParsePasswords("passwords", strings.NewReader("u:"+row.hash+"\n"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Verify(context.Background(), "u", []byte("secret"))
			}
		})
	}
}

func encoded(t testing.TB, kind Kind, iterations int) string {
	t.Helper()
	hash, err := Encode(kind, iterations, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return hash
}
