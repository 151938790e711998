package listener

import (
	"strings"
	"sync/atomic"

	"midge/broker/mqtt"
)

// faultReasons are why a connection is refused or closed as its client's fault. What is not among them counts as the first.
var faultReasons = [...]mqtt.ReasonCode{
	mqtt.UnspecifiedError, mqtt.MalformedPacket, mqtt.ProtocolError, mqtt.UnsupportedProtocolVersion, mqtt.ClientIdentifierNotValid,
	mqtt.BadAuthenticationMethod, mqtt.TopicNameInvalid, mqtt.TopicAliasInvalid, mqtt.KeepAliveTimeout, mqtt.PacketTooLarge,
	mqtt.ReceiveMaximumExceeded, mqtt.QuotaExceeded, mqtt.BadUserNameOrPassword, mqtt.NotAuthorized, mqtt.ServerBusy, mqtt.PayloadFormatInvalid,
	mqtt.QoSNotSupported, mqtt.RetainNotSupported,
}

// faults counts connections that ended by a fault, by reason.
type faults [len(faultReasons)]atomic.Uint64

func (f *faults) count(r mqtt.ReasonCode) {
	for i, known := range faultReasons {
		if r == known {
			f[i].Add(1)
			return
		}
	}
	f[0].Add(1)
}

// Faults tells how many connections were refused or closed as their clients' fault, by reason in lower case with underscores. Every reason
// is there from the start.
func (s *Server) Faults() map[string]uint64 {
	counts := make(map[string]uint64, len(faultReasons))
	for i, r := range faultReasons {
		counts[strings.ReplaceAll(strings.ToLower(r.String()), " ", "_")] = s.faults[i].Load()
	}
	return counts
}
