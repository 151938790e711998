package xbee

import "midge/transports"

// reasonOf is the counter of a delivery status that is not success.
func reasonOf(status byte) string {
	switch status {
	case StatusMACAck, StatusNetworkAck:
		return transports.ReasonNoAck
	case StatusCCA:
		return transports.ReasonChannelBusy
	case StatusNotJoined:
		return transports.ReasonNotJoined
	case StatusNoAddress, StatusNoRoute:
		return transports.ReasonNoRoute
	case StatusNotRelayed:
		return transports.ReasonNotRelayed
	case StatusNoBuffer, StatusNoResources:
		return transports.ReasonNoBuffer
	case StatusTooLarge:
		return transports.ReasonTooLarge
	case StatusNotPolled:
		return transports.ReasonNotPolled
	}
	return transports.ReasonNotSent // to itself (0x23), misuse of APS (0x2D, 0x2E), and those that no manual tells
}

// reason15 is the same of 802.15.4's 0x89, which has other numbers.
func reason15(status byte) string {
	switch status {
	case 0x01:
		return transports.ReasonNoAck
	case 0x02:
		return transports.ReasonChannelBusy
	case 0x03: // purged
		return transports.ReasonNotPolled
	}
	return reasonOf(status)
}

var reasons = []string{transports.ReasonAddress, transports.ReasonIgnored, transports.ReasonNoAck, transports.ReasonNoStatus, transports.ReasonChannelBusy,
	transports.ReasonNotJoined, transports.ReasonNoRoute, transports.ReasonNotRelayed, transports.ReasonNoBuffer, transports.ReasonTooLarge,
	transports.ReasonNotPolled, transports.ReasonRadioReset, transports.ReasonNotSent}
