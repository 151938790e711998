package systemd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
)

// files are the sockets that systemd has passed, found once: the environment that tells of them is not for child processes.
var files = sync.OnceValue(func() []*os.File { return activation.Files(true) })

// Listen returns the socket that systemd has passed under this name (FileDescriptorName= in its .socket unit). It may be asked for once.
func Listen(name string) (net.Listener, error) {
	var found []*os.File
	for _, f := range files() {
		if f.Name() == name {
			found = append(found, f)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("systemd has passed no socket named %q; it has passed %s", name, names())
	case len(found) > 1:
		return nil, fmt.Errorf("systemd has passed %d sockets named %q; give each a unit of its own with its own FileDescriptorName=", len(found), name)
	}
	nl, err := net.FileListener(found[0])
	if err != nil {
		return nil, fmt.Errorf("the socket %q of systemd: %w", name, err)
	}
	return nl, found[0].Close() // nl has its own descriptor
}

func names() string {
	var all []string
	for _, f := range files() {
		all = append(all, fmt.Sprintf("%q", f.Name()))
	}
	if slices.Sort(all); len(all) > 0 {
		return strings.Join(all, ", ")
	}
	return "none"
}
