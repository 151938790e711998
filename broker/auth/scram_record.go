package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// scramPrefix begins a record (RFC 5803 §2).
const scramPrefix = "SCRAM-SHA-256$"

// encodeScram makes a new record.
func encodeScram(iterations int, password []byte) (string, error) {
	if iterations == 0 {
		iterations = ScramIterations
	}
	if iterations < ScramIterations || iterations > IterationsMax {
		return "", fmt.Errorf("the number of iterations must be from %d to %d", ScramIterations, IterationsMax)
	}
	salt := make([]byte, newSalt)
	rand.Read(salt)
	keys, text := scramKeys(password, salt, iterations), base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, iterations, text(salt), text(keys.StoredKey), text(keys.ServerKey)), nil
}

// scramKeys derives what a record holds (RFC 5802 §3). A password that SASLprep (RFC 4013) refuses is taken as its octets are, as clients do that do without it.
func scramKeys(password, salt []byte, iterations int) scram.StoredCredentials {
	client, err := scram.SHA256.NewClient("", string(password), "")
	if err != nil {
		client, _ = scram.SHA256.NewClientUnprepped("", string(password), "") // returns no error
	}
	keys, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return scram.StoredCredentials{} // FIPS 140-only mode with a short salt: equal to no record
	}
	return keys
}

// parseScram reads what stands behind scramPrefix.
func (r *record) parseScram(text string) error {
	form := errors.New("the record is not of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")
	factors, keys, ok := strings.Cut(text, "$")
	count, salt, both := strings.Cut(factors, ":")
	stored, server, all := strings.Cut(keys, ":")
	if !ok || !both || !all {
		return form
	}
	iterations, err := strconv.Atoi(count)
	if err != nil || iterations < ScramIterations || iterations > IterationsMax {
		return fmt.Errorf("the record has %q iterations: from %d to %d are possible", count, ScramIterations, IterationsMax)
	}
	r.cost = cost{kind: SCRAM, iterations: iterations, hashBytes: sha256.Size}
	if r.serverKey, err = base64.StdEncoding.DecodeString(server); err != nil || len(r.serverKey) != sha256.Size {
		return errors.New("the ServerKey is not 32 bytes in base64")
	}
	return r.decode(base64.StdEncoding, salt, stored)
}

// scramFile is what the SCRAM records of a file have in common.
type scramFile struct {
	any    bool   // there is one
	secret []byte // of which the salts of users are made who are not there
	like   cost   // that of the commonest record
	salt   int    // octets
}

func newScramFile(records []*record) scramFile {
	var own []*record
	for _, r := range records {
		if r.kind == SCRAM {
			own = append(own, r)
		}
	}
	if len(own) == 0 {
		return scramFile{}
	}
	most := dummyOf(own)
	// The secret must outlive a restart, or else the salts that change would be those of users who are not there. It changes with the file's first record.
	mac := hmac.New(sha256.New, own[0].serverKey)
	mac.Write([]byte("salts of users who are not there"))
	return scramFile{any: true, secret: mac.Sum(nil), like: most.cost, salt: len(most.salt)}
}

// invent makes keys for a user who is not there: the same salt and iterations whenever it is asked, as for one who is.
func (f *scramFile) invent(user string) scram.StoredCredentials {
	mac := hmac.New(sha256.New, f.secret)
	mac.Write([]byte(user))
	salt := mac.Sum(nil)
	for len(salt) < f.salt {
		salt = append(salt, salt...)
	}
	nothing := make([]byte, sha256.Size)
	return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(salt[:f.salt]), Iters: f.like.iterations}, StoredKey: nothing, ServerKey: nothing}
}
