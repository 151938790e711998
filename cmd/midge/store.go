package main

import (
	"errors"
	"io"
	"os"

	"midge/broker/store"
)

// storeCmd works on a store that no running midge uses.
type storeCmd struct {
	Check  storeCheckCmd  `cmd:"" help:"Verify everything in it."`
	Stats  storeStatsCmd  `cmd:"" help:"Tell what is in it."`
	Export storeExportCmd `cmd:"" help:"Write sessions, retained messages and queues as lines of JSON."`
	Import storeImportCmd `cmd:"" help:"Take in what export has written."`
}

// storeDir is where the store is.
type storeDir struct {
	Config string `short:"c" placeholder:"FILE" help:"Configuration whose data_dir is meant; without it ./config.toml if that exists, else the built-in defaults."`
	Dir    string `placeholder:"DIR" help:"Directory of the store, instead of the configured one."`
}

var errInMemory = errors.New(`data_dir is "": that configuration keeps its state in memory`)

func (d storeDir) path() (string, error) {
	if d.Dir != "" {
		return d.Dir, nil
	}
	cfg, err := load(d.Config)
	if err != nil {
		return "", err
	}
	if cfg.Node.DataDir == "" {
		return "", errInMemory
	}
	return cfg.Node.DataDir, nil
}

type storeCheckCmd struct{ storeDir }

// Run verifies the store and prints what is wrong with it.
func (c *storeCheckCmd) Run() error { return c.with(os.Stdout, store.Check) }

type storeStatsCmd struct{ storeDir }

// Run prints what is in the store.
func (c *storeStatsCmd) Run() error { return c.with(os.Stdout, store.Stats) }

type storeExportCmd struct {
	storeDir
	File string `arg:"" optional:"" help:"File to write; without it, or with «-», standard output."`
}

// Run writes the store as lines of JSON.
func (c *storeExportCmd) Run() (err error) {
	w := os.Stdout
	if named(c.File) {
		if w, err = os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return err
		}
		defer func() {
			if err = errors.Join(err, w.Close()); err != nil {
				os.Remove(c.File) // a part of an export looks like a whole one
			}
		}()
	}
	return c.with(w, store.Export)
}

// named reports whether an argument is a file, not standard input or output.
func named(file string) bool { return file != "" && file != "-" }

type storeImportCmd struct {
	storeDir
	File    string `arg:"" optional:"" help:"File to read; without it, or with «-», standard input."`
	Replace bool   `help:"Replace sessions that are there already."`
}

// Run takes in what Export has written.
func (c *storeImportCmd) Run() error {
	dir, err := c.path()
	if err != nil {
		return err
	}
	r := os.Stdin
	if named(c.File) {
		if r, err = os.Open(c.File); err != nil {
			return err
		}
		defer r.Close()
	}
	return store.Import(dir, r, c.Replace)
}

func (d storeDir) with(w io.Writer, do func(dir string, w io.Writer) error) error {
	dir, err := d.path()
	if err != nil {
		return err
	}
	return do(dir, w)
}
