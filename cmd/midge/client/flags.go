package client

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"midge/broker/mqtt"
	"midge/broker/topic"
)

// A flagSpec is one flag: its names, who has it, and what it does with its values. Values are separate arguments and never joined to the name.
type flagSpec struct {
	names  []string
	only   program // "" for both
	values int     // how many arguments follow
	set    func(o *options, v []string) error
}

func on(f func(o *options) *bool) func(*options, []string) error {
	return func(o *options, _ []string) error { *f(o) = true; return nil }
}

func text(f func(o *options) *string) func(*options, []string) error {
	return func(o *options, v []string) error { *f(o) = v[0]; return nil }
}

// number sets an integer within limits.
func number(what string, low, high int, set func(o *options, n int)) func(*options, []string) error {
	return func(o *options, v []string) error {
		n, err := strconv.Atoi(v[0])
		if err != nil || n < low || n > high {
			return fmt.Errorf("%s must be a number from %d to %d, not %q", what, low, high, v[0])
		}
		set(o, n)
		return nil
	}
}

// take sets the source of messages, of which there is one.
func take(s source) func(*options, []string) error {
	return func(o *options, v []string) error {
		if o.source != noSource {
			return errors.New("only one of -m, -f, -l, -n and -s can be given")
		}
		o.source = s
		if len(v) > 0 {
			o.message, o.file = v[0], v[0]
		}
		return nil
	}
}

// refuse is for flags of Mosquitto's tools that Midge does not have.
func refuse(why string) func(*options, []string) error {
	return func(*options, []string) error { return errors.New(why) }
}

// filters appends a topic filter.
func filters(f func(o *options) *[]string) func(*options, []string) error {
	return func(o *options, v []string) error {
		if err := checkFilter(v[0]); err != nil {
			return err
		}
		*f(o) = append(*f(o), v[0])
		return nil
	}
}

func checkFilter(s string) error {
	err := topic.ValidFilter(s)
	if err == nil && !mqtt.ValidText([]byte(s)) {
		err = errors.New("topic contains control characters")
	}
	if err != nil {
		return fmt.Errorf("topic filter %q is not valid: %w", s, err)
	}
	return nil
}

func checkName(s string) error {
	err := topic.ValidName(s)
	if err == nil && !mqtt.ValidText([]byte(s)) {
		err = errors.New("topic contains control characters")
	}
	if err != nil {
		return fmt.Errorf("topic %q cannot be published to: %w", s, err)
	}
	return nil
}

// setTopic is -t: the topic of pub, one more filter of sub.
func setTopic(o *options, v []string) error {
	if o.program == subProgram {
		return filters(func(o *options) *[]string { return &o.topics })(o, v)
	}
	o.topic = v[0]
	return checkName(v[0])
}

func setVersion(o *options, v []string) error {
	version, ok := map[string]mqtt.Version{"mqttv31": mqtt.V31, "31": mqtt.V31, "mqttv311": mqtt.V311, "311": mqtt.V311,
		"mqttv5": mqtt.V5, "5": mqtt.V5}[v[0]]
	if !ok {
		return fmt.Errorf("MQTT version must be mqttv31, mqttv311 or mqttv5, not %q", v[0])
	}
	o.version = version
	return nil
}

// setExpiry is -x, which implies MQTT 5.
func setExpiry(o *options, v []string) error {
	n, err := strconv.ParseInt(v[0], 0, 64)
	if v[0] == "∞" || n == -1 {
		n, err = sessionForever, nil
	}
	if err != nil || n < 0 || n > sessionForever {
		return fmt.Errorf("session expiry must be a number from 0 to 4294967295, -1 or ∞, not %q", v[0])
	}
	o.expiry, o.version = n, mqtt.V5
	return nil
}

func setWillTopic(o *options, v []string) error {
	o.willTopic = v[0]
	return checkName(v[0])
}

func setFormat(o *options, v []string) (err error) {
	o.format, err = parseFormat(v[0])
	return err
}

func setRepeatDelay(o *options, v []string) error {
	s, err := strconv.ParseFloat(v[0], 64)
	if err != nil || !(s >= 0 && s <= 1e9) {
		return fmt.Errorf("repeat delay must be a number of seconds, not %q", v[0])
	}
	o.repeatDelay = time.Duration(s * float64(time.Second))
	return nil
}

func setPercent(o *options, v []string) error {
	p, err := strconv.ParseFloat(v[0], 64)
	if err != nil || !(p >= 0.1 && p <= 100) {
		return fmt.Errorf("random filter must be a percentage from 0.1 to 100, not %q", v[0])
	}
	o.percent = p
	return nil
}

