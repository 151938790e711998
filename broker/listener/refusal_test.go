package listener

import (
	"testing"
	"time"
)

func TestRefusalsAreCountedAndNotAllLogged(t *testing.T) {
	var r refusals
	now := time.Now()
	said := 0
	for range 100 {
		if _, say := r.count(now, refusedHandshake); say {
			said++
		}
	}
	if said != linesMax {
		t.Errorf("of a hundred refusals in a moment %d are logged: got %d", linesMax, said)
	}
	if _, say := r.count(now, refusedServerFull); !say {
		t.Error("another reason is logged")
	}
	if total, say := r.count(now.Add(time.Second), refusedHandshake); !say || total != 101 {
		t.Errorf("a second later one is logged again, and how many there were: got %v, %d", say, total)
	}
}
