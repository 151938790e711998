package config

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestDescribe(t *testing.T) {
	full, err := Load("testdata/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	small := Default()
	small.Node = Node{ID: "pi7"}
	small.HTTP.Address = ""
	plain := Default()
	plain.Node, plain.Links = Node{ID: "pi7"}, nil
	for name, c := range map[string]*Config{"full": full, "small": small, "plain": plain} {
		var out strings.Builder
		if err := c.Describe(&out); err != nil {
			t.Fatal(err)
		}
		file := "testdata/" + name + ".txt"
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("midge check prints %s:\n%s\nbut printed\n%s", file, want, out.String())
		}
		if strings.Contains(out.String(), "hunter2") {
			t.Error("midge check never prints a password")
		}
	}
}
