package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// dialTimeout bounds one attempt to connect, TLS handshake included.
const dialTimeout = 30 * time.Second

// dial connects as the options say.
func (o *options) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if o.socket != "" {
		return d.DialContext(ctx, "unix", o.socket)
	}
	if o.bind != "" {
		ip, err := net.DefaultResolver.LookupNetIP(ctx, "ip", o.bind)
		if err != nil {
			return nil, fmt.Errorf("bind address: %w", err)
		}
		d.LocalAddr = &net.TCPAddr{IP: ip[0].AsSlice(), Zone: ip[0].Zone()}
	}
	address := net.JoinHostPort(o.host, strconv.Itoa(o.port))
	if !o.tls.on {
		return d.DialContext(ctx, "tcp", address)
	}
	config, err := o.tls.config(o.host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return (&tls.Dialer{NetDialer: &d, Config: config}).DialContext(ctx, "tcp", address)
}

// dialFault says why there is no connection, in a few words and with the address that was tried.
func (o *options) dialFault(err error) error {
	where := net.JoinHostPort(o.host, strconv.Itoa(o.port))
	if o.socket != "" {
		where = o.socket
	}
	var file *fs.PathError
	var dns *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.As(err, &file): // of a certificate: nothing was dialled
		return err
	case errors.As(err, &dns):
		return fmt.Errorf("host %q cannot be looked up: %s", o.host, dns.Err)
	case errors.As(err, &errno):
		return fmt.Errorf("cannot connect to %s: %w", where, errno)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("cannot connect to %s: no answer within %v", where, dialTimeout)
	}
	if o.tls.on && errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot connect to %s: the server ended the TLS handshake; does it speak TLS on this port?", where)
	}
	return fmt.Errorf("cannot connect to %s: %w", where, err)
}
