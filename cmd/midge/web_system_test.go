package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"midge/internal/certtest"
	"midge/internal/peertest"
)

// mqttJS is the MQTT.js that the tests install.
const mqttJS = "mqtt@5.14.1"

// installMQTTJS installs it once for all tests.
var installMQTTJS = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(workDir, "npm")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", mqttJS)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install %s: %w\n%s", mqttJS, err, out)
	}
	return filepath.Join(dir, "node_modules", "mqtt"), nil
})

func mqttJSDir(t *testing.T) string {
	t.Helper()
	peertest.Need(t, "node", "npm")
	dir, err := installMQTTJS()
	if err != nil {
		peertest.Cannot(t, "MQTT.js cannot be installed: %v", err)
	}
	return dir
}

// nodeScript has MQTT.js do what it can, and prints a line for each thing that worked.
const nodeScript = `
const mqtt = require(process.argv[2]), url = process.argv[3], ca = process.argv[4]
const base = { ca: ca && require("fs").readFileSync(ca), reconnectPeriod: 0, connectTimeout: 20000 }
let count = 0
const connect = options => mqtt.connectAsync(url, { clientId: "js" + count++, ...base, ...options })
const next = (client, topic) => new Promise((done, fail) => {
  const timer = setTimeout(() => fail(new Error("nothing came on " + topic)), 20000)
  const take = (name, payload, packet) => {
    if (topic !== name) return
    clearTimeout(timer)
    client.removeListener("message", take)
    done({ text: payload.toString(), packet })
  }
  client.on("message", take)
})
const want = (sentence, got, expected) => {
  if (got !== expected) throw new Error(sentence + ": got " + got)
  console.log("ok " + sentence)
}

async function features(v) {
  const at = "v" + v.protocolVersion + (v.protocolId ? v.protocolId : "") + "/"
  const sub = await connect(v), pub = await connect(v)
  for (const qos of [0, 1, 2]) {
    await sub.subscribeAsync(at + qos, { qos })
    const came = next(sub, at + qos)
    await pub.publishAsync(at + qos, "x".repeat(100000), { qos })
    want(at + " a message at QoS " + qos, (await came).text.length, 100000)
  }
  await pub.publishAsync(at + "retained", "kept", { retain: true, qos: 1 })
  const retained = next(sub, at + "retained")
  await sub.subscribeAsync(at + "retained")
  want(at + " a retained message", (await retained).packet.retain, true)

  const doomed = await connect({ ...v, will: { topic: at + "will", payload: "gone" } })
  await sub.subscribeAsync(at + "will")
  const will = next(sub, at + "will")
  doomed.stream.destroy()
  want(at + " a will", (await will).text, "gone")

  const kept = { ...v, clientId: at + "kept", clean: false, properties: v.protocolVersion === 5 ? { sessionExpiryInterval: 60 } : undefined }
  const first = await connect(kept)
  await first.subscribeAsync(at + "queued", { qos: 1 })
  await first.endAsync()
  await pub.publishAsync(at + "queued", "waited", { qos: 1 })
  const again = mqtt.connect(url, { ...base, ...kept })
  want(at + " a persistent session", (await next(again, at + "queued")).text, "waited")
  await again.endAsync()
  if (v.protocolVersion !== 5) return [sub, pub]

  const members = [await connect(v), await connect(v)]
  let got = 0
  const all = new Promise(done => members.forEach(m => m.on("message", () => { if (++got === 20) done() })))
  for (const m of members) await m.subscribeAsync("$share/group/" + at + "shared", { qos: 1 })
  for (let i = 0; i < 20; i++) await pub.publishAsync(at + "shared", "" + i, { qos: 1 })
  await all
  want(at + " a shared subscription", got, 20)

  await sub.subscribeAsync(at + "request")
  sub.on("message", (name, payload, packet) => {
    if (name === at + "request") sub.publish(packet.properties.responseTopic, "answer", { properties: { correlationData: packet.properties.correlationData } })
  })
  await pub.subscribeAsync(at + "response")
  const response = next(pub, at + "response")
  await pub.publishAsync(at + "request", "?", { properties: { responseTopic: at + "response", correlationData: Buffer.from("7") } })
  want(at + " request and response", (await response).packet.properties.correlationData.toString(), "7")

  await pub.publishAsync(at + "expiring", "x", { retain: true, qos: 1, properties: { messageExpiryInterval: 100 } })
  const expiring = next(sub, at + "expiring")
  await sub.subscribeAsync(at + "expiring")
  want(at + " message expiry", (await expiring).packet.properties.messageExpiryInterval <= 100, true)
  return [sub, pub, ...members]
}

(async () => {
  for (const v of [{ protocolVersion: 3, protocolId: "MQIsdp" }, { protocolVersion: 4 }, { protocolVersion: 5 }])
    for (const client of await features(v)) await client.endAsync()
  console.log("all ok")
})().catch(err => { console.log("failed: " + err.message); process.exit(1) })
`

