package control

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A stream is pieces: the length in four octets, big-endian, and so many octets. A piece of none ends it, and text for people follows until the end
// of the connection. Who asked ends it by closing its direction.

const (
	// pieceMax is the longest piece.
	pieceMax = 4 << 20
	// lastWords is how long what is left of a stream may take when midge ends.
	lastWords = 250 * time.Millisecond
)

// stream is the part of an answer that flows. midge ends with ctx.
func stream(ctx context.Context, c net.Conn, write func(context.Context, io.Writer) (string, error)) {
	var reader sync.WaitGroup
	defer reader.Wait()
	defer c.Close() // the reader ends
	heard, enough := context.WithCancel(ctx)
	defer enough()
	c.SetDeadline(time.Time{}) // it may last for days, and be read slowly
	reader.Go(func() {
		io.Copy(io.Discard, c)
		if ctx.Err() == nil {
			c.SetWriteDeadline(time.Now().Add(patience))
		}
		enough()
	})
	defer context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Now().Add(lastWords)) })()
	if last, err := write(heard, pieces{c}); err == nil {
		io.WriteString(c, "\x00\x00\x00\x00"+last)
	}
}

// pieces writes each Write as one piece.
type pieces struct{ c net.Conn }

// Write is io.Writer's.
func (p pieces) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) > pieceMax {
		return 0, fmt.Errorf("a piece of %d octets is longer than %d", len(b), pieceMax)
	}
	n, err := (&net.Buffers{binary.BigEndian.AppendUint32(nil, uint32(len(b))), b}).WriteTo(p.c)
	return max(0, int(n)-4), err
}

// Follow sends a request that is answered by a stream, calls open, and writes each piece to what that returns, in one Write, until ctx or the midge
// ends. It returns what midge says at the end.
func Follow(ctx context.Context, dataDir, request string, open func() (io.Writer, error)) (last string, err error) {
	c, err := dial(dataDir)
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, err := begin(c, dataDir, request)
	if err != nil {
		return "", err
	}
	w, err := open()
	if err != nil {
		return "", err
	}
	c.SetDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() {
		c.SetReadDeadline(time.Now().Add(patience))
		c.CloseWrite()
	})()
	for {
		piece, err := readPiece(r)
		switch {
		case err != nil:
			return "", fmt.Errorf("the midge on %s has ended without a last word; what was written is whole so far: %w", dataDir, err)
		case len(piece) == 0:
			text, err := io.ReadAll(r)
			return string(text), err
		}
		if _, err := w.Write(piece); err != nil {
			return "", err
		}
	}
}

func readPiece(r *bufio.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > pieceMax {
		return nil, fmt.Errorf("a piece of %d octets", n)
	}
	piece := make([]byte, n)
	_, err := io.ReadFull(r, piece)
	return piece, err
}
