package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"midge/broker/mqtt"
)

func TestUsersMistakes(t *testing.T) {
	for _, r := range []struct {
		p    program
		args string
		want string
	}{
		{"sub", "-Z", `unknown option "-Z"`},
		{"sub", "-m x -t a", `unknown option "-m"`},
		{"pub", "-C 1", `unknown option "-C"`},
		{"sub", "-t", "-t needs a value after it"},
		{"sub", "-D connect user-property k", "-D needs a value after it"},
		{"sub", "", "a topic to subscribe to (-t) or unsubscribe from (-U) is needed"},
		{"pub", "-t a", "both a topic (-t) and a message (-m, -f, -l, -n or -s) are needed"},
		{"pub", "-m a", "both a topic (-t) and a message"},
		{"pub", "-t a -m x -n", "only one of -m, -f, -l, -n and -s can be given"},
		{"pub", "-t a/# -m x", "topic name contains a wildcard"},
		{"sub", "-t a/#/b", "'#' must be the last level"},
		{"sub", "-t a -T +b", "'+' must stand alone"},
		{"sub", "-t a\x01", "control characters"},
		{"sub", "-t a -q 3", `QoS must be a number from 0 to 2, not "3"`},
		{"sub", "-t a -p 65536", "port must be a number from 0 to 65535"},
		{"sub", "-t a -p x", `not "x"`},
		{"sub", "-t a -k 4", "keep-alive must be a number from 5 to 65535"},
		{"sub", "-t a -V 4", "MQTT version must be mqttv31, mqttv311 or mqttv5"},
		{"sub", "-t a -C 0", "message count must be a number from 1"},
		{"sub", "-t a -W 0", "timeout must be a number from 1"},
		{"sub", "-t a -x -2", "session expiry must be"},
		{"sub", "-t a -c", "-c needs a client id (-i)"},
		{"sub", "-t a -c -V 5", "needs a client id (-i)"},
		{"sub", "-t a -x ∞ -I pre", "needs a client id (-i)"},
		{"sub", "-t a -i x -I y", "-i and -I exclude each other"},
		{"sub", "-t a -P pw", "-P needs -u before MQTT 5"},
		{"sub", "-t a -R --retained-only", "leave nothing to print"},
		{"sub", "-t a --will-payload x", "a will needs --will-topic"},
		{"sub", "-t a --cert x", "--cert and --key must be given together"},
		{"sub", "-t a --tls-version tlsv1.9", "TLS version must be"},
		{"sub", "-t a --random-filter 0", "percentage from 0.1 to 100"},
		{"sub", "-t a --retain-handling x", "always, new or never"},
		{"pub", "-t a -m x --repeat 0", "repeat must be a number from 1"},
		{"pub", "-t a -m x --repeat-delay -1", "repeat delay must be a number of seconds"},
		{"sub", "-t a --psk 00", "pre-shared key is not supported"},
		{"sub", "-t a --proxy socks5h://x", "SOCKS proxies are not supported"},
		{"sub", "-L http://h/t", "URL must read mqtt://"},
		{"sub", "-L mqtt://h", "URL must read mqtt://"},
		{"sub", "-L mqtt://h:99999/t", "port in the URL must be"},
		{"sub", "-L ws://h/t", "WebSockets are not supported"},
		{"sub", "-t a -F %", "the format ends where a letter is expected"},
		{"sub", "-t a -F %y", "%y is not a format"},
		{"sub", "-t a -F \\q", "is not an escape"},
		{"sub", "-t a -F @Q", "@Q is not a date format"},
		{"sub", "-t a -F %99999t", "at most 10000 wide"},
		{"sub", "-t a -D puback reason-string x", "packet must be connect, publish"},
		{"sub", "-t a -D connect topic-alias 1", `"topic-alias" is not a property of connect`},
		{"sub", "-t a -D publish subscription-identifier 1", "is not a property of publish"},
		{"sub", "-t a -D connect receive-maximum 0", "MQTT does not allow"},
		{"sub", "-t a -D connect receive-maximum 65536", "must be a number from 0 to 65535"},
		{"sub", "-t a -D publish response-topic a/#", "MQTT does not allow"},
		{"sub", "-t a -D publish content-type \xff", "not valid UTF-8"},
		{"pub", "-t a -f /nonexistent/file", "message file cannot be read"},
		{"pub", "-t a -s -r", "-s: standard input is empty"},
		{"sub", "-t a --cafile /nonexistent/file", "midge sub: CA file cannot be read: open /nonexistent/file:"},
		{"sub", "-t a --tls-use-os-certs --cert /nonexistent/file --key k", "midge sub: client certificate cannot be used: open /nonexistent/file:"},
	} {
		var out, errs bytes.Buffer
		code := runProgram(t.Context(), r.p, strings.Fields(r.args), strings.NewReader(""), &out, &errs)
		if code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), r.want) || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("midge %s %s ends with code 1 and one line that says %q: got %d, %q", r.p, r.args, r.want, code, errs.String())
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions(subProgram, strings.Fields("-t a -t b/# -L mqtts://u:p%40@h:99/c/+ -k 30 -q 1 -x -1 -i ID -C 5 -W 3 -M 7 "+
		"--will-topic w --will-qos 2 -D will will-delay-interval 5 -D connect user-property k v -A 127.0.0.1 --nodelay"))
	if err != nil {
		t.Fatalf("the command line is right: got %v", err)
	}
	if o.host != "h" || o.port != 99 || !o.tls.on || *o.username != "u" || *o.password != "p@" {
		t.Errorf("the URL names the server: got %q %d %v %q %q", o.host, o.port, o.tls.on, *o.username, *o.password)
	}
	if strings.Join(o.topics, " ") != "a b/# c/+" {
		t.Errorf("-t and -L add topics: got %q", o.topics)
	}
	p := o.connectPacket()
	if p.Version != mqtt.V5 || p.KeepAlive != 30 || p.ClientID != "ID" || !p.CleanStart || p.Props.SessionExpiry != sessionForever {
		t.Errorf("CONNECT says what the flags say: got %+v", p)
	}
	if !p.Props.Has(mqtt.PropReceiveMaximum) || p.Props.ReceiveMaximum != 5 {
		t.Errorf("the server sends no more than -C asks for: got %+v", p.Props)
	}
	if p.Will == nil || p.Will.Topic != "w" || p.Will.QoS != 2 || p.Will.Props.WillDelay != 5 {
		t.Errorf("the will is in it: got %+v", p.Will)
	}
	if o.timeout != 3*time.Second || o.inflight != 7 || o.bind != "127.0.0.1" {
		t.Errorf("the other flags are read: got %+v", o)
	}
}

