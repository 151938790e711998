//go:build unix

package main

import "syscall"

// keepPrivate makes files that this process creates readable by its own user alone: messages lie in data_dir, whoever may not read them over MQTT.
func keepPrivate() { syscall.Umask(0o077) }
