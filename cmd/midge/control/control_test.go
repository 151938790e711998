package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAskAndAnswer(t *testing.T) {
	dir := t.TempDir()
	if _, err := Ask(dir, "x"); err == nil || !strings.HasPrefix(err.Error(), "no midge runs on "+dir) {
		t.Errorf("where no midge runs, one is told so: %v", err)
	}
	here, _ := os.Getwd()
	if _, err := Ask("data", "x"); err == nil || !strings.HasSuffix(err.Error(), " which is here "+here) {
		t.Errorf("who asks from another directory than midge was started in learns why: %v", err)
	}
	os.WriteFile(filepath.Join(dir, socketName), nil, 0o600) // left behind
	s, err := Listen(dir)
	if err != nil {
		t.Fatalf("what a killed process left behind is no hindrance: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, socketName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("nobody else may open it: %v, %v", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- s.Serve(ctx, func(request string) (Answer, error) {
			if request == "please" {
				return Answer{Text: "one\ntwo"}, nil
			}
			return Answer{}, errors.New("not\nso")
		})
	}()
	if text, err := Ask(dir, "please"); text != "one\ntwo" || err != nil {
		t.Errorf("what was done is told: %q, %v", text, err)
	}
	if _, err := Ask(dir, "now"); err == nil || err.Error() != "not\nso" {
		t.Errorf("what failed is told: %v", err)
	}
	c, err := net.Dial("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte(strings.Repeat("x", 10*requestMax)))
	if n, _ := c.Read(make([]byte, 1)); n != 0 {
		t.Error("a request without end is not answered")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end is no error: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, socketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket goes with it: %v", err)
	}
	if _, err := Listen(strings.Repeat("x/", 100)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a path that no socket can have is refused with a reason: %v", err)
	}
}

// TestStream follows a stream to its end, from either side.
func TestStream(t *testing.T) {
	dir := t.TempDir()
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	serving, endServing := context.WithCancel(context.Background())
	done := make(chan error)
	ended := make(chan struct{}, 10)
	go func() {
		done <- s.Serve(serving, func(request string) (Answer, error) {
			if request == "no" {
				return Answer{}, errors.New("not so")
			}
			return Answer{Stream: func(ctx context.Context, w io.Writer) (string, error) {
				defer func() { ended <- struct{}{} }()
				io.WriteString(w, "one ")
				if request == "break" {
					return "", errors.New("broken")
				}
				io.WriteString(w, "two ")
				<-ctx.Done()
				_, err := io.WriteString(w, "three")
				return "that was all", err
			}}, nil
		})
	}()
	var got strings.Builder
	follow := func(ctx context.Context, request string, begun func()) (string, error) {
		got.Reset()
		return Follow(ctx, dir, request, func() (io.Writer, error) {
			if begun == nil {
				return nil, errors.New("no file")
			}
			begun()
			return &got, nil
		})
	}
	ctx, enough := context.WithCancel(context.Background())
	if last, err := follow(ctx, "please", enough); got.String() != "one two three" || last != "that was all" || err != nil {
		t.Errorf("who asked may end it, and hears all that belongs to it: %q, %q, %v", &got, last, err)
	}
	<-ended
	if _, err := follow(t.Context(), "no", nil); err == nil || err.Error() != "not so" {
		t.Errorf("a refusal comes before anything is begun: %v", err)
	}
	if _, err := follow(t.Context(), "please", nil); err == nil || err.Error() != "no file" {
		t.Errorf("what cannot be begun here is ended there: %v", err)
	}
	<-ended
	if _, err := follow(t.Context(), "break", func() {}); got.String() != "one " || err == nil || !strings.Contains(err.Error(), "without a last word") {
		t.Errorf("a stream that breaks off is told apart from one that ends: %q, %v", &got, err)
	}
	<-ended
	if last, err := follow(t.Context(), "please", endServing); got.String() != "one two three" || last != "that was all" || err != nil {
		t.Errorf("the end of midge is one too: %q, %q, %v", &got, last, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := follow(t.Context(), strings.Repeat("x", requestMax), func() {}); err == nil {
		t.Error("where none runs, one is told so")
	}
}

func FuzzReadPiece(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc\x00\x00\x00\x00last"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for read := 0; ; {
			piece, err := readPiece(r)
			if err != nil {
				return
			}
			if read += 4 + len(piece); read > len(b) {
				t.Fatalf("%d octets were read of %d", read, len(b))
			}
		}
	})
}
