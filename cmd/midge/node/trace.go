package node

import (
	"context"
	"fmt"
	"io"
	"strings"

	"midge/transports/trace"
)

// Trace begins to record a link: all of it, or what concerns clients of these ids. The function that it returns writes the capture until its context ends, and must
// be called; last is how many frames were recorded, for people.
func (n *Node) Trace(name string, clients []string) (write func(context.Context, io.Writer) (last string, err error), err error) {
	var names []string
	for _, l := range n.links {
		if l.name != name {
			names = append(names, l.name)
			continue
		}
		c := trace.NewCapture(l.FormatAddr)
		end, err := n.Gateway.Trace(name, clients, c.Record)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, w io.Writer) (string, error) {
			defer end()
			if err := c.CopyTo(ctx, w); err != nil {
				return "", err
			}
			end()
			err := c.CopyTo(ctx, w) // what has come meanwhile
			return told(c.Counted()), err
		}, nil
	}
	if names == nil {
		return nil, fmt.Errorf("there is no link %q: there is none at all", name)
	}
	return nil, fmt.Errorf("there is no link %q; there are: %s", name, strings.Join(names, ", "))
}

// told says what became of the frames of a capture.
func told(n trace.Counted) string {
	text := fmt.Sprintf("%d frames", n.Taken)
	if n.LeftOut > 0 {
		text += fmt.Sprintf("; %d more were left out because the capture was not taken as fast as they came", n.LeftOut)
	}
	return text
}
