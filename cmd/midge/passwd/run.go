package passwd

import (
	"errors"
	"fmt"
	"io"
	"os"

	"midge/broker/auth"
)

// passwordBytesMax is the longest password: its length travels in 16 bits.
const passwordBytesMax = 65535

// Run edits a password file as args say and returns the exit code: 0, or 1 with one sentence on stderr. It asks for a password on
// stdin when that is a terminal, and takes its first line otherwise.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "midge passwd: %v; midge passwd --help lists the flags\n", err)
		return 1
	case o.help:
		io.WriteString(stdout, usage)
		return 0
	}
	c := command{options: o, stdin: stdin, stdout: stdout, stderr: stderr}
	if err := c.run(); err != nil {
		fmt.Fprintf(stderr, "midge passwd: %v\n", err)
		return 1
	}
	io.WriteString(stdout, c.done)
	return 0
}

type command struct {
	options
	stdin          io.Reader
	stdout, stderr io.Writer
	done           string // what to tell once the file is replaced
}

func (c *command) run() error {
	if !c.create {
		if _, err := os.Stat(c.file); err != nil { // before anyone has typed a password
			return c.explain(err)
		}
	}
	switch {
	case c.update:
		return c.rewrite(c.hashFile)
	case c.remove:
		return c.rewrite(c.removeUser)
	}
	if !c.batch {
		var err error
		if c.password, err = askPassword(c.stdin, c.stderr); err != nil {
			return err
		}
	}
	if err := checkPassword(c.password); err != nil {
		return err
	}
	hash, err := c.hash(c.password)
	if err != nil {
		return err
	}
	if c.file == "-" {
		c.done = c.user + ":" + hash + "\n"
		return nil
	}
	return c.rewrite(func(file string) (string, error) { return c.setUser(file, hash) })
}

func (c *command) hash(password string) (string, error) {
	return auth.Encode(c.kind, c.iterations, []byte(password))
}

func (c *command) setUser(file, hash string) (string, error) {
	if c.create {
		file = ""
	}
	out, replaced := setUser(file, c.user, hash)
	if replaced {
		c.done = "Updating password for user " + c.user + "\n"
	} else {
		c.done = "Adding password for user " + c.user + "\n"
	}
	c.warn(out)
	return out, nil
}

func (c *command) removeUser(file string) (string, error) {
	out, found := removeUser(file, c.user)
	if !found {
		return "", fmt.Errorf("user %q does not stand in %s", c.user, c.file)
	}
	c.warn(out)
	return out, nil
}

func (c *command) hashFile(file string) (string, error) {
	out, hashed, err := hashAll(file, c.hash)
	if err != nil {
		return "", fmt.Errorf("%s, %w; nothing was changed", c.file, err)
	}
	if wrong := problems(c.file, out); wrong != nil {
		return "", fmt.Errorf("%s; nothing was changed", wrong[0])
	}
	c.done = fmt.Sprintf("%d passwords hashed\n", hashed)
	return out, nil
}

// warn tells what else is wrong with the file that is about to be written: a broker will refuse it.
func (c *command) warn(file string) {
	for _, sentence := range problems(c.file, file) {
		fmt.Fprintf(c.stderr, "midge passwd: warning: %s\n", sentence)
	}
}

func checkPassword(password string) error {
	switch {
	case password == "":
		return errors.New("the password is empty")
	case len(password) > passwordBytesMax:
		return fmt.Errorf("the password is longer than %d bytes", passwordBytesMax)
	}
	return nil
}

func (c *command) explain(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no file %s; -c makes it", c.file)
	}
	return fmt.Errorf("cannot read the password file: %w", err)
}
