package importer

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"midge/cmd/midge/config"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// TestGolden: each file of testdata becomes the configuration beside it, with its report in comments, and that configuration is valid.
func TestGolden(t *testing.T) {
	for _, path := range samples(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := File(path, "box")
			if err != nil {
				t.Fatalf("%s is imported, but: %v", path, err)
			}
			golden := path + ".toml"
			if *update {
				if err := os.WriteFile(golden, []byte(r.TOML), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if r.TOML != string(want) {
				t.Errorf("%s says what %s imports to (rewrite it with -update), got\n%s", golden, path, r.TOML)
			}
			if _, err := config.Parse("config.toml", []byte(r.TOML)); err != nil {
				t.Errorf("what is printed passes midge check, but\n%v", err)
			}
		})
	}
}

// samples are the files of testdata to import.
func samples(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range paths {
		if ext := filepath.Ext(p); ext == ".conf" || ext == ".yaml" || ext == ".json" {
			list = append(list, p)
		}
	}
	if len(list) < 12 {
		t.Fatalf("a dozen files and more are imported, found %d", len(list))
	}
	return list
}

// TestNoSecretIsReported: a report goes to terminals and into tickets.
func TestNoSecretIsReported(t *testing.T) {
	for _, path := range samples(t) {
		r, err := File(path, "box")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range r.Left {
			if strings.Contains(l.String(), "never-shown") || strings.Contains(l.String(), "0011223344") {
				t.Errorf("no password and no key stands in a report, but: %s", l)
			}
		}
	}
}