func setRetainHandling(o *options, v []string) error {
	n, ok := map[string]uint8{"always": 0, "new": 1, "never": 2}[v[0]]
	if !ok {
		return fmt.Errorf("retain handling must be always, new or never, not %q", v[0])
	}
	o.retainHandling = n
	return nil
}

const noPSK = "TLS with a pre-shared key is not supported, use certificates"

// flagTable is the command line of both programs.
var flagTable []flagSpec

func init() { // a variable initialised in place would refer to itself through usage
	flagTable = append(append(commonFlags(), pubFlags()...), subFlags()...)
}

func commonFlags() []flagSpec {
	return []flagSpec{
		{[]string{"-h", "--host"}, "", 1, text(func(o *options) *string { return &o.host })},
		{[]string{"-p", "--port"}, "", 1, number("port", 0, 65535, func(o *options, n int) { o.port = n })},
		{[]string{"-A"}, "", 1, text(func(o *options) *string { return &o.bind })},
		{[]string{"--unix"}, "", 1, text(func(o *options) *string { return &o.socket })},
		{[]string{"-L", "--url"}, "", 1, func(o *options, v []string) error { return o.setURL(v[0]) }},
		{[]string{"-u", "--username"}, "", 1, func(o *options, v []string) error { o.username = &v[0]; return nil }},
		{[]string{"-P", "--pw"}, "", 1, func(o *options, v []string) error { o.password = &v[0]; return nil }},
		{[]string{"-i", "--id"}, "", 1, text(func(o *options) *string { return &o.id })},
		{[]string{"-I", "--id-prefix"}, "", 1, text(func(o *options) *string { return &o.idPrefix })},
		{[]string{"-k", "--keepalive"}, "", 1, number("keep-alive", 5, math.MaxUint16,
			func(o *options, n int) { o.keepAlive = time.Duration(n) * time.Second })},
		{[]string{"-q", "--qos"}, "", 1, number("QoS", 0, 2, func(o *options, n int) { o.qos = mqtt.QoS(n) })},
		{[]string{"-V", "--protocol-version"}, "", 1, setVersion},
		{[]string{"-c", "--disable-clean-session"}, "", 0, func(o *options, _ []string) error { o.clean = false; return nil }},
		{[]string{"-x"}, "", 1, setExpiry},
		{[]string{"-d", "--debug"}, "", 0, on(func(o *options) *bool { return &o.debug })},
		{[]string{"--quiet"}, "", 0, on(func(o *options) *bool { return &o.quiet })},
		{[]string{"-D", "--property"}, "", 3, nil}, // see parse: a user property has one value more
		{[]string{"-M"}, "", 1, number("in-flight maximum", 1, math.MaxUint16, func(o *options, n int) { o.inflight = n })},
		{[]string{"--nodelay"}, "", 0, func(*options, []string) error { return nil }}, // Go's default
		{[]string{"--will-topic"}, "", 1, setWillTopic},
		{[]string{"--will-payload"}, "", 1, func(o *options, v []string) error { o.willPayload = &v[0]; return nil }},
		{[]string{"--will-qos"}, "", 1, number("will QoS", 0, 2, func(o *options, n int) { o.willQoS = mqtt.QoS(n) })},
		{[]string{"--will-retain"}, "", 0, on(func(o *options) *bool { return &o.willRetain })},
		{[]string{"--cafile"}, "", 1, text(func(o *options) *string { return &o.tls.cafile })},
		{[]string{"--capath"}, "", 1, text(func(o *options) *string { return &o.tls.capath })},
		{[]string{"--cert"}, "", 1, text(func(o *options) *string { return &o.tls.cert })},
		{[]string{"--key"}, "", 1, text(func(o *options) *string { return &o.tls.key })},
		{[]string{"--insecure"}, "", 0, on(func(o *options) *bool { return &o.tls.insecure })},
		{[]string{"--tls-version"}, "", 1, text(func(o *options) *string { return &o.tls.version })},
		{[]string{"--tls-alpn"}, "", 1, text(func(o *options) *string { return &o.tls.alpn })},
		{[]string{"--tls-use-os-certs"}, "", 0, on(func(o *options) *bool { return &o.tls.osCerts })},
		{[]string{"--ciphers"}, "", 1, refuse("a cipher list is not supported, the TLS version decides")},
		{[]string{"--psk"}, "", 1, refuse(noPSK)},
		{[]string{"--psk-identity"}, "", 1, refuse(noPSK)},
		{[]string{"--keyform"}, "", 1, refuse("a key form is not supported, keys are PEM files")},
		{[]string{"--tls-engine"}, "", 1, refuse("OpenSSL engines are not supported")},
		{[]string{"--tls-engine-kpass-sha1"}, "", 1, refuse("OpenSSL engines are not supported")},
		{[]string{"--proxy"}, "", 1, refuse("SOCKS proxies are not supported")},
		{[]string{"--ws"}, "", 0, refuse("WebSockets are not supported here")},
		{[]string{"-S"}, "", 0, refuse("SRV look-ups are not supported")},
		{[]string{"-o"}, "", 1, refuse("option files are not supported")},
		{[]string{"--help"}, "", 0, on(func(o *options) *bool { return &o.help })},
	}
}

