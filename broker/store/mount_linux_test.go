package store

import "syscall"

func mountTmpfs(dir, size string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
}

// unmount succeeds even if a test that failed has left files open.
func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
