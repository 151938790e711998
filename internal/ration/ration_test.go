package ration

import (
	"fmt"
	"testing"
	"time"
)

func TestRation(t *testing.T) {
	var r Ration
	now := time.Now()
	said := 0
	for i := range 1000 {
		if ok, _ := r.Take(now, fmt.Sprint(i)); ok {
			said++
		}
	}
	if said != Keys {
		t.Errorf("a minute has room for %d keys, not %d", Keys, said)
	}
	if ok, unsaid := r.Take(now.Add(time.Minute), "0"); !ok || unsaid != 1000-Keys {
		t.Errorf("the next one tells what was not said: %v, %d", ok, unsaid)
	}
}
