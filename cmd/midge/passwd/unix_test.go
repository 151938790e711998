//go:build linux

package passwd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestModeAndOwnerAreKept(t *testing.T) {
	p := newPlace(t)
	p.write("", 0o640)
	wantUID, wantGID := os.Getuid(), os.Getgid()
	if wantUID == 0 {
		wantUID, wantGID = 1234, 2345
		if err := os.Chown(p.file, wantUID, wantGID); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"-b", "-H", "sha512", "FILE", "bob", "x"}, {"-D", "FILE", "bob"}, {"-U", "FILE"}, {"-c", "-b", "FILE", "bob", "x"}} {
		if code, _, errs := p.run("", args...); code != 0 {
			t.Fatal(errs)
		}
		info, err := os.Stat(p.file)
		if err != nil {
			t.Fatal(err)
		}
		is := info.Sys().(*syscall.Stat_t)
		if info.Mode() != 0o640 || int(is.Uid) != wantUID || int(is.Gid) != wantGID {
			t.Errorf("after %q mode and owner are %v %d:%d, want -rw-r----- %d:%d", args, info.Mode(), is.Uid, is.Gid, wantUID, wantGID)
		}
	}
}

// pty is a terminal: what is written to near is typed, what is read from it is shown.
func pty(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	var number uint32
	err = onDescriptor(near, func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		}
		return err
	})
	if err == nil {
		far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

func shows(t *testing.T, f *os.File) bool {
	t.Helper()
	var state *unix.Termios
	if err := onDescriptor(f, func(fd int) (err error) { state, err = unix.IoctlGetTermios(fd, getTermios); return err }); err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// answers types a line at each prompt. The prompt is written when nothing shows any more.
type answers struct {
	io.Writer
	t         *testing.T
	near, far *os.File
	lines     []string
}

func (a *answers) Write(b []byte) (int, error) {
	if strings.HasSuffix(string(b), ": ") {
		if shows(a.t, a.far) {
			a.t.Error("what is typed must not show")
		}
		io.WriteString(a.near, a.lines[0]+"\n")
		a.lines = a.lines[1:]
	}
	return a.Writer.Write(b)
}

func TestPromptOnATerminal(t *testing.T) {
	rows := []struct {
		rule, typed string
		code        int
		want        string
	}{
		{"twice the same", "secret secret", 0, "Password: \nReenter password: \n"},
		{"two passwords", "secret other", 1, "Password: \nReenter password: \nmidge passwd: the two passwords differ\n"},
	}
	for _, row := range rows {
		p := newPlace(t)
		near, far := pty(t)
		io.WriteString(near, "typed too early\n") // and thrown away
		if shown, err := bufio.NewReader(near).ReadString('\n'); err != nil || shown != "typed too early\r\n" {
			t.Fatalf("%s: before, the terminal shows what is typed: %q %v", row.rule, shown, err)
		}
		var errs strings.Builder
		code := Run([]string{"-c", "-H", "sha512", p.file, "bob"}, far, io.Discard, &answers{&errs, t, near, far, strings.Fields(row.typed)})
		if code != row.code || errs.String() != row.want {
			t.Errorf("%s: exits with %d and %q, want %d and %q", row.rule, code, errs.String(), row.code, row.want)
		}
		if !shows(t, far) {
			t.Errorf("%s: afterwards the terminal shows again what is typed", row.rule)
		}
		if row.code == 0 {
			p.wantLogin(row.rule, "bob", "secret", true)
		}
	}
}

// TestInterruptRestoresTheTerminal runs the command in a process of its own, which the signal ends.
func TestInterruptRestoresTheTerminal(t *testing.T) {
	if file := os.Getenv("PASSWD_FILE"); file != "" {
		os.Exit(Run([]string{"-c", file, "bob"}, os.Stdin, os.Stdout, os.Stderr))
	}
	p := newPlace(t)
	near, far := pty(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestInterruptRestoresTheTerminal$")
	cmd.Env, cmd.Stdin = append(os.Environ(), "PASSWD_FILE="+p.file), far
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if prompt, err := bufio.NewReader(stderr).ReadString(' '); prompt != "Password: " {
		t.Fatalf("it asks for the password: %q %v", prompt, err)
	}
	cmd.Process.Signal(os.Interrupt)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("it ends by the signal: %v", err)
	}
	if !shows(t, near) {
		t.Error("the terminal shows again what is typed")
	}
	if _, err := os.Stat(p.file); err == nil {
		t.Error("no file was made")
	}
}
