package udp

import (
	"bytes"
	"net"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// onLAN runs f in a network namespace of its own that has a loopback and two ends of a cable, v0 (198.51.100.1, fd01::1) and v1
// (203.0.113.1). IPv6 multicast does not work on a Linux loopback, and the test is to send nothing to a real network.
func onLAN(t *testing.T, f func()) {
	t.Helper()
	ended := make(chan struct{})
	skip := ""
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and the namespace with the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			skip = "no network namespace for us: " + err.Error()
			return
		}
		events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			skip = "no events of the network: " + err.Error()
			return
		}
		defer unix.Close(events)
		unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV6_ROUTE | unix.RTMGRP_IPV6_IFADDR})
		for _, args := range [][]string{
			{"link", "set", "lo", "up"},
			{"link", "add", "v0", "type", "veth", "peer", "name", "v1"},
			{"addr", "add", "198.51.100.1/24", "dev", "v0"},
			{"addr", "add", "fd01::1/64", "dev", "v0", "nodad"},
			{"addr", "add", "203.0.113.1/24", "dev", "v1"},
			{"addr", "add", "fe80::1/64", "dev", "v0", "nodad"},
			{"link", "set", "v0", "up", "addrgenmode", "none"},
			{"link", "set", "v1", "up", "addrgenmode", "none"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				skip = "no network can be made: ip " + args[0] + ": " + err.Error() + ": " + string(out)
				return
			}
		}
		// The kernel notices that the cable is plugged in at both ends a moment later, and only then routes multicast over it.
		unix.SetsockoptTimeval(events, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
		for event := make([]byte, 8192); !routed("v0") || !routed("v1"); {
			if _, err := unix.Read(events, event); err != nil && err != unix.EINTR {
				skip = "no multicast route over the cable: " + err.Error()
				return
			}
		}
		f()
	}()
	<-ended
	if skip != "" {
		t.Skip(skip)
	}
}

// routed reports whether IPv6 multicast goes out of an interface.
func routed(name string) bool {
	out, _ := exec.Command("ip", "-6", "route", "show", "table", "local", "type", "multicast", "dev", name).Output()
	link, _ := exec.Command("ip", "link", "show", "dev", name, "up").Output()
	return bytes.Contains(out, []byte("ff00::/8")) && bytes.Contains(link, []byte("LOWER_UP"))
}

func TestDiscoveryOnLAN(t *testing.T) {
	p, q := freePort(t), freePort(t)
	onLAN(t, func() {
		for _, row := range []discoveryRow{
			{"IPv6, same port, dual stack", ":" + p, "[ff02::75]:" + p, "[fd01::1]:0"},
			{"IPv6, own port, dual stack", ":" + p, "[ff02::75]:" + q, "[fd01::1]:0"},
			{"IPv6, own port, one address", "[fd01::1]:" + p, "[ff02::75]:" + q, "[fd01::1]:0"},
			{"IPv6, same port, one address", "[fd01::1]:" + p, "[ff02::75]:" + p, "[fd01::1]:0"},
			{"IPv6, wider scope", "[fd01::1]:" + p, "[ff05::75]:" + q, "[fd01::1]:0"},
			{"IPv6, link-local address", "[fe80::1%v0]:" + p, "[ff02::75]:" + q, "[fe80::1%v0]:0"},
			{"IPv4, one address", "198.51.100.1:" + p, "225.1.2.3:" + q, "198.51.100.1:0"},
		} {
			discover(t, row)
		}
	})
}

func TestOneAddressHearsOneInterface(t *testing.T) {
	q := freePort(t)
	onLAN(t, func() {
		for address, want := range map[string]string{"127.0.0.1:0": "lo", "198.51.100.1:0": "v0", "203.0.113.1:0": "v1"} {
			gw := listenOn(t, Config{Address: address, Groups: []string{"225.1.2.3:" + q}})
			var got []string
			for m := range gw.groups.joined {
				ifi, err := net.InterfaceByIndex(m.ifindex)
				if err != nil {
					t.Error(err)
					continue
				}
				got = append(got, ifi.Name)
			}
			if len(got) != 1 || got[0] != want {
				t.Errorf("a link on %s hears its group on %s only, not on %v", address, want, got)
			}
			gw.Close()
		}
	})
}

func TestInterfaceThatComesLaterIsJoined(t *testing.T) {
	q := freePort(t)
	onLAN(t, func() {
		gw := listenOn(t, Config{Address: "0.0.0.0:0", Groups: []string{"225.1.2.3:" + q}})
		defer gw.Close()
		before := len(gw.groups.joined)
		if out, err := exec.Command("ip", "link", "add", "w0", "type", "veth", "peer", "name", "w1").CombinedOutput(); err != nil {
			t.Errorf("ip link add: %v: %s", err, out)
		}
		gw.groups.send(gw.groups.scanned.Add(rescanEvery-1), []byte{3, 2, 1})
		if got := len(gw.groups.joined); got != before {
			t.Errorf("a broadcast soon after the last scan looks for no interface: %d groups joined, %d before", got, before)
		}
		gw.groups.send(gw.groups.scanned.Add(rescanEvery), []byte{3, 2, 1})
		if got := len(gw.groups.joined); got != before+2 {
			t.Errorf("a later one joins on both new interfaces: %d groups joined, %d before", got, before)
		}
		if out, err := exec.Command("ip", "link", "del", "w0").CombinedOutput(); err != nil {
			t.Errorf("ip link del: %v: %s", err, out)
		}
		gw.groups.send(gw.groups.scanned.Add(rescanEvery), []byte{3, 2, 1})
		if got := len(gw.groups.joined); got != before {
			t.Errorf("interfaces that have gone are forgotten: %d groups joined, %d before", got, before)
		}
	})
}
