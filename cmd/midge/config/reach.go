package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// address wants host:port with a port number.
func (v checker) address(path, address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		err = checkPort(port)
	} else {
		err = errors.New(`is not host:port; write for example "127.0.0.1:1883"`)
	}
	if err != nil {
		v.addf(path, "%s = %q %v", v.key(path), address, err)
	}
	return err == nil
}

// checkPort wants a decimal port number. The error is what follows "address = … ".
func checkPort(port string) error {
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("has no port number from 0 to 65535, but %q", port)
	}
	return nil
}

// reach wants public = true beside an address that is not this machine's alone, where nobody has to give a password. Why says what is at stake.
func (v checker) reach(path, address string, public bool, why string) {
	if public || loopback(address) {
		return
	}
	v.addf(path, "%s = %q %s; write public = true beside it if that is meant, or %q",
		v.key(path), address, why, onLoopback(address))
}

// loopback reports whether only this machine reaches the address. A host name is not looked up: it may change.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// onLoopback is the address with the same port that only this machine reaches.
func onLoopback(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort("127.0.0.1", port)
}

// ports refuses two servers on one address, which would otherwise be "address in use" at the start, and two links on one port.
func (v checker) ports() {
	taken := map[string]string{}
	claim := func(network, path, address string) {
		_, port, err := net.SplitHostPort(address)
		if file := network == "unix" || network == "serial"; address == "" || !file && err != nil || port == "0" {
			return
		}
		key := network + " " + address
		if first, twice := taken[key]; twice {
			v.addf(path, "%s = %q is already the %s%s", v.key(path), address, v.key(first), v.onLine(first))
			return
		}
		taken[key] = path
	}
	for i, l := range v.c.Listeners {
		network := "tcp"
		if l.Type == "unix" {
			network = "unix"
		}
		claim(network, element("listener", i)+".address", l.Address)
	}
	for i, l := range v.c.Links {
		claim("udp", element("link", i)+".address", l.Address)
		claim("serial", element("link", i)+".device", l.Device)
		claim("serial", element("link", i)+".device_tx", l.DeviceTx)
	}
	claim("tcp", "http.address", v.c.HTTP.Address)
}
