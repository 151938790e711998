//go:build !linux

package listener

import (
	"context"
	"errors"
	"net"
)

// loop is for Linux only; elsewhere every connection has a goroutine.
type loop struct{}

func newLoop(context.Context, *Server) (*loop, error) { return nil, errors.ErrUnsupported }

func (*loop) take(*conn, net.Conn) (start func()) { return nil }

func (*loop) run() {}
