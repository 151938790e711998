package passwd

import (
	"fmt"
	"net"
	"testing"
	"time"

	"midge/broker/mqtt"
	"midge/internal/peertest"
)

// TestMosquittoReadsTheFile starts a real Mosquitto with a file of ours and logs in.
func TestMosquittoReadsTheFile(t *testing.T) {
	peertest.Need(t, "mosquitto")
	p := newPlace(t)
	p.write("# users\nplain:pass word\n", 0o600)
	p.want("hash", "", "1 passwords hashed\n", "-U", "-H", "sha512-pbkdf2", "FILE")
	p.want("add", "", "Adding password for user bob\n", "-b", "-H", "sha512-pbkdf2", "FILE", "bob", "secret")
	p.want("add", "sésame\n", "Adding password for user two words\n", "-H", "sha512-pbkdf2", "-I", "101", "FILE", "two words")
	p.want("add", "", "Adding password for user old\n", "-b", "-H", "sha512", "FILE", "old", "secret")
	port := peertest.StartMosquitto(t, "allow_anonymous false", "password_file "+p.file).Port
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