const wsListener = "[[listener]]\ntype = \"ws\"\naddress = \"127.0.0.1:%d\"\n"

// TestMQTTJSInNode has MQTT.js use every feature over ws and over wss.
func TestMQTTJSInNode(t *testing.T) {
	dir := mqttJSDir(t)
	ca := certtest.New(t)
	server := ca.Issue("server")
	plain, secure := peertest.FreePort(t), peertest.FreePort(t)
	startMidge(t, only(fmt.Sprintf(wsListener, plain)+
		strings.Replace(fmt.Sprintf(tlsListener, secure, server.CertFile, server.KeyFile), `"tls"`, `"wss"`, 1)))
	script := writeFile(t, "features.js", nodeScript)
	for _, args := range [][]string{{fmt.Sprintf("ws://127.0.0.1:%d/mqtt", plain)}, {fmt.Sprintf("wss://localhost:%d", secure), ca.File}} {
		start(t, "node", append([]string{script, dir}, args...)...).waitFor("MQTT.js does all at "+args[0], "all ok")
	}
}

// browserPage connects to two listeners and tells the test how that went.
const browserPage = `<!doctype html><title>midge</title><script src="/mqtt.min.js"></script><script>
const report = text => fetch("/report", { method: "POST", body: text })
const client = mqtt.connect("ws://127.0.0.1:%d/", { protocolVersion: 5, reconnectPeriod: 0 })
client.on("connect", () => client.subscribe("from/#", { qos: 2 }, () => client.publish("from/page", "hello", { qos: 2 })))
client.on("message", (topic, payload) => report(topic + " " + payload))
client.on("error", err => report("error " + err.message))
const other = new WebSocket("ws://127.0.0.1:%d/", "mqtt")
other.onopen = () => report("other open")
other.onclose = () => report("other closed")
</script>`

// TestMQTTJSInABrowser has a page in Chromium publish and receive, and shows that a listener for another site's pages refuses it.
func TestMQTTJSInABrowser(t *testing.T) {
	peertest.Need(t, "chromium")
	dir := mqttJSDir(t)
	own, others := peertest.FreePort(t), peertest.FreePort(t)
	midge := startMidge(t, only(fmt.Sprintf(wsListener, own)+fmt.Sprintf(wsListener+"origins = [\"https://example.com\"]\n", others)))
	reports := make(chan string, 100)
	site := http.NewServeMux()
	site.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, browserPage, own, others) })
	site.HandleFunc("/mqtt.min.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, "dist", "mqtt.min.js"))
	})
	site.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		text := make([]byte, 1000)
		n, _ := r.Body.Read(text)
		reports <- string(text[:n])
	})
	pages := httptest.NewServer(site)
	defer pages.Close()
	browser := start(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
		"--no-first-run", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", pages.URL)
	missing := map[string]bool{"from/page hello": true, "other closed": true}
	for deadline := time.After(2 * patience); len(missing) > 0; {
		select {
		case got := <-reports:
			if strings.HasPrefix(got, "error ") || got == "other open" {
				t.Fatalf("the page connects where it may, and only there: it says %q", got)
			}
			delete(missing, got)
		case <-deadline:
			t.Fatalf("the page did not report %v", missing)
		}
	}
	midge.waitFor("the refused page is logged with what to do", "add it to origins")
	browser.stop()
}
