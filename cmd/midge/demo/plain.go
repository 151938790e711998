package demo

import (
	"fmt"
	"io"
	"time"
)

// plain is the display for pipes and logs: a line for each event, and the sums every sumEvery.
type plain struct {
	out    io.Writer
	summed time.Duration // when it told the sums last
}

func (p *plain) begin(banner []string) {
	for _, l := range banner {
		fmt.Fprintln(p.out, l)
	}
}

func (p *plain) show(v view, fresh []string) {
	for _, e := range fresh {
		fmt.Fprintln(p.out, seconds(v.elapsed), e)
	}
	if v.elapsed-p.summed >= sumEvery {
		p.summed = v.elapsed.Truncate(sumEvery)
		fmt.Fprintln(p.out, seconds(v.elapsed), "sums after", v.sums())
	}
}

func (p *plain) end() {}
