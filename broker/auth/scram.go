package auth

import (
	"errors"

	"github.com/xdg-go/scram"
)

// ScramMethod is the name of the one method of enhanced authentication (RFC 7677).
const ScramMethod = "SCRAM-SHA-256"

// scramMessageMax bounds a message of a client in octets: a user name of any length and what stands around it.
const scramMessageMax = 2 * userBytesMax

// An Exchange is one authentication by SCRAM-SHA-256: the client's first message, the server's, the client's proof, the server's. It is a machine of one goroutine.
//
// Users who are not in the file, and those whose record is of another kind, are answered as if they were there until their proof is wrong.
type Exchange struct {
	conv  *scram.ServerConversation
	known bool
	asked bool // for the first message, by an empty one
}

// Exchange begins an authentication; nil when no user of the file could end it.
func (p *Passwords) Exchange() *Exchange {
	if p == nil || !p.scram.any {
		return nil
	}
	x := new(Exchange)
	server, err := scram.SHA256.NewServer(func(user string) (scram.StoredCredentials, error) {
		r := p.records[user]
		if x.known = r != nil && r.kind == SCRAM; !x.known {
			return p.scram.invent(user), nil
		}
		return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(r.salt), Iters: r.iterations}, StoredKey: r.hash, ServerKey: r.serverKey}, nil
	})
	if err != nil {
		return nil // it never is one
	}
	x.conv = server.NewConversation()
	return x
}

// ErrScram is Step's answer to a message that ends the exchange without success. It says no more, as the client is told no more.
var ErrScram = errors.New("the proof is wrong, or a message of the exchange is")

// Step takes the client's next message and returns the server's. done says that the client has proved to know the password of User. A client may
// begin with an empty message, and is then asked for its first by an empty one.
func (x *Exchange) Step(message []byte) (answer []byte, done bool, err error) {
	if len(message) == 0 && !x.asked && x.conv.Username() == "" {
		x.asked = true
		return nil, false, nil
	}
	if len(message) > scramMessageMax {
		return nil, false, ErrScram
	}
	x.asked = true
	said, err := x.conv.Step(string(message))
	switch {
	case err != nil, x.conv.Done() && !(x.conv.Valid() && x.known):
		return nil, false, ErrScram
	case x.conv.AuthzID() != "" && x.conv.AuthzID() != x.conv.Username():
		return nil, false, ErrScram // nobody acts for another
	}
	return []byte(said), x.conv.Done(), nil
}

// User is the name in the client's first message; "" before it.
func (x *Exchange) User() string { return x.conv.Username() }
