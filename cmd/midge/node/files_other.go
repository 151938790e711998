//go:build !unix

package node

func filesMax() int { return 0 }
