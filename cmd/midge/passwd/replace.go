package passwd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rewrite replaces the file by what edit makes of its text. A file that does not exist has the text "" and the mode 0600.
func (c *command) rewrite(edit func(file string) (string, error)) error {
	path, err := filepath.EvalSymlinks(c.file)
	if errors.Is(err, fs.ErrNotExist) && c.create {
		path, err = c.file, nil
	}
	if err != nil {
		return c.explain(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot open the directory of the password file: %w", err)
	}
	defer dir.Close() // and with it the lock
	lock(dir)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.create:
		info = nil
	case err != nil:
		return c.explain(err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link to a file that does not exist", c.file)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", c.file)
	}
	var old []byte
	if info != nil {
		if old, err = os.ReadFile(path); err != nil {
			return c.explain(err)
		}
	}
	text, err := edit(string(old))
	if err != nil {
		return err
	}
	if err := replace(dir, path, text, info); err != nil {
		return fmt.Errorf("cannot replace %s, which stays as it was: %w", c.file, err)
	}
	return syncDirectory(dir)
}

// replace writes text beside path and renames it over path, with the mode and owner of info if there was a file.
func replace(dir *os.File, path, text string, info fs.FileInfo) error {
	f, err := os.CreateTemp(dir.Name(), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	defer f.Close()
	if info != nil {
		if err := likeBefore(f, info); err != nil {
			return err
		}
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
