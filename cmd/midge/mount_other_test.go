//go:build !linux

package main

import (
	"errors"
	"testing"
)

var smallKinds = []string{"none"}

func mountSmall(t *testing.T, kind, dir string) error { return errors.ErrUnsupported }

func unmountSmall(dir string) error { return nil }
