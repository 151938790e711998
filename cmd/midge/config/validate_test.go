package config

import (
	"strings"
	"testing"
)

// Texts that the rows below complete.
const (
	udp         = "[[link]]\nname = \"a\"\ntype = \"udp\"\n"
	dtls        = "[[link]]\nname = \"a\"\ntype = \"dtls\"\naddress = \"127.0.0.1:8883\"\n"
	serial      = "[[link]]\nname = \"a\"\ntype = \"serial\"\n"
	bridge      = "[[bridge]]\nname = \"c\"\naddress = \"mqtts://up.example.com\"\n"
	tlsListener = "[[listener]]\ntype = \"tls\"\naddress = \"127.0.0.1:8883\"\ncert_file = \"server.pem\"\nkey_file = \"server.key\"\n"
	topics      = "[[bridge.topic]]\nfilter = \"s/#\"\n"
)

func TestValidation(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"node id", "[node]\nid = \"a/b\"", []string{
			`config.toml:2: [node] id = "a/b": an id is at most 64 letters, digits, '.', '_' and '-'`}},
		{"socket of systemd", "[[listener]]\ntype = \"ws\"\naddress = \"systemd:web\"\n[[listener]]\naddress = \"systemd:\"", []string{
			`config.toml:5: [listener] address = "systemd:" names no socket of systemd; write for example "systemd:mqtt"`}},
		{"unknown listener type", "[[listener]]\ntype = \"websocket\"", []string{
			`config.toml:2: [listener] type = "websocket" is unknown; it is one of tcp, tls, ws, wss, unix`}},
		{"unix without a path", "[[listener]]\ntype = \"unix\"\nmode = \"rw\"", []string{
			`config.toml:1: [listener] of type unix has no address; write for example address = "/run/midge/mqtt.sock"`,
			`config.toml:3: [listener] mode = "rw" is no mode of a file; write for example "0660"`}},
		{"unix that is no file", "[[listener]]\ntype = \"unix\"\naddress = \"@midge\"", []string{
			`config.toml:3: [listener] address = "@midge" is an abstract socket, which everybody may use; write the path of a file`}},
		{"unix with a long path", "[[listener]]\ntype = \"unix\"\naddress = \"/" + strings.Repeat("x", 107) + "\"", []string{
			`config.toml:3: [listener] address = "/` + strings.Repeat("x", 107) + `" has 108 octets; the path of a socket has at most 107`}},
		{"a socket twice", "[[listener]]\ntype = \"unix\"\naddress = \"/run/m\"\n[[listener]]\ntype = \"unix\"\naddress = \"/run/m\"", []string{
			`config.toml:6: [listener] address = "/run/m" is already the [listener] address on line 3`}},
		{"ws", "[[listener]]\ntype = \"ws\"\naddress = \"127.0.0.1:9001\"\npath = \"mqtt\"\norigins = [\n\"https://example.com\", \"*\",\n\"example.com\", \"https://example.com/\"]\nmode = \"0660\"", []string{
			`config.toml:4: [listener] path = "mqtt" does not begin with "/"; write "/mqtt"`,
			`config.toml:7: [listener] origins: "example.com" is no origin of a page; write for example "https://example.com", or "*" for all`,
			`config.toml:7: [listener] origins: "https://example.com/" is no origin of a page; write for example "https://example.com", or "*" for all`,
			`config.toml:8: [listener] mode is for listeners of type unix; this one is of type ws`}},
		{"limits out of range", "[limits]\nqueue_bytes = 100\ninflight = 0\nqueue_policy = \"drop-old\"\ntopic_levels = 200", []string{
			`config.toml:2: [limits] queue_bytes = "100" is too little; it is at least "1KiB"`,
			`config.toml:3: [limits] inflight = 0 is out of range; it goes from 1 to 65535`,
			`config.toml:4: [limits] queue_policy = "drop-old" is unknown; did you mean "drop-oldest"?`,
			`config.toml:5: [limits] topic_levels = 200 is out of range; it goes from 8 to 128`}},
		{"limits that are no sizes", "[limits]\nstored_bytes = \"1TiB\"\ntotal_bytes = -1\nretained_bytes = true", []string{
			`config.toml:2: [limits] stored_bytes: "1TiB" is not a size; write for example "64KiB", "100MiB" or "1GiB"`,
			`config.toml:3: [limits] total_bytes must be a size, such as "64MiB" or 65536, not the number -1`,
			`config.toml:4: [limits] retained_bytes must be a size, such as "64MiB" or 65536, not true`}},
		{"tls without its files", "[[listener]]\ntype = \"tls\"\naddress = \"127.0.0.1:8883\"\ntls_version = \"1.1\"", []string{
			`config.toml:1: [listener] of type tls has no cert_file; write for example cert_file = "server.pem"`,
			`config.toml:1: [listener] of type tls has no key_file; write for example key_file = "server.key"`,
			`config.toml:4: [listener] tls_version = "1.1" is unknown; did you mean "1.2"?`}},
		{"client certificates of nobody", tlsListener + "require_certificate = true", []string{
			`config.toml:6: [listener] require_certificate needs a ca_file beside it: who may sign the certificates of clients`}},
		{"a revocation list for nobody", tlsListener + "crl_file = \"crl.pem\"", []string{
			`config.toml:6: [listener] crl_file needs require_certificate = true beside it`}},
		{"an identity of nobody", tlsListener + "use_identity_as_username = true", []string{
			`config.toml:6: [listener] use_identity_as_username needs require_certificate = true beside it (types tls and wss), or proxy_protocol = true`}},
		{"a name that a proxy tells", "[[listener]]\naddress = \"127.0.0.1:1883\"\nuse_identity_as_username = true\nproxy_protocol = true", nil},
		{"a name that anybody tells", "[[listener]]\naddress = \":1883\"\nuse_identity_as_username = true\nproxy_protocol = true", []string{
			`config.toml:2: [listener] address = ":1883" lets everyone who reaches it publish and subscribe; write public = true beside it if that is meant, or "127.0.0.1:1883"`}},
		{"bounds", "[[listener]]\naddress = \"127.0.0.1:1883\"\nmax_connections = -1\nmax_packet_size = 10\nreceive_maximum = 0\nmax_topic_alias = 65536", []string{
			`config.toml:3: [listener] max_connections = -1 is out of range; it goes from 0 to 2147483647`,
			`config.toml:4: [listener] max_packet_size = 10 is out of range; it goes from 20 to 268435455`,
			`config.toml:5: [listener] receive_maximum = 0 is out of range; it goes from 1 to 65535`,
			`config.toml:6: [listener] max_topic_alias = 65536 is out of range; it goes from 0 to 65535`}},
		{"whoever has a certificate may come from anywhere", strings.Replace(tlsListener, "127.0.0.1", "", 1) + "require_certificate = true\nca_file = \"ca.pem\"", nil},
		{"tcp with a key of tls", "[[listener]]\naddress = \"127.0.0.1:1883\"\ncert_file = \"server.pem\"", []string{
			`config.toml:3: [listener] cert_file is for listeners of type tls and wss; this one is of type tcp`}},
		{"listener without an address", "[[listener]]\n", []string{
			`config.toml:1: [listener] has no address; write for example address = "127.0.0.1:1883"`}},
		{"address without a port", "[[listener]]\naddress = \"127.0.0.1\"", []string{
			`config.toml:2: [listener] address = "127.0.0.1" is not host:port; write for example "127.0.0.1:1883"`}},
		{"port out of range", "[[listener]]\naddress = \"127.0.0.1:70000\"", []string{
			`config.toml:2: [listener] address = "127.0.0.1:70000" has no port number from 0 to 65535, but "70000"`}},
		{"address of a default twice", "[[listener]]\naddress = \"127.0.0.1:8080\"\n", []string{
			`config.toml: [http] address = "127.0.0.1:8080" is already the [listener] address on line 2`}},
		{"nobody may come in", "[auth]\nallow_anonymous = false", []string{
			`config.toml:2: [auth] allow_anonymous = false lets nobody in at 127.0.0.1:1883; write a password_file beside it`}},
		{"nobody may come in at one listener", "[auth]\npassword_file = \"p\"\n[[listener]]\naddress = \"127.0.0.1:1883\"\npassword_file = \"\"\nallow_anonymous = false", []string{
			`config.toml:6: [listener] allow_anonymous = false lets nobody in at 127.0.0.1:1883; write a password_file beside it`}},
		{"wrong types", "[auth]\nallow_anonymous = \"no\"\n[[listener]]\naddress = \"127.0.0.1:1883\"\nacl_file = true", []string{
			`config.toml:2: [auth] allow_anonymous must be true or false, not the text "no"`,
			`config.toml:5: [listener] acl_file must be text in quotes, not true`}},

		{"link without anything", "[[link]]", []string{
			`config.toml:1: [link] has no name; write for example name = "field"`,
			`config.toml:1: [link] has no type; write for example type = "udp"`}},
		{"link name", "[[link]]\nname = \"a b\"\ntype = \"udp\"\naddress = \"127.0.0.1:1\"", []string{
			`config.toml:2: [link] name = "a b": a name is at most 64 letters, digits, '.', '_' and '-'`}},
		{"link name twice", udp + "address = \"127.0.0.1:1\"\n\n" + udp + "address = \"127.0.0.1:2\"", []string{
			`config.toml:7: [link] name = "a" is taken on line 2; each needs a name of its own`}},
		{"link address twice", udp + "address = \"127.0.0.1:1\"\n[[link]]\nname = \"b\"\ntype = \"udp\"\naddress = \"127.0.0.1:1\"", []string{
			`config.toml:8: [link] address = "127.0.0.1:1" is already the [link] address on line 4`}},
		{"unknown link type", "[[link]]\nname = \"a\"\ntype = \"serail\"", []string{
			`config.toml:3: [link] type = "serail" is unknown; did you mean "serial"?`}},
		{"foreign link type", "[[link]]\nname = \"a\"\ntype = \"lora\"", []string{
			`config.toml:3: [link] type = "lora" is unknown; it is one of udp, dtls, serial, xbee`}},
		{"xbee without a device, with keys of others", "[[link]]\nname = \"a\"\ntype = \"xbee\"\nframing = \"raw\"\naddress = \":1\"\nnetwork = \"zigbe\"\nmtu = 256\nradius = 256", []string{
			`config.toml:1: [link] of type xbee has no device; write for example device = "/dev/ttyUSB0"`,
			`config.toml:4: [link] framing is for links of type serial; this one is of type xbee`,
			`config.toml:5: [link] address is for links of type udp; this one is of type xbee`,
			`config.toml:6: [link] network = "zigbe" is unknown; did you mean "zigbee"?`,
			`config.toml:7: [link] mtu = 256 is out of range; it goes from 32 to 255`,
			`config.toml:8: [link] radius = 256 is out of range; it goes from 0 to 255`}},
		{"a USB adapter that cannot be meant", serial + "device = \"auto:usb 0403\"", []string{
			`config.toml:4: [link] device = "auto:usb 0403" must be "auto:usb", "auto:usb 0403:6001" or "auto:usb 0403:6001 SERIAL", or the path of a port`}},
		{"udp with a key of xbee", udp + "address = \"127.0.0.1:1\"\nradius = 2", []string{
			`config.toml:5: [link] radius is for links of type xbee; this one is of type udp`}},
		{"dtls without keys", dtls, []string{
			`config.toml:3: [link] of type dtls needs to know its devices; write psk_file = "psk.txt" beside it, or cert_file and key_file`}},
		{"dtls with half a certificate", dtls + "psk_file = \"psk\"\ncert_file = \"c.pem\"", []string{
			`config.toml:6: [link] cert_file needs its key_file beside it`}},
		{"dtls with certificates that nobody signs", dtls + "cert_file = \"c.pem\"\nkey_file = \"c.key\"\nrequire_certificate = true", []string{
			`config.toml:7: [link] require_certificate needs a ca_file beside it: who may sign the certificates of devices`}},
		{"dtls for keys with a list of signers", dtls + "psk_file = \"psk\"\nca_file = \"ca.pem\"", []string{
			`config.toml:6: [link] ca_file is for the certificates of devices, and for these the gateway needs one too; write cert_file and key_file beside it`}},
		{"dtls that anyone may use, from anywhere", strings.Replace(dtls, "127.0.0.1", "", 1) + "cert_file = \"c.pem\"\nkey_file = \"c.key\"", []string{
			`config.toml:4: [link] address = ":8883" lets every device that reaches it publish and subscribe; write public = true beside it if that is meant, or "127.0.0.1:8883"`}},
		{"dtls with a key of udp", dtls + "psk_file = \"psk\"\ngroups = [\"225.1.1.1\"]", []string{
			`config.toml:6: [link] groups is for links of type udp; this one is of type dtls`}},
		{"udp without an address", udp, []string{
			`config.toml:1: [link] of type udp has no address; write for example address = "127.0.0.1:1883"`}},
		{"udp with a key of serial", udp + "address = \"127.0.0.1:1\"\nbaud = 9600", []string{
			`config.toml:5: [link] baud is for links of type serial; this one is of type udp`}},
		{"groups", udp + "address = \"127.0.0.1:1\"\ngroups = [\"225.1.1.1\", \"255.255.255.255:10000\", \"10.0.0.1\", \"[ff02::1]:99\", \"[ff02::1]:x\"]\npublic = true", []string{
			`config.toml:5: [link] groups: "10.0.0.1" is not a multicast address; write for example "225.1.1.1" or "[ff02::1]:1883", or "255.255.255.255"`,
			`config.toml:5: [link] groups: "[ff02::1]:99" is of another IP version than address = "127.0.0.1:1"`,
			`config.toml:5: [link] groups: "[ff02::1]:x" is not a multicast address; write for example "225.1.1.1" or "[ff02::1]:1883", or "255.255.255.255"`}},
		{"multicast that goes nowhere", udp + "address = \"127.0.0.1:1\"\nmulticast_hops = 0", []string{
			`config.toml:5: [link] multicast_hops = 0 is out of range; it goes from 1 to 255`}},
		{"groups on an interface", udp + "address = \":1\"\ngroups = [\"225.1.1.1\", \"[ff02::1]\", \"[ff02::1%eth0]:99\"]\npublic = true", []string{
			`config.toml:5: [link] groups: "[ff02::1%eth0]:99" is joined on every interface that the link's address is on; leave "%eth0" out`}},
		{"groups of the other version", udp + "address = \"[::1]:1\"\ngroups = [\"225.1.1.1\", \"ff02::1\"]\npublic = true", []string{
			`config.toml:5: [link] groups: "225.1.1.1" is of another IP version than address = "[::1]:1"`}},
		{"groups reach the network", udp + "address = \"127.0.0.1:1\"\ngroups = [\"225.1.1.1\"]", []string{
			`config.toml:5: [link] groups are heard by the whole network; write public = true beside them if that is meant`}},
		{"serial without a device", serial, []string{
			`config.toml:1: [link] of type serial has no device; write for example device = "/dev/ttyUSB0"`}},
		{"node address without radiohead", serial + "device = \"d\"\nframing = \"slip\"\nnode_address = 3", []string{
			`config.toml:5: [link] node_address and node_acks are for framing = "radiohead"; this one has framing = "slip"`}},
		{"longer than RadioHead carries", serial + "device = \"d\"\nframing = \"radiohead\"\nmtu = 100\nnode_address = 255", []string{
			`config.toml:6: [link] mtu = 100 is out of range; it goes from 32 to 60`, `config.toml:7: [link] node_address = 255 is out of range; it goes from 1 to 254`}},
		{"longer than a LoRaLink modem carries", serial + "device = \"d\"\nframing = \"loralink\"\nmtu = 245\nnode_acks = false", []string{
			`config.toml:5: [link] node_address and node_acks are for framing = "radiohead"; this one has framing = "loralink"`,
			`config.toml:6: [link] mtu = 245 is out of range; it goes from 32 to 244`}},
		{"unknown framing", serial + "device = \"d\"\nframing = \"hldc\"", []string{
			`config.toml:5: [link] framing = "hldc" is unknown; did you mean "hdlc"?`}},
		{"serial ranges", serial + "device = \"d\"\nbaud = 7\nmtu = 3\nretry_interval = \"1ms\"\nretry_count = -1", []string{
			`config.toml:5: [link] baud = 7 is out of range; it goes from 50 to 4000000`,
			`config.toml:6: [link] mtu = 3 is out of range; it goes from 32 to 65535`,
			`config.toml:7: [link] retry_interval = "1ms" is out of range; it goes from 100ms to 1h`,
			`config.toml:8: [link] retry_count = -1 is out of range; it goes from 0 to 100`}},

		{"devices of a link", udp + "address = \"127.0.0.1:1\"\nidle_limit = \"1s\"\nrebind = \"nevr\"\ngwinfo = \"all\"\nallow_clients = [\"a\", \"\"]\nallow_addresses = [\"10.0.0.0/8 \", \"10.0.0.0/33\", \"10.0.0.1\", \"10.*\", \"10.0.0.1:7/0a\", \"fe80::1%eth0\", \"valve\"]\nauth = true", []string{
			`config.toml:5: [link] idle_limit = "1s" is out of range; it goes from 1m to 8784h`,
			`config.toml:6: [link] rebind = "nevr" is unknown; did you mean "never"?`,
			`config.toml:7: [link] gwinfo = "all" is unknown; it is one of both, unicast, broadcast`,
			`config.toml:8: [link] allow_clients: "" matches nothing; write for example "valve-*"`,
			`config.toml:9: [link] allow_addresses: "10.0.0.0/8 " matches nothing; write for example "192.0.2.0/24"`,
			`config.toml:9: [link] allow_addresses: "10.0.0.0/33" is no IP address and no network; write for example "192.0.2.7" or "192.0.2.0/24", or a pattern with * or ?`,
			`config.toml:9: [link] allow_addresses: "valve" is no IP address and no network; write for example "192.0.2.7" or "192.0.2.0/24", or a pattern with * or ?`,
			`config.toml:10: [link] auth = true lets no device in without a password; write a password_file into [auth]`}},
		{"whom a link does not serve", udp + "address = \"127.0.0.1:1\"\ndeny_clients = [\" a\"]\ndeny_addresses = [\"valve\", \"10.0.0.1\"]\nclient_addresses = [\"a\", \" 10.0.0.1\", \"a  10.0.0.1\", \"a valve\", \"a 10.0.0.*\", \"a? 10.0.0.0/8\"]", []string{
			`config.toml:5: [link] deny_clients: " a" matches nothing; write for example "valve-*"`,
			`config.toml:6: [link] deny_addresses: "valve" is no IP address and no network; write for example "192.0.2.7" or "192.0.2.0/24", or a pattern with * or ?`,
			`config.toml:7: [link] client_addresses: "a" is not a client id, one space and an address; write for example "valve-1 192.0.2.7"`,
			`config.toml:7: [link] client_addresses: " 10.0.0.1" is not a client id, one space and an address; write for example "valve-1 192.0.2.7"`,
			`config.toml:7: [link] client_addresses: "a  10.0.0.1" is not a client id, one space and an address; write for example "valve-1 192.0.2.7"`,
			`config.toml:7: [link] client_addresses: "valve" is no IP address and no network; write for example "192.0.2.7" or "192.0.2.0/24", or a pattern with * or ?`}},
		{"airtime", udp + "address = \"127.0.0.1:1\"\nbit_rate = 10\nduty_cycle = 0\nframe_overhead = -1", []string{
			`config.toml:5: [link] bit_rate = 10 is out of range; it goes from 50 to 1000000000`,
			`config.toml:6: [link] duty_cycle = 0 must be from 0.01 to 100: percent of an hour that may be sent`,
			`config.toml:7: [link] frame_overhead = -1 is out of range; it goes from 0 to 1000`}},
		{"addresses of radios", serial + "device = \"d\"\nallow_addresses = [\"0x0004\", \"node 3\"]\nclient_addresses = [\"valve node 3\"]", nil},
		{"a serial server", serial + "device = \"tcp://192.0.2.7:4001\"", nil},
		{"a serial server without port", serial + "device = \"tcp://192.0.2.7\"", []string{
			`config.toml:4: [link] device = "tcp://192.0.2.7" must be "tcp://host:port", or the path of a port`}},
		{"a port twice", serial + "device = \"/dev/ttyUSB0\"\n[[link]]\nname = \"other\"\ntype = \"xbee\"\ndevice = \"/dev/ttyUSB0\"", []string{
			`config.toml:8: [link] device = "/dev/ttyUSB0" is already the [link] device on line 4`}},
		{"a port that is to be both", serial + "device = \"/dev/ttyUSB0\"\nframing = \"loralink\"\ndevice_tx = \"/dev/ttyUSB0\"", []string{
			`config.toml:6: [link] device_tx = "/dev/ttyUSB0" is already the [link] device on line 4`}},
		{"a second port of another link", serial + "device = \"/dev/ttyUSB0\"\nframing = \"loralink\"\ndevice_tx = \"auto:usb 1\"\n[[link]]\nname = \"other\"\ntype = \"xbee\"\ndevice = \"auto:usb 1\"", []string{
			`config.toml:6: [link] device_tx = "auto:usb 1" must be "auto:usb", "auto:usb 0403:6001" or "auto:usb 0403:6001 SERIAL", or the path of a port`,
			`config.toml:10: [link] device = "auto:usb 1" must be "auto:usb", "auto:usb 0403:6001" or "auto:usb 0403:6001 SERIAL", or the path of a port`,
			`config.toml:10: [link] device = "auto:usb 1" is already the [link] device_tx on line 6`}},
		{"a second port where there is one", serial + "device = \"/dev/ttyUSB0\"\ndevice_tx = \"/dev/ttyUSB1\"", []string{
			`config.toml:5: [link] device_tx is for framing = "loralink", whose modems may be two; this one has framing = "raw"`}},
		{"two modems", serial + "device = \"/dev/ttyUSB0\"\nframing = \"loralink\"\ndevice_tx = \"/dev/ttyUSB1\"", nil},
		{"a port that is hardly meant", serial + "device = \"auto\"", []string{
			`config.toml:4: [link] device = "auto" must be "auto:usb", "auto:usb 0403:6001" or "auto:usb 0403:6001 SERIAL", or the path of a port`}},
		{"what a link grants", udp + "address = \"127.0.0.1:1\"\nmax_qos = 3\nmax_connections = -1", []string{
			`config.toml:5: [link] max_qos = 3 is out of range; it goes from 0 to 2`,
			`config.toml:6: [link] max_connections = -1 is out of range; it goes from 0 to 2147483647`}},
		{"states of devices", "[gateway]\navailability_topic = \"states\"", []string{
			`config.toml:2: [gateway] availability_topic = "states": {client} has to be in it, or all devices would share one topic`}},
		{"states of links", "[gateway]\navailability_topic = \"{link}/{client}\"", []string{
			`config.toml:2: [gateway] availability_topic = "{link}/{client}": only {node} and {client} are replaced`}},
		{"states under a filter", "[gateway]\navailability_topic = \"#/{client}\"", []string{
			`config.toml:2: [gateway] availability_topic = "#/{client}": topic name contains a wildcard`}},
		{"what stands in front of topics", "[[listener]]\naddress = \"127.0.0.1:1\"\nmount_point = \"a/+/\"\n" + udp + "address = \"127.0.0.1:1\"\nmount_point = \"$SYS/\"", []string{
			`config.toml:3: [listener] mount_point = "a/+/": topic name contains a wildcard; write for example "barn/" or "devices/%c/"`,
			`config.toml:8: [link] mount_point = "$SYS/": begins with '$', as only the server's own topics do; write for example "barn/" or "devices/%c/"`}},
		{"found with a bridge that is not there", "[gateway]\nadvertise_when_bridged = true", []string{
			`config.toml:2: [gateway] advertise_when_bridged = true, but there is no [[bridge]]: leave it out`}},
		{"airtime without a rate", udp + "address = \"127.0.0.1:1\"\nduty_cycle = 0.1", []string{
			`config.toml:5: [link] duty_cycle needs to know how fast the radio is; write for example bit_rate = 250000`}},
		{"airtime of a port", "[[link]]\nname = \"a\"\ntype = \"serial\"\ndevice = \"d\"\nduty_cycle = 0.1\nframe_overhead = 12", nil},
		{"airtime in words", "[[link]]\nname = \"a\"\ntype = \"serial\"\ndevice = \"d\"\nduty_cycle = \"1%\"", []string{
			`config.toml:5: [link] duty_cycle must be a number, not the text "1%"`}},
		{"a link with log-ins is open at QoS -1", "[auth]\npassword_file = \"p\"\n" + udp + "address = \":1\"\nauth = true", []string{
			`config.toml:6: [link] address = ":1" lets every device that reaches it publish and subscribe; write public = true beside it if that is meant, or "127.0.0.1:1"`}},
		{"a link with log-ins is not", "[auth]\npassword_file = \"p\"\n[gateway]\nqos_minus_one = false\n" + udp + "address = \":1\"\nauth = true", nil},
		{"a dtls link with log-ins is open at QoS -1 to whoever shakes hands", "[auth]\npassword_file = \"p\"\n" + strings.Replace(dtls, "127.0.0.1", "", 1) + "cert_file = \"c.pem\"\nkey_file = \"c.key\"\nauth = true", []string{
			`config.toml:6: [link] address = ":8883" lets every device that reaches it publish and subscribe; write public = true beside it if that is meant, or "127.0.0.1:8883"`}},
		{"gateway words", "[gateway]\nrefused = \"maybe\"\nqos_minus_one = false\nqos_minus_one_inline = true", []string{
			`config.toml:2: [gateway] refused = "maybe" is unknown; it is one of never, later`,
			`config.toml:4: [gateway] qos_minus_one_inline is a form of QoS -1; write qos_minus_one = true beside it`}},
		{"predefined on a link", "[[gateway.predefined]]\nid = 1\ntopic = \"a\"\nlink = \"lna\"\n[[gateway.predefined]]\nid = 1\ntopic = \"b\"\nlink = \"lan\"", []string{
			`config.toml:4: [gateway.predefined] link = "lna": no [[link]] has that name; write "*" for every link`}},
		{"advertise interval", "[gateway]\nadvertise_interval = \"20h\"", []string{
			`config.toml:2: [gateway] advertise_interval = "20h" is out of range; it goes from 0s to 18h12m15s`}},
		{"half seconds", "[gateway]\nadvertise_interval = \"1.5s\"", []string{
			`config.toml:2: [gateway] advertise_interval = "1.5s" must be whole seconds`}},
		{"predefined", "[[gateway.predefined]]\nid = 65535\ntopic = \"a/+\"\n[[gateway.predefined]]\nclient = \"v*\"\nid = 1\n", []string{
			`config.toml:2: [gateway.predefined] id = 65535 is out of range; it goes from 1 to 65534`,
			`config.toml:3: [gateway.predefined] topic = "a/+": topic name contains a wildcard`,
			`config.toml:4: [gateway.predefined] has no topic; write for example topic = "sensors/boot"`,
			`config.toml:5: [gateway.predefined] client = "v*": it is one client id, or "*" for every client`}},
		{"predefined twice", "[[gateway.predefined]]\nid = 1\ntopic = \"a\"\n[[gateway.predefined]]\nid = 1\ntopic = \"b\"", []string{
			`config.toml:5: [gateway.predefined] id = 1 of client "*" is taken on line 2`}},

		{"longest keep-alive", "[[listener]]\naddress = \"127.0.0.1:0\"\nmax_keepalive = \"1.5s\"\n[[listener]]\naddress = \"127.0.0.1:0\"\nmax_keepalive = \"24h\"\n", []string{
			`config.toml:3: [listener] max_keepalive = "1.5s" must be whole seconds`,
			`config.toml:6: [listener] max_keepalive = "24h" is out of range; it goes from 0s to 18h12m15s`}},

		{"bridge without anything", "[[bridge]]", []string{
			`config.toml:1: [bridge] has no name; write for example name = "cloud"`,
			`config.toml:1: [bridge] has no address; write for example address = "mqtts://broker.example.com:8883"`,
			`config.toml:1: [bridge] "" has no topic; add a [[bridge.topic]] with a filter`}},
		{"bridge name twice", bridge + topics + bridge + topics, []string{
			`config.toml:7: [bridge] name = "c" is taken on line 2; each needs a name of its own`}},
		{"bridge ranges", bridge + "keep_alive = \"0s\"\nmax_inflight = 0\n" + topics, []string{
			`config.toml:4: [bridge] keep_alive = "0s" is out of range; it goes from 1s to 18h12m15s`,
			`config.toml:5: [bridge] max_inflight = 0 is out of range; it goes from 1 to 65535`}},
		{"bridge credentials", bridge + "password = \"x\"\ncert_file = \"c\"\n" + topics, []string{
			`config.toml:4: [bridge] password needs a username beside it`,
			`config.toml:5: [bridge] cert_file needs a key_file beside it`}},
		{"certificates without TLS", "[[bridge]]\nname = \"c\"\naddress = \"tcp://up\"\nca_file = \"x\"\n" + topics, []string{
			`config.toml:4: [bridge] ca_file needs TLS, but the address is "tcp://up"; write mqtts://`}},
		{"availability topic", bridge + "availability_topic = \"state/{site}\"\n" + topics + bridge[:11] + "name = \"d\"\naddress = \"mqtt://up\"\navailability_topic = \"state/#\"\n" + topics, []string{
			`config.toml:4: [bridge] availability_topic = "state/{site}": only {node} and {bridge} are replaced`,
			`config.toml:10: [bridge] availability_topic = "state/#": topic name contains a wildcard`}},
		{"bridge topic", bridge + "[[bridge.topic]]\nfilter = \"a/#/b\"\ndirection = \"up\"\nqos = 3\n[[bridge.topic]]\n[[bridge.topic]]\nfilter = \"x\"\nlocal_prefix = \"a/+/\"", []string{
			`config.toml:5: [bridge.topic] filter = "a/#/b": here it would be "a/#/b", and '#' must be the last level and stand alone in it`,
			`config.toml:6: [bridge.topic] direction = "up" is unknown; it is one of out, in, both`,
			`config.toml:7: [bridge.topic] qos = 3 is out of range; it goes from 0 to 2`,
			`config.toml:8: [bridge.topic] has no filter; write for example filter = "sensors/#"`,
			`config.toml:11: [bridge.topic] local_prefix = "a/+/" holds a wildcard; wildcards belong into the filter`}},
		{"bridge topic without a filter", bridge + "[[bridge.topic]]\nlocal_prefix = \"a\"\nremote_prefix = \"b\"\n[[bridge.topic]]\nlocal_prefix = \"a\"", []string{
			`config.toml:7: [bridge.topic] has no filter; write for example filter = "sensors/#"`}},
		{"prefix without a slash", bridge + "[[bridge.topic]]\nfilter = \"+/a\"\nremote_prefix = \"site1\"", []string{
			`config.toml:5: [bridge.topic] filter = "+/a": at the other broker it would be "site1+/a", and '+' must stand alone in its level`}},
		{"loop in two lines", bridge + topics + "direction = \"in\"\n[[bridge.topic]]\nfilter = \"s/#\"\n", []string{
			`config.toml:8: [bridge.topic] filter = "s/#" would bring back what the topic on line 5 carries; write one topic with direction = "both"`}},
		{"loop through prefixes", bridge + "[[bridge.topic]]\nfilter = \"s/#\"\nlocal_prefix = \"a/\"\nremote_prefix = \"b/\"\ndirection = \"in\"\n" +
			"[[bridge.topic]]\nfilter = \"#\"\nlocal_prefix = \"a/s/\"\nremote_prefix = \"b/s/\"\n", []string{
			`config.toml:10: [bridge.topic] filter = "#" would bring back what the topic on line 5 carries; write one topic with direction = "both"`}},
		{"same line twice", bridge + topics + topics, []string{
			`config.toml:7: [bridge.topic] filter = "s/#" would carry each message twice: the topic on line 5 joins the same filters`}},

		{"store", "[store]\ncommit_interval = \"2m\"\non_damage = \"ignore\"", []string{
			`config.toml:2: [store] commit_interval = "2m" is out of range; it goes from 0s to 1m`,
			`config.toml:3: [store] on_damage = "ignore" is unknown; it is one of salvage, refuse`}},
	} {
		t.Run(row.name, func(t *testing.T) { wantProblems(t, row.text, row.want...) })
	}
}

