package dtls

import (
	"bytes"
	"encoding/hex"
	"io"
	"os/exec"
	"testing"

	"midge/internal/peertest"
	"midge/transports"
	"midge/transports/linktest"
)

// TestOpenSSL talks to a client that others wrote.
func TestOpenSSL(t *testing.T) {
	peertest.Need(t, "openssl")
	gw := listen(t, nil)
	for _, suite := range []string{"PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256"} {
		cmd := exec.Command("openssl", "s_client", "-quiet", "-dtls1_2", "-connect", gw.LocalAddr().String(), "-cipher", suite+":@SECLEVEL=0",
			"-psk_identity", "sensor-7", "-psk", hex.EncodeToString(key))
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ask, answer := linktest.Message(9, 'a'), linktest.Message(12, 'b')
		in.Write(ask)
		f := read(t, gw)
		if !bytes.Equal(f.Data, ask) || gw.Identity(f.Addr) != "sensor-7" {
			t.Errorf("%s: what openssl sends arrives: % x of %q", suite, f.Data, gw.Identity(f.Addr))
		}
		gw.WriteFrames([]transports.Frame{{Addr: f.Addr, Data: answer}})
		got := make([]byte, len(answer))
		if _, err := io.ReadFull(out, got); err != nil || !bytes.Equal(got, answer) {
			t.Errorf("%s: and the answer arrives there: % x, %v", suite, got, err)
		}
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}
}
