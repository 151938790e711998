package node

import (
	"runtime"
	"runtime/debug"
)

// release is the version of this source.
const release = "0.1.0"

// Version says which midge this is: release, commit, Go and system.
var Version = version()

func version() string {
	v := "midge version " + release
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += " (" + s.Value[:12] + ")"
			}
		}
	}
	return v + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}
