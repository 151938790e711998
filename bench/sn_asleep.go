package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	asleepDevices = 8      // that are put to sleep at a time
	asleepPorts   = 25_000 // devices on one source address
	asleepPort    = 20_000 // the first source port
)

// snAsleep puts devices to sleep that keep their session, have one subscription each and a topic that they publish to, and compares the server's anonymous memory
// before and after, as idleMemory does.
func snAsleep(ctx context.Context, tgt target, sc scale) (figures, error) {
	to, err := netip.ParseAddrPort(tgt.sn)
	if err != nil {
		return figures{}, fmt.Errorf("address of the MQTT-SN gateway: %w", err)
	}
	if err := putToSleep(to, 0); err != nil { // as idleMemory's first
		return figures{}, err
	}
	before, err := anonMemory(tgt.pid)
	if err != nil {
		return figures{}, err
	}
	var wg sync.WaitGroup
	var errs [asleepDevices]error
	for d := range asleepDevices {
		wg.Go(func() {
			for i := 1 + d; i < sc.asleep && errs[d] == nil && ctx.Err() == nil; i += asleepDevices {
				errs[d] = putToSleep(to, i)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return figures{}, err
	}
	select {
	case <-time.After(sc.lull):
	case <-ctx.Done():
		return figures{}, ctx.Err()
	}
	after, err := anonMemory(tgt.pid)
	return figures{perConn: float64(after-before) / float64(sc.asleep)}, err
}

// asleepAddress is an address for a device and no other. There is one for each try.
func asleepAddress(i, try int) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Port: asleepPort + (i+7919*try)%asleepPorts, Addr: [4]byte{127, byte(try), byte(1 + i/asleepPorts), 1}}
}

// putToSleep plays one device, from an address that is nobody else's, until it sleeps.
func putToSleep(to netip.AddrPort, i int) error {
	fd, err := dialUDPFrom(asleepAddress(i, 0), to)
	for try := 1; errors.Is(err, unix.EADDRINUSE) && try < 5; try++ {
		fd, err = dialUDPFrom(asleepAddress(i, try), to) // somebody has that port on all addresses
	}
	if err != nil {
		return fmt.Errorf("sleeping device %d: %w", i, err)
	}
	defer unix.Close(fd)
	id := fmt.Sprintf("sensor-%06d", i)
	c := &snClient{fd: fd}
	for _, step := range []struct {
		message []byte
		answer  byte
	}{
		{appendSNConnect(nil, 0, id), snConnack},
		{appendSNSubscribe(nil, 1, "sensors/"+id+"/set"), snSuback},
		{appendSNRegister(nil, 2, "sensors/"+id+"/state"), snRegack},
		{appendSNSleep(nil, snKeepAlive), snDisconnect},
	} {
		if _, err := c.request(step.message, step.answer); err != nil {
			return fmt.Errorf("sleeping device %d: %w", i, err)
		}
	}
	return nil
}
