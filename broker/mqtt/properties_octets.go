package mqtt

// What properties take in memory, in octets: the struct, and each user property beside its text.
const (
	propertiesCost   = 320
	userPropertyCost = 32
)

// Octets is about what the properties of a message take in memory. nil takes nothing.
func (p *Properties) Octets() int {
	if p == nil {
		return 0
	}
	n := propertiesCost + len(p.ContentType) + len(p.ResponseTopic) + len(p.CorrelationData)
	return n + len(p.User)*userPropertyCost + p.UserOctets()
}

// UserOctets is how long the texts of the user properties are.
func (p *Properties) UserOctets() (n int) {
	for i := range p.User {
		n += len(p.User[i].Name) + len(p.User[i].Value)
	}
	return n
}
