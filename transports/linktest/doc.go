// Package linktest is for tests of links and of what stands on them.
//
// [Net] is an in-memory radio: one gateway, any number of devices, every frame whole, in order and at once. Its ends
// block on nothing but a sync.Cond, so that they run in a testing/synctest bubble. Faults are added around it by
// midge/transports/faults.
//
// [Conformance] is the one test that every link passes. It knows MQTT-SN only as far as that what it sends are
// well-formed messages, because a stream link finds the borders of frames by them.
//
// [Main] makes a package's tests fail when they leave a goroutine behind.
package linktest
