package importer

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"midge/cmd/midge/config"
)

// Result is what an import gives.
type Result struct {
	Format string // what the file was: "mosquitto.conf", …
	TOML   string // a configuration for Midge, with what is left behind in comments at its top
	Left   []Left // what could not be carried over, in the order of the files
}

// Left is one thing that could not be carried over.
type Left struct {
	File   string
	Line   int    // from 1; 0 = no line
	Option string // the option or the entry, without its value
	Why    string // one clause: why, or what to do instead

	at int // where it stands in the order in which files were read
}

// String is one line: place, option, reason.
func (l Left) String() string {
	if l.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", l.File, l.Option, l.Why)
	}
	return fmt.Sprintf("%s:%d: %s: %s", l.File, l.Line, l.Option, l.Why)
}

// sizeMax bounds a file in octets: far above any real one.
const sizeMax = 8 << 20

// leftMax bounds the report. A file that has more wrong with it is no configuration.
const leftMax = 1000

// disk is where files come from; tests put something else in its place.
type disk struct {
	read func(path string) ([]byte, error)
	list func(dir string) ([]string, error) // names of the files in it
}

var realDisk = disk{
	read: func(path string) ([]byte, error) {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, err
		case info.Size() > sizeMax:
			return nil, fmt.Errorf("%s is longer than %d octets, which no configuration is", path, sizeMax)
		}
		return os.ReadFile(path)
	},
	list: func(dir string) ([]string, error) {
		entries, err := os.ReadDir(dir)
		names := make([]string, 0, len(entries))
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names, err
	},
}

// A job is one import under way.
type job struct {
	disk
	host string // name of the machine that runs the other program
	left []Left
}

// File imports a file. The host is the name of the machine where the other program ran: Mosquitto makes client ids of it.
func File(path, host string) (Result, error) { return fileOn(realDisk, path, host) }

func fileOn(d disk, path, host string) (Result, error) {
	data, err := d.read(path)
	if err != nil {
		return Result{}, fmt.Errorf("read the file to import: %w", err)
	}
	f, err := recognise(filepath.Base(path), data)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", path, err)
	}
	j := &job{disk: d, host: host}
	doc := f.read(j, path, data)
	j.check(path, doc)
	slices.SortStableFunc(j.left, func(a, b Left) int { return cmp.Compare(a.at, b.at) })
	return Result{Format: f.name, TOML: doc.text(f.name, path, j.left), Left: j.left}, nil
}

// leave adds a line to the report.
func (j *job) leave(l Left) {
	switch {
	case len(j.left) < leftMax:
		l.Option, l.Why = printable(l.Option), printable(l.Why)
		j.left = append(j.left, l)
	case len(j.left) == leftMax:
		j.left = append(j.left, Left{File: l.File, Line: l.Line, Option: "…", Why: "there is more; this report ends here", at: math.MaxInt})
	}
}

// check reads the result as Midge will. That it is valid is this package's business; if it is not, the user must hear of it.
func (j *job) check(path string, doc *document) {
	_, err := config.Parse("config.toml", []byte(doc.body()))
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		j.leave(Left{File: path, Option: "midge check", Why: strings.TrimSpace(line), at: math.MaxInt})
	}
}

// printable makes a text from a file safe for a comment and a terminal.
func printable(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || 0x80 <= r && r < 0xA0 || r == 0xFFFD {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