func TestDefaults(t *testing.T) {
	o, err := parseOptions(pubProgram, []string{"-t", "a", "-n"})
	if err != nil || o.host != "localhost" || o.port != 1883 || o.tls.on || o.version != mqtt.V311 || o.keepAlive != time.Minute {
		t.Errorf("without flags it is localhost:1883 and MQTT 3.1.1: got %+v, %v", o, err)
	}
	if o, err = parseOptions(pubProgram, []string{"-t", "a", "-n", "--cafile", "x"}); err != nil || o.port != 8883 || !o.tls.on {
		t.Errorf("a CA file means TLS and port 8883: got %d %v, %v", o.port, o.tls.on, err)
	}
	if o, err = parseOptions(pubProgram, []string{"-t", "a", "-n", "-V", "31"}); err != nil || o.id == "" || len(o.id) > 23 {
		t.Errorf("MQTT 3.1 needs a client id of 1 to 23 characters: got %q, %v", o.id, err)
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	for _, p := range []program{pubProgram, subProgram} {
		var out bytes.Buffer
		if code := runProgram(t.Context(), p, []string{"--help"}, nil, &out, &out); code != 0 {
			t.Errorf("--help ends well: got %d", code)
		}
		for _, f := range flagTable {
			refused := f.set != nil && f.only == "" && isRefused(&f)
			if f.only != "" && f.only != p || refused || f.names[0] == "--nodelay" || f.names[0] == "--help" {
				continue
			}
			if !strings.Contains(out.String(), f.names[0]+" ") && !strings.Contains(out.String(), f.names[0]+",") &&
				!strings.Contains(out.String(), f.names[0]+"\n") {
				t.Errorf("midge %s --help names %s", p, f.names[0])
			}
		}
	}
}

// isRefused tries a flag that Midge may not have.
func isRefused(f *flagSpec) bool {
	err := f.set(newOptions(subProgram), []string{"x"}[:min(1, f.values)])
	return err != nil && strings.Contains(err.Error(), "not supported")
}
