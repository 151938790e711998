package bridge

import (
	"errors"
	"time"
)

// trial finds out whether a message ends the connections that it is sent on.
//
// MQTT 3.1.1 has no way to refuse a message: an upstream that does not want one (too large, a topic that is not permitted,
// QoS 2) closes the connection, and the message is sent again on the next, for ever. But a message must not be
// thrown away because a link is bad or an upstream restarts. So the evidence is:
//
//  1. trialSuspect connections in a row were closed by the upstream, soon, without one
//     acknowledgement, with the same message at the head;
//  2. then a connection on which nothing is sent stays open for trialQuiet: the upstream is well;
//  3. then trialAlone connections in a row, on which this message alone was sent, were closed by the upstream at once.
//
// Any acknowledgement, any other end and a control connection that does not last start from the beginning.
type trial struct {
	head    *delivery
	strikes int
	plan    plan
}

type plan uint8

const (
	planOpen    plan = iota // all is sent
	planControl             // nothing is sent
	planAlone               // the head alone is sent
)

const (
	trialSuspect = 3
	trialAlone   = 2
	trialQuiet   = 5 * time.Second
	trialSoon    = 10 * time.Second // the end counts only if it comes so soon after the connection
)

var errTrial = errors.New("the bridge tries whether one message ends its connections")

// ending is how a connection ended.
type ending struct {
	head  *delivery // the oldest message that upstream has not taken
	acked bool      // something was acknowledged on it
	peer  bool      // upstream closed it
	lived time.Duration
}

// ended takes the end of a connection and reports whether the head is to be given up.
func (t *trial) ended(e ending) (convicted bool) {
	guilty := e.peer && !e.acked && e.head != nil && e.lived < trialSoon
	switch {
	case t.plan == planControl && e.head == t.head && !e.peer && e.lived >= trialQuiet:
		t.plan = planAlone
		return false
	case !guilty || t.plan == planControl:
		*t = trial{}
		return false
	case e.head != t.head:
		*t = trial{head: e.head}
	}
	t.strikes++
	switch {
	case t.strikes == trialSuspect:
		t.plan = planControl
	case t.strikes == trialSuspect+trialAlone:
		*t = trial{}
		return true
	}
	return false
}
