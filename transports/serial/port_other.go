//go:build !unix

package serial

import "go.bug.st/serial"

func setNonblock(serial.Port) bool { return false }

func usable(serial.Port) error { return nil }

func claim(string) (release func(), err error) { return func() {}, nil }

// parking is for systems where low descriptors are scarce.
type parking struct{}

func (*parking) occupy() {}

func (*parking) leave() {}
