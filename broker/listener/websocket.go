package listener

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/coder/websocket"

	"midge/broker/mqtt"
)

// webSocket is a WebSocket as a stream of octets: "Server … MUST NOT assume that MQTT Control Packets are aligned on WebSocket frame boundaries"
// [MQTT-6.0.0-2]. A message may be as long as it likes, for it is read as it comes; what is bounded is the packet.
type webSocket struct {
	net.Conn // what it goes through; deadlines are set there, as those of the library close the connection
	ws       *websocket.Conn
	message  io.Reader // that is being read; nil: none
	code     websocket.StatusCode
}

func newWebSocket(nc net.Conn, ws *websocket.Conn) *webSocket {
	ws.SetReadLimit(-1)
	return &webSocket{Conn: nc, ws: ws, code: websocket.StatusNormalClosure}
}

// Read reads on in the message that has begun, or in the next. Pings are answered meanwhile.
func (w *webSocket) Read(p []byte) (int, error) {
	for {
		if w.message == nil {
			kind, r, err := w.ws.Reader(context.Background())
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary {
				// "If any other type of data frame is received the recipient MUST close the Network Connection" [MQTT-6.0.0-1]
				w.code = websocket.StatusUnsupportedData
				return 0, &mqtt.Error{Reason: mqtt.ProtocolError, Silent: true, Text: "WebSocket message is text, not binary"}
			}
			w.message = r
		}
		n, err := w.message.Read(p)
		if errors.Is(err, io.EOF) {
			w.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends p as one message.
func (w *webSocket) Write(p []byte) (int, error) {
	if err := w.ws.Write(context.Background(), websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite says that it is over and waits for the client to say so too, not longer than the deadline.
func (w *webSocket) CloseWrite() error { return w.ws.Close(w.code, "") }

// Close ends the connection without more words.
func (w *webSocket) Close() error { return w.ws.CloseNow() }
