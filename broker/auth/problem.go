package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// lineBytesMax bounds a line of a file: a user name or filter of 65,535 octets and what stands beside it.
const lineBytesMax = 128 << 10

// problemsMax bounds how many faults of one file are told: the wrong file altogether has a fault in every line.
const problemsMax = 20

// Problem is one thing that is wrong with a password or ACL file.
type Problem struct {
	File string // as given to the parser
	Line int    // from 1; 0 = the file as a whole
	Text string // one sentence without its place
}

// Error is the sentence with its place, as compilers write it: "passwords:17: …".
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// source reads a file line by line and collects what is wrong with it.
type source struct {
	file     string
	line     int
	problems []error
	more     int // problems beyond problemsMax
}

func (s *source) addf(format string, args ...any) {
	if len(s.problems) == problemsMax {
		s.more++
		return
	}
	s.problems = append(s.problems, Problem{s.file, s.line, fmt.Sprintf(format, args...)})
}

// lines calls each for every line of r, without its end.
func (s *source) lines(r io.Reader, each func(line string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		s.line++
		each(lines.Text())
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		s.line++
		s.addf("the line is longer than %d bytes", lineBytesMax)
	case err != nil:
		s.line = 0
		s.addf("cannot be read: %v", err)
	}
}

// err joins the problems, each a Problem and a line of its own; nil when there are none.
func (s *source) err() error {
	if s.more > 0 {
		s.problems = append(s.problems, Problem{s.file, 0, fmt.Sprintf("and %d more problems", s.more)})
	}
	return errors.Join(s.problems...)
}
