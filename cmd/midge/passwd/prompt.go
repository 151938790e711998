package passwd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// askPassword asks for the password twice when in is a terminal, without showing what is typed, and takes the first line of in
// otherwise.
func askPassword(in io.Reader, prompts io.Writer) (string, error) {
	lines := bufio.NewReader(io.LimitReader(in, 2*(passwordBytesMax+2)))
	f, ok := in.(*os.File)
	if !ok || !isTerminal(f) {
		return readLine(lines)
	}
	restore, err := hideEcho(f)
	if err != nil {
		return "", fmt.Errorf("cannot stop the terminal from showing the password: %w", err)
	}
	defer restore()
	defer onSignal(restore)()
	first, err := ask(lines, prompts, "Password: ")
	if err != nil {
		return "", err
	}
	if err := checkPassword(first); err != nil {
		return "", err
	}
	again, err := ask(lines, prompts, "Reenter password: ")
	switch {
	case err != nil:
		return "", err
	case again != first:
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func ask(lines *bufio.Reader, prompts io.Writer, prompt string) (string, error) {
	io.WriteString(prompts, prompt)
	password, err := readLine(lines)
	io.WriteString(prompts, "\n") // the one that was typed did not show
	return password, err
}

func readLine(lines *bufio.Reader) (string, error) {
	line, err := lines.ReadString('\n')
	if err == io.EOF && line == "" {
		return "", errors.New("there is no password on standard input")
	}
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// onSignal makes sure that the terminal shows again what is typed when the command is interrupted while it asks. The signal then does what
// it does to a program that does not care. The result ends this.
func onSignal(restore func()) (end func()) {
	signals, done, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(ended)
		select {
		case s := <-signals:
			restore()
			signal.Reset(s)
			if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(s) != nil {
				os.Exit(130) // as shells count an interrupted command
			}
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}
}
