package auth

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Kind is a way to hash a password, named as mosquitto_passwd -H names it.
type Kind string

const (
	// SHA512 is "$6$salt$hash": one round over password and salt. Fast to guess; for files that Mosquitto 1.x reads.
	SHA512 Kind = "sha512"
	// PBKDF2 is "$7$iterations$salt$hash": PBKDF2 with HMAC-SHA-512. Mosquitto 2 reads it.
	PBKDF2 Kind = "sha512-pbkdf2"
	// Argon2id is "$argon2id$v=19$m=KiB,t=passes,p=lanes$salt$hash" (RFC 9106). Mosquitto 2.1 reads it if built with it.
	Argon2id Kind = "argon2id"
	// SCRAM is "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey" (RFC 5803): the user can log in by enhanced authentication, the password never on its way, and by
	// password too. Mosquitto does not read it.
	SCRAM Kind = "scram-sha-256"
)

// What new hashes are made with.
const (
	// IterationsDefault is that of Mosquitto 2.1 for PBKDF2; 2.0 had 101.
	IterationsDefault = 1000
	// ScramIterations is the least that RFC 7677 §4 allows, and the default: it is the device that computes them.
	ScramIterations = 4096
	newSaltLegacy   = 12 // bytes; Mosquitto 2.0 reads no other length
	newSalt         = 16 // bytes, as RFC 9106 §3.1 recommends for passwords
	newMemoryKiB    = 19 << 10
	newPasses       = 2
	newLanes        = 1
	newHash         = 32 // bytes
)

// Bounds of what a record may ask for. A file is trusted to be its owner's, but a slip in it must not stop the box.
const (
	IterationsMax = 10_000_000
	memoryKiBMax  = 256 << 10
	passesMax     = 16
	lanesMax      = 16
	saltBytesMin  = 8
	saltBytesMax  = 64 // Mosquitto 2.1's; 2.0 has 12
	hashBytesMin  = 16 // of Argon2; the others have 64 always
	hashBytesMax  = 128
)

// record is one user's hash.
type record struct {
	text string // as it stands in the file
	cost
	salt, hash []byte // SCRAM: hash is the StoredKey
	serverKey  []byte // SCRAM
}

// cost is what decides how long a verification takes; records of equal cost cannot be told apart by time.
type cost struct {
	kind       Kind
	iterations int    // PBKDF2 and SCRAM
	memoryKiB  uint32 // Argon2, as are the following
	passes     uint32
	lanes      uint8
	hashBytes  int
}

// Encode hashes the password with fresh random salt and returns what stands after ':' in a password file. iterations counts for PBKDF2
// and SCRAM alone, 0 means [IterationsDefault] and [ScramIterations].
func Encode(kind Kind, iterations int, password []byte) (string, error) {
	if kind == SCRAM {
		return encodeScram(iterations, password)
	}
	if iterations == 0 {
		iterations = IterationsDefault
	}
	r := record{cost: cost{kind: kind, hashBytes: sha512.Size}, salt: make([]byte, newSaltLegacy)}
	switch kind {
	case SHA512:
	case PBKDF2:
		if iterations < 1 || iterations > IterationsMax {
			return "", fmt.Errorf("the number of iterations must be from 1 to %d", IterationsMax)
		}
		r.iterations = iterations
	case Argon2id:
		r.cost = cost{kind: kind, memoryKiB: newMemoryKiB, passes: newPasses, lanes: newLanes, hashBytes: newHash}
		r.salt = make([]byte, newSalt)
	default:
		return "", fmt.Errorf("unknown kind of hash %q: there are %s, %s, %s and %s", string(kind), Argon2id, PBKDF2, SHA512, SCRAM)
	}
	rand.Read(r.salt)
	r.hash = r.derive(password)
	return r.encode(), nil
}

func (r *record) encode() string {
	padded, raw := base64.StdEncoding.EncodeToString, base64.RawStdEncoding.EncodeToString
	switch r.kind {
	case SHA512:
		return fmt.Sprintf("$6$%s$%s", padded(r.salt), padded(r.hash))
	case PBKDF2:
		return fmt.Sprintf("$7$%d$%s$%s", r.iterations, padded(r.salt), padded(r.hash))
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, r.memoryKiB, r.passes, r.lanes, raw(r.salt), raw(r.hash))
}

// derive hashes the password in the manner of the record.
func (r *record) derive(password []byte) []byte {
	switch r.kind {
	case SHA512:
		h := sha512.New()
		h.Write(password)
		h.Write(r.salt)
		return h.Sum(nil)
	case PBKDF2:
		hash, err := pbkdf2.Key(sha512.New, string(password), r.salt, r.iterations, r.hashBytes)
		if err != nil {
			return nil // FIPS 140-only mode with a short salt: equal to no hash
		}
		return hash
	case SCRAM:
		return scramKeys(password, r.salt, r.iterations).StoredKey
	}
	return argon2.IDKey(password, r.salt, r.passes, r.memoryKiB, r.lanes, uint32(r.hashBytes))
}

