package client

// State is where the client stands towards its gateway (§6.14).
type State uint8

// The states.
const (
	// Disconnected: no session is open, or the gateway is taken for lost. Requests wait.
	Disconnected State = iota
	// Connecting: CONNECT is on the air; the will handshake is a part of it (§6.2, §6.3).
	Connecting
	// Active: requests go out; the keep-alive timer runs.
	Active
	// FallingAsleep: DISCONNECT with a duration waits for its answer.
	FallingAsleep
	// Asleep: the gateway buffers. The radio is off, so nothing should arrive.
	Asleep
	// Awake: PINGREQ with the client id is on the air; buffered messages arrive until PINGRESP.
	Awake
	// Leaving: DISCONNECT waits for its answer.
	Leaving
)

var stateNames = [...]string{"disconnected", "connecting", "active", "falling asleep", "asleep", "awake", "leaving"}

// String gives for example "falling asleep".
func (s State) String() string { return stateNames[s] }
