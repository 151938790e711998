package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// smallKinds are the file systems that mountSmall makes.
var smallKinds = []string{"tmpfs", "ext4"}

// mountSmall mounts an empty file system of 96 MB on dir.
func mountSmall(t *testing.T, kind, dir string) error {
	if kind == "tmpfs" {
		return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m")
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(image, 96<<20); err != nil {
		return err
	}
	for _, args := range [][]string{{"mkfs." + kind, "-q", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	return nil
}

func unmountSmall(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