func pubFlags() []flagSpec {
	return []flagSpec{
		{[]string{"-t", "--topic"}, "", 1, setTopic},
		{[]string{"-m", "--message"}, pubProgram, 1, take(fromArgument)},
		{[]string{"-f", "--file"}, pubProgram, 1, take(fromFile)},
		{[]string{"-l", "--stdin-line"}, pubProgram, 0, take(fromLines)},
		{[]string{"-n", "--null-message"}, pubProgram, 0, take(nullMessage)},
		{[]string{"-s", "--stdin-file"}, pubProgram, 0, take(fromInput)},
		{[]string{"-r", "--retain"}, pubProgram, 0, on(func(o *options) *bool { return &o.retain })},
		{[]string{"--repeat"}, pubProgram, 1, number("repeat", 1, math.MaxInt32, func(o *options, n int) { o.repeat = n })},
		{[]string{"--repeat-delay"}, pubProgram, 1, setRepeatDelay},
	}
}

func subFlags() []flagSpec {
	return []flagSpec{
		{[]string{"-T", "--filter-out"}, subProgram, 1, filters(func(o *options) *[]string { return &o.filterOut })},
		{[]string{"-U", "--unsubscribe"}, subProgram, 1, filters(func(o *options) *[]string { return &o.unsubscribeFrom })},
		{[]string{"-v", "--verbose"}, subProgram, 0, on(func(o *options) *bool { return &o.verbose })},
		{[]string{"-C"}, subProgram, 1, number("message count", 1, math.MaxInt32, func(o *options, n int) { o.count = n })},
		{[]string{"-W"}, subProgram, 1, number("timeout", 1, math.MaxInt32,
			func(o *options, n int) { o.timeout = time.Duration(n) * time.Second })},
		{[]string{"-E"}, subProgram, 0, on(func(o *options) *bool { return &o.exitAfterSub })},
		{[]string{"-F"}, subProgram, 1, setFormat},
		{[]string{"-N"}, subProgram, 0, on(func(o *options) *bool { return &o.noEOL })},
		{[]string{"-R"}, subProgram, 0, func(o *options, _ []string) error { o.noRetain, o.retainHandling = true, 2; return nil }},
		{[]string{"--pretty"}, subProgram, 0, on(func(o *options) *bool { return &o.pretty })},
		{[]string{"--random-filter"}, subProgram, 1, setPercent},
		{[]string{"--remove-retained"}, subProgram, 0, on(func(o *options) *bool { return &o.removeRetained })},
		{[]string{"--retain-as-published"}, subProgram, 0, on(func(o *options) *bool { return &o.retainAsPublished })},
		{[]string{"--retain-handling"}, subProgram, 1, setRetainHandling},
		{[]string{"--retained-only"}, subProgram, 0, on(func(o *options) *bool { return &o.retainedOnly })},
	}
}

// parseOptions reads a command line. Errors are one sentence for the user.
func parseOptions(p program, args []string) (*options, error) {
	o := newOptions(p)
	for len(args) > 0 {
		name := args[0]
		spec := findFlag(p, name)
		if spec == nil {
			return o, fmt.Errorf("unknown option %q", name)
		}
		args = args[1:]
		n, set := spec.values, spec.set
		if set == nil {
			n, set = propertyValues(args), setProperty
		}
		if len(args) < n {
			return o, fmt.Errorf("%s needs a value after it", name)
		}
		if err := set(o, args[:n:n]); err != nil {
			return o, fmt.Errorf("%s: %w", name, err)
		}
		if o.help {
			return o, nil
		}
		args = args[n:]
	}
	return o, o.finish()
}

func findFlag(p program, name string) *flagSpec {
	for i := range flagTable {
		f := &flagTable[i]
		for _, n := range f.names {
			if n == name && (f.only == "" || f.only == p) {
				return f
			}
		}
	}
	return nil
}
