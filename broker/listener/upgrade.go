package listener

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/coder/websocket"
)

// WebSocket says where a listener's WebSockets are, and for whose pages.
type WebSocket struct {
	Path    string   // of the URL; "" = any
	Origins []string // of pages that may connect, such as "https://example.com"; none = those of the host that is connected to; "*" = all
}

// subprotocols are the names that MQTT goes by: "The WebSocket Subprotocol name selected and returned by the Server MUST be 'mqtt'" [MQTT-6.0.0-4]. The
// other is that of MQTT 3.1, which browsers' libraries still offer.
var subprotocols = []string{"mqtt", "mqttv3.1"}

// headerMax is how many octets the request for a WebSocket may have. Browsers send one or two thousand, and cookies.
const headerMax = 16 << 10

// webBuffer is how many octets a WebSocket holds each way, idle or not. What is longer passes them by.
const webBuffer = 1 << 10

// upgrade makes a WebSocket of a connection on which an HTTP request for one comes. Who asks for something else is told what is wrong.
func (p *WebSocket) upgrade(nc net.Conn) (net.Conn, error) {
	in := bufio.NewReaderSize(&io.LimitedReader{R: nc, N: headerMax}, webBuffer)
	r, err := http.ReadRequest(in)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errors.New("no HTTP request came in time")
	case err != nil: // it quotes what came, and that may be a CONNECT with a password
		return nil, errors.New("what came is no HTTP request")
	}
	w := &answer{nc: nc, in: in, header: http.Header{}}
	if code, err := p.admits(r, nc.LocalAddr()); err != nil {
		http.Error(w, err.Error(), code)
		return nil, err
	}
	// Whose pages may connect is asked above.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: subprotocols, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	return newWebSocket(nc, ws), nil
}

// admits says what is wrong with a request, with an HTTP status.
func (p *WebSocket) admits(r *http.Request, local net.Addr) (code int, err error) {
	switch origin := r.Header.Get("Origin"); {
	case p.Path != "" && r.URL.Path != p.Path:
		return http.StatusNotFound, fmt.Errorf("nothing is at %q: MQTT is at %q", r.URL.Path, p.Path)
	case !offersMQTT(r.Header):
		// "The Client MUST include 'mqtt' in the list of WebSocket Subprotocols it offers" [MQTT-6.0.0-3]
		return http.StatusBadRequest, errors.New("this is MQTT over WebSocket, and the subprotocol mqtt is not offered")
	case origin != "" && !p.believes(origin, r.Host, local):
		return http.StatusForbidden, fmt.Errorf("pages of origin %q may not connect to %q; if they are to, add it to origins", origin, r.Host)
	}
	return 0, nil
}

func offersMQTT(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if slices.ContainsFunc(subprotocols, func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(name)) }) {
				return true
			}
		}
	}
	return false
}

// believes reports whether a browser's page may connect. Browsers let any page connect to any address, this machine's too: without a rule every
// page that a user opens could publish here. Where none is written, pages of the same host may. On loopback that host must be called so: any name
// can be made to point to it.
func (p *WebSocket) believes(origin, host string, local net.Addr) bool {
	if len(p.Origins) > 0 {
		same := func(allowed string) bool { return allowed == "*" || strings.EqualFold(allowed, origin) }
		return slices.ContainsFunc(p.Origins, same)
	}
	page, err := url.Parse(origin)
	if err != nil || page.Hostname() == "" {
		return false
	}
	at := (&url.URL{Host: host}).Hostname()
	if here, ok := local.(*net.TCPAddr); ok && here.IP.IsLoopback() && !loopbackName(at) {
		return false
	}
	return strings.EqualFold(page.Hostname(), at) || loopbackName(page.Hostname()) && loopbackName(at)
}

func loopbackName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// answer is the http.ResponseWriter of a connection that carries one request.
type answer struct {
	nc     net.Conn
	in     *bufio.Reader
	header http.Header
	code   int // 0: not written yet
}

// Header, WriteHeader and Write are http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader writes the status line and the header.
func (a *answer) WriteHeader(code int) {
	if a.code != 0 {
		return
	}
	if a.code = code; code != http.StatusSwitchingProtocols {
		a.header.Set("Connection", "close")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", code, http.StatusText(code))
	a.header.Write(&b)
	io.WriteString(a.nc, b.String()+"\r\n")
}

// Write writes a piece of the body.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.nc.Write(b)
}

// Hijack is http.Hijacker: the connection is the WebSocket's.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return a.nc, bufio.NewReadWriter(a.in, bufio.NewWriterSize(a.nc, webBuffer)), nil
}
