package guard

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"midge/broker/auth"
	"midge/internal/ration"
)

// A Guard is what the doors of one process share. All its methods may be called from any goroutine.
type Guard struct {
	log    *slog.Logger
	denied chan denial // publishes that were refused, to be logged by Run

	mu       sync.Mutex
	throttle auth.Throttle
	lines    map[string]*line // by address
	waiting  int              // log-ins in all lines
	refusals ration.Ration
}

// New returns a Guard that logs to log.
func New(log *slog.Logger) *Guard {
	return &Guard{log: log, denied: make(chan denial, 64), lines: map[string]*line{}}
}

// Rules are what holds at a door.
type Rules struct {
	Anonymous bool            // clients may come in without a user name
	Passwords *auth.Passwords // nil = none: a user name is then not looked at
	ACL       *auth.ACL       // nil = everything is allowed
	// CheckSubscribe refuses subscriptions to filters that match no topic which the client may read. Without it they are taken and bring nothing, as in Mosquitto.
	CheckSubscribe bool
}

// A Door is where clients come in under the same rules.
type Door struct {
	guard *Guard
	name  string // for the log
	rules atomic.Pointer[Rules]
}

// Door returns a new door. name is what the log calls it.
func (g *Guard) Door(name string, r Rules) *Door {
	d := &Door{guard: g, name: name}
	d.rules.Store(&r)
	return d
}

// SetRules replaces the rules. New log-ins and every access from this door go by them at once; who may stay is for listener.Server.Review to ask.
func (d *Door) SetRules(r Rules) { d.rules.Store(&r) }

// Run logs what was refused under the core's lock, where nobody may log, until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	var said ration.Ration
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-g.denied:
			if ok, unsaid := said.Take(time.Now(), d.client); ok {
				g.log.Warn("publish refused: the ACL does not allow it", "client", d.client, "user", d.user, "topic", d.topic, "not_logged", unsaid)
			}
		}
	}
}
