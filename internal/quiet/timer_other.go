//go:build !linux

package quiet

import "time"

// Timer sleeps for one goroutine. The zero Timer is ready. Close frees it.
type Timer struct{}

// Sleep sleeps for d.
func (*Timer) Sleep(d time.Duration) { time.Sleep(d) }

// Close frees the timer.
func (*Timer) Close() {}