func TestReach(t *testing.T) {
	const mqttWhy, snWhy, httpWhy = "lets everyone who reaches it publish and subscribe", "lets every device that reaches it publish and subscribe", "tells everyone who asks what runs here"
	for address, local := range map[string]bool{
		"127.0.0.1:5000": true, "127.8.0.1:5000": true, "[::1]:5000": true, "localhost:5000": true, "[::ffff:127.0.0.1]:5000": true,
		":5000": false, "0.0.0.0:5000": false, "[::]:5000": false, "192.0.2.1:5000": false, "pi.example.com:5000": false, "127.0.0.1.example.com:5000": false,
	} {
		for _, place := range []struct{ before, table, why string }{
			{"[[listener]]\n", "listener", mqttWhy}, {"[[link]]\nname = \"a\"\ntype = \"udp\"\n", "link", snWhy}, {"[http]\n", "http", httpWhy},
		} {
			text := place.before + "address = \"" + address + "\"\n"
			wantProblems(t, text+"public = true")
			if local {
				wantProblems(t, text)
				continue
			}
			line := string(rune('1' + strings.Count(place.before, "\n")))
			wantProblems(t, text, "config.toml:"+line+": ["+place.table+"] address = \""+address+"\" "+place.why+
				`; write public = true beside it if that is meant, or "127.0.0.1:5000"`)
		}
	}
}

