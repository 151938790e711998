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
