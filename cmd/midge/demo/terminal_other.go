//go:build !unix && !windows

package demo

import "os"

func terminalSize(*os.File) (cols, rows int, ok bool) { return 0, 0, false }

func understandsEscapes(*os.File) bool { return false }
