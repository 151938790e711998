package serial

// CRC-16/X-25, which RFC 1662 appendix C.2 calls FCS-16: polynomial x¹⁶+x¹²+x⁵+1, least bit first.
const (
	crcPoly = 0x8408
	crcInit = 0xFFFF
	crcGood = 0xF0B8 // the value after a message and its own inverted CRC
)

var crcTable = func() (t [256]uint16) {
	for i := range t {
		v := uint16(i)
		for range 8 {
			if v&1 != 0 {
				v = v>>1 ^ crcPoly
			} else {
				v >>= 1
			}
		}
		t[i] = v
	}
	return t
}()

// crc16 goes on with a CRC; what goes on the line is the inverse.
func crc16(crc uint16, b []byte) uint16 {
	for _, c := range b {
		crc = crc>>8 ^ crcTable[byte(crc)^c]
	}
	return crc
}

// xmodem is CRC-16/XMODEM: the same polynomial, most significant bit first, beginning with 0.
func xmodem(b []byte) (crc uint16) {
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ xmodemPoly
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

const xmodemPoly = 0x1021
