package demo

import (
	"io"
	"slices"
	"strings"
	"time"
)

// What a terminal is told (ECMA-48, and xterm's second page).
const (
	secondPage = "\x1b[?1049h"
	firstPage  = "\x1b[?1049l"
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	home       = "\x1b[H"
	eraseRest  = "\x1b[K" // of the line
	eraseBelow = "\x1b[J"
)

// screen is the display for a terminal: the whole view, drawn in place.
type screen struct {
	out    io.Writer
	size   func() (cols, rows int)
	banner []string

	drawn      time.Duration // when, by the view's clock
	cols, rows int
	last       []string
}

func (s *screen) begin(banner []string) {
	s.banner = banner
	io.WriteString(s.out, secondPage+hideCursor)
}

func (s *screen) end() { io.WriteString(s.out, showCursor+firstPage) }

// show draws when something has happened, the terminal has another size, or drawEvery is over, and if that would change anything.
func (s *screen) show(v view, fresh []string) {
	cols, rows := s.size()
	resized := cols != s.cols || rows != s.rows
	if s.last != nil && len(fresh) == 0 && !resized && v.elapsed-s.drawn < drawEvery {
		return
	}
	s.drawn, s.cols, s.rows = v.elapsed, cols, rows
	lines := v.draw(s.banner, cols, rows)
	if slices.Equal(lines, s.last) && !resized {
		return
	}
	s.last = lines
	var b strings.Builder
	b.WriteString(home)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l + eraseRest)
	}
	b.WriteString(eraseBelow)
	io.WriteString(s.out, b.String())
}
