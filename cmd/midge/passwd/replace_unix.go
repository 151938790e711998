//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package passwd

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock waits for other commands that edit a file of the directory. The directory and not the file is locked, as the file is replaced.
// Where the file system knows no locks, two commands at once may lose one's work, and nothing else.
func lock(dir *os.File) {
	for unix.Flock(int(dir.Fd()), unix.LOCK_EX) == unix.EINTR {
	}
}

// likeBefore gives f the owner and the mode of the file that it replaces. The owner goes first: to change it takes some mode bits away.
func likeBefore(f *os.File, info fs.FileInfo) error {
	if before, ok := info.Sys().(*syscall.Stat_t); ok {
		now, err := f.Stat()
		if err != nil {
			return err
		}
		if is := now.Sys().(*syscall.Stat_t); is.Uid != before.Uid || is.Gid != before.Gid {
			if err := f.Chown(int(before.Uid), int(before.Gid)); err != nil {
				return fmt.Errorf("its owner and group cannot be kept: %w", err)
			}
		}
	}
	return f.Chmod(info.Mode())
}

// syncDirectory makes the renaming survive a power cut.
func syncDirectory(dir *os.File) error {
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("the file is replaced, but a power cut may still undo it: %w", err)
	}
	return nil
}
