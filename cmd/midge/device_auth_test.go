package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"midge/internal/peertest"
	"midge/mqttsn"
)

// TestDevicesLogIn has devices that log in with AUTH against a password file; the ACL knows them by user.
func TestDevicesLogIn(t *testing.T) {
	e := &estate{t: t, dir: t.TempDir(), port: peertest.FreePort(t)}
	const config = "listener = []\n[http]\naddress = \"\"\n[auth]\npassword_file = \"passwords\"\nacl_file = \"acl\"\n[gateway]\nqos_minus_one = false\n%s" +
		"[[link]]\nname = \"lan\"\ntype = \"udp\"\naddress = \"127.0.0.1:%d\"\nauth = true\nallow_clients = [\"valve*\"]\nallow_addresses = [\"127.0.0.0/8\"]\n"
	e.write("config.toml", fmt.Sprintf(config, "", e.port))
	e.write("passwords", record(t, "alice", "secret"))
	e.write("acl", "user alice\ntopic write ok\n")
	e.run()

	conn, err := net.Dial("udp", fmt.Sprint("127.0.0.1:", e.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(sentence, want string, packets ...mqttsn.Packet) {
		t.Helper()
		for _, p := range packets {
			conn.Write(p.Append(nil))
		}
		buf := make([]byte, 1500)
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("%s: %v", sentence, err)
		}
		if got, err := mqttsn.Decode(buf[:n]); err != nil || got.String() != want {
			t.Errorf("%s: want %s, got %v, %v", sentence, want, got, err)
		}
	}
	connect := mqttsn.Connect{ProtocolID: 1, ClientID: "valve7", CleanSession: true, Duration: 60}
	say("a wrong password is refused", "CONNACK not-supported", connect, mqttsn.PlainAuth("alice", "wrong"))
	say("and so is an unknown user", "CONNACK not-supported", connect, mqttsn.PlainAuth("bob", "secret"))
	say("a client id that the link does not serve is refused at once", "CONNACK not-supported", mqttsn.Connect{ProtocolID: 1, ClientID: "pump"})
	say("the right password opens", "CONNACK accepted", connect, mqttsn.PlainAuth("alice", "secret"))
	say("a name", "REGACK topic=0x0401 msgid=1 accepted", mqttsn.Register{MsgID: 1, TopicName: "ok"})
	say("another name", "REGACK topic=0x0402 msgid=2 accepted", mqttsn.Register{MsgID: 2, TopicName: "no"})
	say("the user may write what the ACL says", "PUBACK topic=0x0401 msgid=3 accepted", mqttsn.Publish{QoS: 1, TopicID: 0x0401, MsgID: 3})
	say("and nothing else", "PUBACK topic=0x0402 msgid=4 not-supported", mqttsn.Publish{QoS: 1, TopicID: 0x0402, MsgID: 4})

	ok := mqttsn.Publish{QoS: 1, TopicIDType: mqttsn.Predefined, TopicID: 9, MsgID: 5}
	say("a topic that was not agreed on is not known", "PUBACK topic=0x0009 msgid=5 invalid-topic-id", ok)
	e.write("config.toml", fmt.Sprintf(config, "[[gateway.predefined]]\nid = 9\ntopic = \"ok\"\nlink = \"lan\"\n", e.port))
	if out, stderr, status := e.reload(); status != 0 || strings.Contains(out+stderr, "restart") {
		t.Errorf("a reload takes predefined topics over: %s%s", out, stderr)
	}
	say("after a reload it is", "PUBACK topic=0x0009 msgid=5 accepted", ok)
	e.write("passwords", record(t, "alice", "other"))
	e.reload()
	say("whose password has changed has to log in again", "DISCONNECT")
	say("with the new one", "CONNACK accepted", connect, mqttsn.PlainAuth("alice", "other"))
}
