package config

import (
	"reflect"
	"slices"
)

// AfterRestart names what next says differently and a running Midge cannot take over, as a user writes it: "[node] data_dir", "[[link]]",
// "[[listener]] :8883". What it can are [auth], the log level, predefined topics, of each listener that stays at its address all that stands beside
// it, and of each link what concerns its devices.
func (c *Config) AfterRestart(next *Config) (names []string) {
	now, then := reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem()
	for i := range now.NumField() {
		name := now.Type().Field(i).Tag.Get("toml")
		a, b := now.Field(i), then.Field(i)
		switch {
		case name == "" || name == "auth":
		case name == "listener":
			names = append(names, changed(c.Listeners, next.Listeners, Listener.SameDoor, func(l Listener) string { return "[[listener]] " + l.Address })...)
		case name == "link":
			names = append(names, changed(c.Links, next.Links, Link.SameWay, func(l Link) string { return "[[link]] " + l.Name })...)
		case a.Kind() == reflect.Slice:
			if !sameList(a, b) {
				names = append(names, "[["+name+"]]")
			}
		default:
			names = append(names, keysAfterRestart(name, a, b)...)
		}
	}
	return names
}

func keysAfterRestart(table string, a, b reflect.Value) (names []string) {
	for i := range a.NumField() {
		key := a.Type().Field(i).Tag.Get("toml")
		same := reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface())
		if a.Field(i).Kind() == reflect.Slice {
			same = sameList(a.Field(i), b.Field(i))
		}
		if !same && table+"."+key != "log.level" && table+"."+key != "gateway.predefined" {
			names = append(names, shown(table+"."+key))
		}
	}
	return names
}

// sameList takes a list that is left out for an empty one.
func sameList(a, b reflect.Value) bool {
	return a.Len() == 0 && b.Len() == 0 || reflect.DeepEqual(a.Interface(), b.Interface())
}

// changed names the entries of two lists that have no like in the other: those that are new, gone or set up in another way.
func changed[T any](now, then []T, like func(T, T) bool, name func(T) string) (names []string) {
	add := func(from, other []T) {
		for _, e := range from {
			if !slices.ContainsFunc(other, func(o T) bool { return like(e, o) }) {
				names = append(names, name(e))
			}
		}
	}
	add(then, now)
	add(now, then)
	slices.Sort(names)
	return slices.Compact(names)
}

// SameDoor reports whether both are the same listener, whatever stands beside their addresses.
func (l Listener) SameDoor(other Listener) bool {
	return l.Type == other.Type && l.Address == other.Address && l.Mode == other.Mode
}

// SameWay reports whether both are the same link, whatever they say of its devices.
func (l Link) SameWay(other Link) bool {
	other.RetryInterval, other.RetryCount, other.IdleLimit, other.Probe = l.RetryInterval, l.RetryCount, l.IdleLimit, l.Probe
	other.Rebind, other.GwInfo, other.StrictFlags, other.EmptyClientID = l.Rebind, l.GwInfo, l.StrictFlags, l.EmptyClientID
	other.SleepForgets = l.SleepForgets
	other.DenyClients, other.DenyAddresses, other.ClientAddrs = l.DenyClients, l.DenyAddresses, l.ClientAddrs
	other.AllowClients, other.AllowAddresses, other.Auth, other.Public = l.AllowClients, l.AllowAddresses, l.Auth, l.Public
	other.BitRate, other.DutyCycle, other.FrameOverhead = l.BitRate, l.DutyCycle, l.FrameOverhead
	other.MaxQoS, other.MaxConnections = l.MaxQoS, l.MaxConnections
	return reflect.DeepEqual(l, other)
}
