package control

import (
	"context"
	"errors"
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
		done <- s.Serve(ctx, func(request string) (string, error) {
			if request == "please" {
				return "one\ntwo", nil
			}
			return "", errors.New("not\nso")
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
