package linktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main is the body of a TestMain: it runs the tests and fails the package when one of our goroutines outlives them.
func Main(m *testing.M) {
	code := m.Run()
	if left := Goroutines(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines are left after the tests:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// Goroutines returns the stacks of our goroutines other than the caller's and those of the test runner; "" when there
// are none. A goroutine that has told its owner that it is done may need a moment to be gone, so up to a
// second is granted.
func Goroutines() string {
	for deadline := time.Now().Add(time.Second); ; runtime.Gosched() {
		left := ours()
		if left == "" || time.Now().After(deadline) {
			return left
		}
	}
}

func ours() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for i, g := range strings.Split(string(buf), "\n\n") {
		// The first is the caller; a goroutine of the test runner waits for one of its tests.
		if i > 0 && strings.Contains(g, "midge/") && !strings.Contains(g, "testing.(*T).Run(") && !strings.Contains(g, "testing.tRunner(") && !strings.Contains(g, "testing.(*F)") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}
