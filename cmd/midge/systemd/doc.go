// Package systemd is what Midge says to systemd, and takes from it, when it runs as a service of type notify: that it is ready, reloads, ends and
// still works, and sockets that systemd has opened for it (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)). Where there is no systemd nothing happens.
package systemd
