package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// median of a non-empty list; of an even number of values the mean of the middle two. It sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

// summary is the median of each measured figure, and of what went wrong the run that lost the most and the largest counts.
func summary(runs []figures) figures {
	of := func(get func(figures) float64) float64 {
		v := make([]float64, len(runs))
		for i, f := range runs {
			v[i] = get(f)
		}
		return median(v)
	}
	s := figures{
		rate:    of(func(f figures) float64 { return f.rate }),
		cpu:     of(func(f figures) float64 { return f.cpu }),
		own:     of(func(f figures) float64 { return f.own }),
		others:  of(func(f figures) float64 { return f.others }),
		perConn: of(func(f figures) float64 { return f.perConn }),
	}
	for i, f := range runs {
		if i == 0 || f.lost > s.lost {
			s.lost, s.due = f.lost, f.due
		}
		s.twice = max(s.twice, f.twice)
		s.late = max(s.late, f.late)
		s.resent = max(s.resent, f.resent)
	}
	return s
}

// grouped writes a whole number with a comma between thousands.
func grouped(v float64) string {
	s := strconv.FormatInt(int64(math.Round(math.Abs(v))), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v <= -0.5 {
		return "-" + s
	}
	return s
}

// ratio writes a/b as a factor, "-" when either is not measured.
func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return "-"
	}
	switch r := a / b; {
	case r >= 10:
		return fmt.Sprintf("%.0fx", r)
	case r >= 1:
		return fmt.Sprintf("%.1fx", r)
	default:
		return fmt.Sprintf("%.2fx", r)
	}
}
