package midge_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lattice says which packages of ours a package may import, in its non-test files. Everything that is not said is forbidden.
const lattice = `
	broker/mqtt            <
	broker/topic           <
	mqttsn                 <
	transports             <
	internal/quiet         <
	internal/certtest      <
	internal/peertest      <
	internal/ration        <

	mqttsn/client          < mqttsn

	transports/udp         < transports, internal/quiet
	transports/dtls        < transports
	transports/serial      < transports
	transports/xbee        < transports, transports/serial
	transports/xbee/modem  < transports, transports/serial, transports/xbee
	transports/faults      < transports
	transports/trace       < transports
	transports/linktest    < transports, transports/faults, transports/trace

	broker                 < broker/mqtt, broker/topic, broker/store
	broker/store           < broker/mqtt
	broker/auth            < broker/topic
	broker/listener        < broker, broker/mqtt, broker/topic, internal/quiet
	broker/bridge          < broker, broker/mqtt, broker/topic

	gateway                < broker, broker/mqtt, broker/topic, mqttsn, transports, internal/quiet, internal/ration

	firmware-sim/fleet     < mqttsn, mqttsn/client, transports, transports/udp, transports/serial, transports/xbee, transports/xbee/modem, transports/faults
	firmware-sim           < firmware-sim/fleet

	cmd/midge/config       < broker/mqtt, broker/topic
	cmd/midge/importer     < broker/topic, cmd/midge/config
	cmd/midge/client       < broker/mqtt, broker/topic
	cmd/midge/passwd       < broker/auth
	cmd/midge/status       <
	cmd/midge/systemd      <
	cmd/midge/control      <
	cmd/midge/sys          <
	cmd/midge/guard        < broker, broker/auth, broker/listener, broker/mqtt, internal/ration
	cmd/midge/node         < *
	cmd/midge/demo         < *
	cmd/midge              < *
`

// drivers are third-party modules that stand in one package each.
var drivers = map[string]string{
	"go.bug.st/serial":                    "transports/serial",
	"github.com/pion":                     "transports/dtls",
	"github.com/cockroachdb/pebble":       "broker/store",
	"github.com/eclipse/paho.mqtt.golang": "broker/bridge",
	"github.com/BurntSushi/toml":          "cmd/midge/config",
	"github.com/prometheus/client_golang": "cmd/midge/status",
	"go.yaml.in/yaml":                     "cmd/midge/importer",
	"github.com/alecthomas/kong":          "cmd/midge",
	"github.com/xdg-go/scram":             "broker/auth",
	"github.com/coder/websocket":          "broker/listener",
	"github.com/coreos/go-systemd":        "cmd/midge/systemd",
}

func TestImportsFollowTheLattice(t *testing.T) {
	allowed := parseLattice(t)
	for pkg, imports := range importsByPackage(t) {
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s is not in the lattice: say what it may import", pkg)
			continue
		}
		for _, imp := range imports {
			if ours, ok := strings.CutPrefix(imp, "midge/"); ok {
				if !slices.Contains(may, ours) && !slices.Contains(may, "*") {
					t.Errorf("package %s must not import %s", pkg, ours)
				}
				continue
			}
			for module, home := range drivers {
				if (imp == module || strings.HasPrefix(imp, module+"/")) && pkg != home {
					t.Errorf("package %s must not import %s, which stands in %s alone", pkg, imp, home)
				}
			}
		}
	}
}

func parseLattice(t *testing.T) map[string][]string {
	allowed := map[string][]string{}
	for line := range strings.Lines(lattice) {
		pkg, imports, ok := strings.Cut(strings.TrimSpace(line), "<")
		if !ok {
			continue
		}
		pkg = strings.TrimSpace(pkg)
		allowed[pkg] = nil
		for imp := range strings.SplitSeq(imports, ",") {
			if imp = strings.TrimSpace(imp); imp != "" {
				allowed[pkg] = append(allowed[pkg], imp)
			}
		}
	}
	return allowed
}

// importsByPackage reads the import clauses of all non-test files of this module.
func importsByPackage(t *testing.T) map[string][]string {
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" || name == "bench"):
			return filepath.SkipDir // bench is a module of its own
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(name))
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			found[pkg] = append(found[pkg], imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
