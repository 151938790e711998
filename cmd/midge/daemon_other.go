//go:build !unix

package main

import "errors"

func daemonize() error {
	return errors.New("-d is not possible on this system: run midge as a service")
}

func tellStarter() {}
