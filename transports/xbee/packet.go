package xbee

import "encoding/binary"

// API frame types.
const (
	TypeTx64         = 0x00 // 802.15.4: Frame ID, address 8, options, data
	TypeTx16         = 0x01 // 802.15.4: Frame ID, address 2, options, data
	TypeAT           = 0x08 // Frame ID, two letters, [value]
	TypeTx           = 0x10 // ZigBee: Frame ID, address 8, short address 2, radius, options, data
	TypeRx64         = 0x80 // 802.15.4: address 8, RSSI, options, data
	TypeRx16         = 0x81 // 802.15.4: address 2, RSSI, options, data
	TypeATResponse   = 0x88 // Frame ID, two letters, status, [value]
	TypeTxStatus     = 0x89 // 802.15.4: Frame ID, status
	TypeModemStatus  = 0x8A // status
	TypeTxStatusLong = 0x8B // ZigBee: Frame ID, short address 2, retries, delivery status, discovery status
	TypeRx           = 0x90 // ZigBee: address 8, short address 2, options, data
	TypeRxExplicit   = 0x91 // ZigBee with AO=1: address 8, short address 2, endpoints 2, cluster 2, profile 2, options, data
)

// Modem statuses.
const (
	ModemReset       = 0x00
	ModemWatchdog    = 0x01
	ModemJoined      = 0x02
	ModemLeft        = 0x03
	ModemCoordinator = 0x06 // it has started a network
)

// Delivery statuses.
const (
	StatusOK          = 0x00
	StatusMACAck      = 0x01
	StatusCCA         = 0x02
	StatusNetworkAck  = 0x21
	StatusNotJoined   = 0x22
	StatusNoAddress   = 0x24
	StatusNoRoute     = 0x25
	StatusNotRelayed  = 0x26
	StatusNoBuffer    = 0x2C
	StatusNoResources = 0x32
	StatusTooLarge    = 0x74
	StatusNotPolled   = 0x75
)

// The values with a meaning of their own, and those by which the transparent data of another radio is known in a 0x91.
const (
	UnknownShort  = 0xFFFE // 16-bit address
	unknownLong   = ^uint64(0)
	everyoneLong  = 0xFFFF
	everyoneShort = 0xFFFF
	dataCluster   = 0x0011
	digiProfile   = 0xC105
)

// Bits of the options of what was received: it came to everyone. Other bits tell that it was acknowledged, encrypted, or came from an end device.
const (
	rxBroadcast     = 0x02
	rx15Broadcast   = 0x02 | 0x04 // 802.15.4: to every address, to every network
	txWholeNetwork  = 0           // radius
	txOptionsNormal = 0
)

// received is a message from a node.
type received struct {
	long      uint64 // unknownLong = it has only the short one
	short     uint16
	rssi      int8 // dBm; 0 = not told
	broadcast bool
	data      []byte
}

// parseReceived reads one of the frames that carry a message; known tells whether it is for MQTT-SN, ok whether it is long enough.
func parseReceived(b []byte) (r received, known, ok bool) {
	least := map[byte]int{TypeRx: 12, TypeRxExplicit: 18, TypeRx64: 11, TypeRx16: 5}[b[0]]
	if least == 0 || len(b) < least {
		return r, true, false
	}
	r.data, r.short = b[least:], UnknownShort
	options := b[least-1]
	switch b[0] {
	case TypeRx64:
		r.long = binary.BigEndian.Uint64(b[1:])
		r.rssi, r.broadcast = rssi(b[9]), options&rx15Broadcast != 0
	case TypeRx16:
		r.long, r.short = unknownLong, binary.BigEndian.Uint16(b[1:])
		r.rssi, r.broadcast = rssi(b[3]), options&rx15Broadcast != 0
	default:
		r.long, r.short = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint16(b[9:])
		r.broadcast = options&rxBroadcast != 0
	}
	if b[0] == TypeRxExplicit && (binary.BigEndian.Uint16(b[13:]) != dataCluster || binary.BigEndian.Uint16(b[15:]) != digiProfile) {
		return r, false, true
	}
	return r, true, len(r.data) > 1
}

// rssi is in a frame as a number of dBm below zero.
func rssi(b byte) int8 { return -int8(min(b, 127)) }
