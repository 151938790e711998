package node

import (
	"testing"

	"midge/broker"
	"midge/cmd/midge/config"
)

// TestLimits holds the two lists of defaults together, and the names of policies.
func TestLimits(t *testing.T) {
	cfg := config.Default()
	if got, want := limits(cfg), broker.DefaultLimits(); got != want {
		t.Errorf("the defaults of the configuration are those of the core:\n%+v\nwant\n%+v", got, want)
	}
	cfg.Node.DataDir = ""
	if got := limits(cfg); got.StoredMessages != got.QueueMessages || got.StoredBytes != got.QueueBytes {
		t.Errorf("without a disk what waits is bounded as what waits in memory: %+v", got)
	}
	for _, name := range config.QueuePolicies {
		if _, ok := policies[name]; !ok {
			t.Errorf("policy %q is known to the core", name)
		}
	}
}