func TestUpstream(t *testing.T) {
	for _, row := range []struct {
		address, hostPort string
		tls               bool
		err               string
	}{
		{"mqtt://up", "up:1883", false, ""},
		{"tcp://192.0.2.1:1884", "192.0.2.1:1884", false, ""},
		{"mqtts://up.example.com", "up.example.com:8883", true, ""},
		{"ssl://[2001:db8::1]/", "[2001:db8::1]:8883", true, ""},
		{"up:1883", "", false, `"up:1883" is not a URL; write for example "mqtts://broker.example.com:8883"`},
		{"mqtt://", "", false, `"mqtt://" is not a URL; write for example "mqtts://broker.example.com:8883"`},
		{"mqtt//secret@up", "", false, `"…@up" is not a URL; write for example "mqtts://broker.example.com:8883"`},
		{"http://up", "", false, `scheme "http" is unknown; write mqtt:// or mqtts://`},
		{"wss://up", "", false, `scheme "wss" is not served by this version yet; write mqtt:// or mqtts://`},
		{"mqtt://user:secret@up", "", false, "must not hold a user; write the keys username and password"},
		{"mqtt://up/path", "", false, "must end after the port"},
		{"mqtt://up:99999", "up:99999", false, `has no port number from 0 to 65535, but "99999"`},
	} {
		hostPort, tls, err := Bridge{Address: row.address}.Upstream()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != row.err || err == nil && (hostPort != row.hostPort || tls != row.tls) {
			t.Errorf("address %q means %q, TLS %v, error %q; got %q, %v, %q", row.address, row.hostPort, row.tls, row.err, hostPort, tls, text)
		}
	}
}

func TestValidateAfterAFlag(t *testing.T) {
	c := Default()
	c.Listeners[0].Address = ":1883"
	err := c.Validate()
	want := `[listener] address = ":1883" lets everyone who reaches it publish and subscribe; write public = true beside it if that is meant, or "127.0.0.1:1883"`
	if err == nil || err.Error() != want {
		t.Errorf("a Config that no file made is validated too, without a place:\n%s\ngot %v", want, err)
	}
}
