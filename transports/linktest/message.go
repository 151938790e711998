package linktest

// Message is a well-formed MQTT-SN message of exactly n octets, 2 to 65,535, whose free octets follow from fill: a
// PINGRESP, a PINGREQ or a PUBLISH.
func Message(n int, fill byte) []byte {
	const pingreq, pingresp, publish = 0x16, 0x17, 0x0C
	m := make([]byte, n)
	at := 2
	switch {
	case n == 2:
		m[1] = pingresp
	case n < 7:
		m[1] = pingreq // client id
	default:
		m[1] = publish
		if n > 255 { // the long form of Length (§5.2.1)
			m[0], m[1], m[2], m[3] = 1, byte(n>>8), byte(n), publish
			at = 4
		}
	}
	if n <= 255 {
		m[0] = byte(n)
	}
	for i := at; i < n; i++ {
		m[i] = fill + byte(i*7)
	}
	return m
}
