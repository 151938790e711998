package passwd

import (
	"errors"
	"fmt"
	"strconv"

	"midge/broker/auth"
)

// options are what the arguments say.
type options struct {
	create, remove, update, batch, help bool

	kind       auth.Kind
	iterations int // 0 = the kind's default

	file, user, password string
}

const usage = `Edit a password file, with the flags of mosquitto_passwd.

midge passwd [-H KIND] [-I N] [-c] FILE USER           add USER or change its password; asks for it
midge passwd [-H KIND] [-I N] [-c] -b FILE USER PASSWORD
midge passwd -D FILE USER                              delete USER
midge passwd [-H KIND] [-I N] -U FILE                  hash the passwords of a plain-text file, in place

 -b         the password is an argument: other users of the machine may see it in the list of processes
 -c         make a new file; one that exists is overwritten. With - as FILE the record is printed
 -D         delete the user
 -H KIND    argon2id (the default), sha512-pbkdf2, sha512 or scram-sha-256
            Debian's Mosquitto 2.0 has no argon2: use -H sha512-pbkdf2 for files that Mosquitto 2.0 reads too
            scram-sha-256 is for clients with enhanced authentication (MQTT 5); it does for others too, not for Mosquitto
 -I N       iterations of sha512-pbkdf2, 1000 if not given, or of scram-sha-256, 4096 if not given and at least
 -U         lines are USER:PASSWORD; those that are hashed already stay as they are
 --         what follows is no flag

Without -b the password is asked for twice on a terminal; otherwise it is the first line of standard input.
The file is replaced at once, keeps its mode and owner, and may be a symbolic link. A running midge reads it again with "midge reload".
`

// parse reads the arguments. Flags stand before the file.
func parse(args []string) (options, error) {
	o := options{kind: auth.Argon2id}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		flag := args[0]
		args = args[1:]
		if flag == "--" {
			break
		}
		var err error
		if args, err = o.flag(flag, args); err != nil {
			return o, err
		}
	}
	if o.help {
		return o, nil
	}
	switch {
	case o.iterations != 0 && o.kind != auth.PBKDF2 && o.kind != auth.SCRAM:
		return o, errors.New("-I is for -H sha512-pbkdf2 and -H scram-sha-256")
	case o.iterations != 0 && o.iterations < auth.ScramIterations && o.kind == auth.SCRAM:
		return o, fmt.Errorf("-I must be at least %d for -H scram-sha-256", auth.ScramIterations)
	}
	if err := o.exclude(); err != nil {
		return o, err
	}
	return o, o.positional(args)
}

// flag takes one flag and returns the arguments behind it and its value.
func (o *options) flag(flag string, args []string) ([]string, error) {
	switch flag {
	case "-b":
		o.batch = true
	case "-c":
		o.create = true
	case "-D":
		o.remove = true
	case "-U":
		o.update = true
	case "-h", "--help":
		o.help = true
	case "-H", "-I":
		if len(args) == 0 {
			return nil, fmt.Errorf("%s needs a value", flag)
		}
		return args[1:], o.value(flag, args[0])
	default:
		return nil, fmt.Errorf("unknown flag %s", flag)
	}
	return args, nil
}

func (o *options) value(flag, value string) error {
	if flag == "-I" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > auth.IterationsMax {
			return fmt.Errorf("-I must be a number from 1 to %d, not %q", auth.IterationsMax, value)
		}
		o.iterations = n
		return nil
	}
	switch o.kind = auth.Kind(value); o.kind {
	case auth.Argon2id, auth.PBKDF2, auth.SHA512, auth.SCRAM:
		return nil
	}
	return fmt.Errorf("-H must be %s, %s, %s or %s, not %q", auth.Argon2id, auth.PBKDF2, auth.SHA512, auth.SCRAM, value)
}

func (o *options) exclude() error {
	switch {
	case o.create && o.remove:
		return errors.New("-c and -D cannot be used together")
	case o.create && o.update:
		return errors.New("-c and -U cannot be used together")
	case o.remove && o.update:
		return errors.New("-D and -U cannot be used together")
	case o.batch && o.remove:
		return errors.New("-b and -D cannot be used together")
	case o.batch && o.update:
		return errors.New("-b and -U cannot be used together")
	}
	return nil
}

// positional takes what is left: file, user, password, as many as the flags ask for.
func (o *options) positional(args []string) error {
	into := []*string{&o.file, &o.user, &o.password}
	names := []string{"FILE", "USER", "PASSWORD"}
	switch {
	case o.update:
		into = into[:1]
	case !o.batch:
		into = into[:2]
	}
	if len(args) > len(into) {
		return fmt.Errorf("there is an argument too many: %q", args[len(into)])
	}
	for i, arg := range args {
		*into[i] = arg
	}
	if len(args) < len(into) {
		return fmt.Errorf("%s is missing", names[len(args)])
	}
	switch {
	case o.file == "":
		return errors.New("FILE is empty")
	case o.file == "-" && !o.create:
		return errors.New("- as FILE needs -c")
	case o.update:
		return nil
	case o.remove:
		return nil // whatever its name, it may go
	}
	return auth.ValidUser(o.user)
}
