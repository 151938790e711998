package passwd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"midge/broker/mqtt"
)

// TestMosquittoReadsTheFile starts a real Mosquitto with a file of ours and logs in.
func TestMosquittoReadsTheFile(t *testing.T) {
	if _, err := exec.LookPath("mosquitto"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("mosquitto is not installed, and in CI it must be")
		}
		t.Skip("mosquitto is not installed")
	}
	p := newPlace(t)
	p.write("# users\nplain:pass word\n", 0o600)
	p.want("hash", "", "1 passwords hashed\n", "-U", "-H", "sha512-pbkdf2", "FILE")
	p.want("add", "", "Adding password for user bob\n", "-b", "-H", "sha512-pbkdf2", "FILE", "bob", "secret")
	p.want("add", "sésame\n", "Adding password for user two words\n", "-H", "sha512-pbkdf2", "-I", "101", "FILE", "two words")
	p.want("add", "", "Adding password for user old\n", "-b", "-H", "sha512", "FILE", "old", "secret")
	port := startMosquitto(t, p)
	rows := []struct {
		user, password string
		want           mqtt.ReasonCode
	}{
		{"bob", "secret", mqtt.Success},
		{"bob", "Secret", mqtt.NotAuthorized},
		{"two words", "sésame", mqtt.Success},
		{"two words", "sesame", mqtt.NotAuthorized},
		{"plain", "pass word", mqtt.Success},
		{"old", "secret", mqtt.Success},
		{"old", "", mqtt.NotAuthorized},
		{"nobody", "secret", mqtt.NotAuthorized},
	}
	for _, row := range rows {
		if got := logIn(t, port, row.user, row.password); got != row.want {
			t.Errorf("Mosquitto answers %q with %q: %v, want %v", row.user, row.password, got, row.want)
		}
		p.wantLogin("as the broker's reader says", row.user, row.password, row.want == mqtt.Success)
	}
}

// startMosquitto returns the port when the listener is open.
func startMosquitto(t *testing.T, p *place) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := filepath.Join(p.dir, "conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\nuser root\nlog_dest stderr\npassword_file %s\n", port, p.file)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", config)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var log []string
	for lines.Scan() {
		if log = append(log, lines.Text()); strings.HasSuffix(lines.Text(), " running") {
			break
		}
	}
	drained := make(chan struct{})
	go func() { defer close(drained); io.Copy(io.Discard, stderr) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		cmd.Wait()
	})
	if all := strings.Join(log, "\n"); !strings.HasSuffix(all, " running") || strings.Contains(all, "Error") {
		t.Fatalf("mosquitto must take the file:\n%s", all)
	}
	return port
}

// logIn tells how the broker answers a CONNECT.
func logIn(t *testing.T, port int, user, password string) mqtt.ReasonCode {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second)) // nothing waits for it when all is well
	c := mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: "test", HasUsername: true, HasPassword: true, Username: user, Password: []byte(password)}
	conn.Write(c.Append(nil))
	var buf []byte
	for chunk := make([]byte, 512); ; {
		if h, err := mqtt.ParseHeader(buf); err == nil && len(buf) >= h.Total() {
			ack, err := mqtt.ParseConnack(h.First, buf[h.Size:h.Total()], mqtt.V5)
			if err != nil {
				t.Fatal(err)
			}
			return ack.Reason
		}
		n, err := conn.Read(chunk)
		if err != nil {
			t.Fatalf("no CONNACK for %q: %v", user, err)
		}
		buf = append(buf, chunk[:n]...)
	}
}
