//go:build !unix

package main

func keepPrivate() {} // files have the access rules of their directory