// weight is what a verification takes of the gate, in bytes.
func (r *record) weight() int {
	return max(int(r.memoryKiB)<<10, gateBytes/verificationsMax)
}

// parseRecord reads what stands after ':'.
func parseRecord(text string) (*record, error) {
	if text == "" {
		return nil, errors.New("there is no hash behind ':'")
	}
	if rest, ok := strings.CutPrefix(text, scramPrefix); ok {
		r := &record{text: text}
		return r, r.parseScram(rest)
	}
	parts := strings.Split(text, "$")
	if len(parts) < 2 || parts[0] != "" {
		return nil, errors.New("what stands behind ':' is no hash: if it is a password, hash the file with midge passwd -U")
	}
	r := &record{text: text}
	switch kind, parts := parts[1], parts[2:]; kind {
	case "6":
		return r, r.parseSHA512(parts)
	case "7":
		return r, r.parsePBKDF2(parts)
	case "argon2id":
		return r, r.parseArgon2id(parts)
	default:
		return nil, fmt.Errorf("the hash is of the unknown kind %q: there are $6$, $7$, $argon2id$ and SCRAM-SHA-256$", "$"+kind+"$")
	}
}

func (r *record) parseSHA512(parts []string) error {
	if len(parts) != 2 {
		return errors.New("the hash is not of the form $6$salt$hash")
	}
	r.cost = cost{kind: SHA512, hashBytes: sha512.Size}
	return r.decode(base64.StdEncoding, parts[0], parts[1])
}

func (r *record) parsePBKDF2(parts []string) error {
	if len(parts) != 3 {
		return errors.New("the hash is not of the form $7$iterations$salt$hash")
	}
	iterations, err := strconv.Atoi(parts[0])
	if err != nil || iterations < 1 || iterations > IterationsMax {
		return fmt.Errorf("the hash has %q iterations: from 1 to %d are possible", parts[0], IterationsMax)
	}
	r.cost = cost{kind: PBKDF2, iterations: iterations, hashBytes: sha512.Size}
	return r.decode(base64.StdEncoding, parts[1], parts[2])
}

func (r *record) parseArgon2id(parts []string) error {
	if len(parts) != 4 {
		return errors.New("the hash is not of the form $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	if want := fmt.Sprintf("v=%d", argon2.Version); parts[0] != want {
		return fmt.Errorf("the hash is of Argon2 version %q: only %s is known", parts[0], want)
	}
	params := strings.Split(parts[1], ",")
	if len(params) != 3 {
		return fmt.Errorf("the hash has the parameters %q instead of m=…,t=…,p=…", parts[1])
	}
	lanes, err := parameter(params[2], "p=", "lanes", 1, lanesMax)
	if err != nil {
		return err
	}
	memory, err := parameter(params[0], "m=", "KiB of memory", 8*lanes, memoryKiBMax) // RFC 9106 §3.1: at least 8*p
	if err != nil {
		return err
	}
	passes, err := parameter(params[1], "t=", "passes", 1, passesMax)
	if err != nil {
		return err
	}
	r.cost = cost{kind: Argon2id, memoryKiB: uint32(memory), passes: uint32(passes), lanes: uint8(lanes)}
	return r.decode(base64.RawStdEncoding, parts[2], parts[3])
}

// parameter reads "m=47104".
func parameter(text, name, what string, low, high int) (int, error) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.Atoi(digits)
	switch {
	case !ok || err != nil:
		return 0, fmt.Errorf("the hash has the parameter %q instead of %s and a number", text, name)
	case n < low || n > high:
		return 0, fmt.Errorf("the hash wants %d %s: from %d to %d are possible", n, what, low, high)
	}
	return n, nil
}

// decode fills in salt and hash. A cost without hashBytes takes its length from the hash.
func (r *record) decode(encoding *base64.Encoding, salt, hash string) (err error) {
	if r.salt, err = encoding.DecodeString(salt); err != nil {
		return errors.New("the salt is not valid base64")
	}
	if n := len(r.salt); n < saltBytesMin || n > saltBytesMax {
		return fmt.Errorf("the salt has %d bytes: from %d to %d are possible", n, saltBytesMin, saltBytesMax)
	}
	if r.hash, err = encoding.DecodeString(hash); err != nil {
		return errors.New("the hash is not valid base64")
	}
	n := len(r.hash)
	if r.hashBytes != 0 && n != r.hashBytes {
		return fmt.Errorf("the hash has %d bytes instead of %d", n, r.hashBytes)
	}
	if n < hashBytesMin || n > hashBytesMax {
		return fmt.Errorf("the hash has %d bytes: from %d to %d are possible", n, hashBytesMin, hashBytesMax)
	}
	r.hashBytes = n
	return nil
}
