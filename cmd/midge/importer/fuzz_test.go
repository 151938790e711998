package importer

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"midge/cmd/midge/config"
)

// memory is a disk of one file, and of an include_dir with the same file in it.
func memory(data []byte) disk {
	return disk{
		read: func(name string) ([]byte, error) {
			if b := path.Base(name); b == "main.conf" || b == "more.conf" {
				return data, nil
			}
			return nil, fs.ErrNotExist
		},
		list: func(dir string) ([]string, error) {
			if dir != "more" {
				return nil, fs.ErrNotExist
			}
			return []string{"more.conf", "main.txt"}, nil
		},
	}
}

// FuzzImport: whatever a file holds, importing it ends, its report is printable, and the configuration is one that Midge takes.
func FuzzImport(f *testing.F) {
	for _, p := range samples(f) {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("listener 1883\ninclude_dir more\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := fileOn(memory(data), "main.conf", "box")
		if errors.Is(err, errUnknownFormat) {
			return
		}
		if err != nil {
			t.Fatalf("a file that is there and known is imported, but: %v", err)
		}
		acceptable(t, r)
	})
}

// FuzzConf reads everything as a mosquitto.conf, known or not.
func FuzzConf(f *testing.F) {
	f.Add([]byte("listener 1883 lo]calhost"))
	f.Add([]byte("bind_address")) // a default listener of which nothing is right
	fuzzFormat(f, readConf, ".conf")
}

// FuzzPaho, FuzzBisquitt and FuzzEMQX do the same for lists of predefined topics.
func FuzzPaho(f *testing.F)     { fuzzFormat(f, readPaho, "predefinedTopic.conf") }
func FuzzBisquitt(f *testing.F) { fuzzFormat(f, readBisquitt, ".yaml") }
func FuzzEMQX(f *testing.F)     { fuzzFormat(f, readEMQX, "emqx.conf") }

func fuzzFormat(f *testing.F, read func(*job, string, []byte) *document, seeds string) {
	for _, p := range samples(f) {
		if data, err := os.ReadFile(p); err == nil && strings.HasSuffix(p, seeds) {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j := &job{disk: memory(data), host: "box"}
		doc := read(j, "main.conf", data)
		acceptable(t, Result{TOML: doc.text("", "main.conf", j.left), Left: j.left})
	})
}

// acceptable wants a result that can be shown and run.
func acceptable(t *testing.T, r Result) {
	t.Helper()
	if _, err := config.Parse("config.toml", []byte(r.TOML)); err != nil {
		t.Errorf("what is printed passes midge check, but\n%v\nin\n%s", err, r.TOML)
	}
	for _, l := range r.Left {
		if strings.ContainsFunc(l.Option+l.Why, func(r rune) bool { return r < ' ' || r == 0x7F }) {
			t.Errorf("a line of the report is one line without control characters, but %q", l)
		}
	}
}
