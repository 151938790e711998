//go:build race

package gateway

// raceDetector: everything takes ten times as long.
const raceDetector = true
