package client

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// netrcMax bounds a file of logins, in bytes.
const netrcMax = 256 << 10

// A NetrcError says why a file of logins cannot be used.
type NetrcError struct {
	Path string
	Err  error
}

func (e *NetrcError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *NetrcError) Unwrap() error { return e.Err }

// errExposed says that others may read passwords.
var errExposed = errors.New("other users can read its passwords (try: chmod 600)")

// ReadNetrc returns the login for a host from a file in the form of ~/.netrc: machine HOST login
// NAME password SECRET. An entry without a login has a token. A file that does not exist has no
// logins. The error is a *NetrcError.
func ReadNetrc(path, host string) (user, secret string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	fail := func(err error) (string, string, error) {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return "", "", &NetrcError{path, err}
	}
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() {
		return fail(errors.New("is not a file"))
	}
	doc, err := io.ReadAll(io.LimitReader(f, netrcMax+1))
	switch {
	case err != nil:
		return fail(err)
	case len(doc) > netrcMax:
		return fail(fmt.Errorf("has more than %d bytes", netrcMax))
	}
	user, secret = parseNetrc(string(doc), host)
	if secret != "" && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fail(errExposed)
	}
	return user, secret, nil
}

// parseNetrc returns the login of the first entry for a host. An entry named default is for each
// host. Macros, which end at an empty line, are passed over.
func parseNetrc(text, host string) (user, secret string) {
	ours, over := false, false
	take := func(words []string) {
		for i := 0; i < len(words) && !over; i++ {
			value := ""
			if i+1 < len(words) {
				value = words[i+1]
			}
			switch words[i] {
			case "machine":
				over, ours = ours, strings.EqualFold(value, host)
				i++
			case "default":
				over, ours = ours, true
			case "login":
				if ours {
					user = value
				}
				i++
			case "password":
				if ours {
					secret = value
				}
				i++
			case "account":
				i++
			}
		}
	}
	var words []string
	macro := false
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if macro {
			macro = len(fields) > 0
			continue
		}
		for i, word := range fields {
			if strings.HasPrefix(word, "#") && i == 0 {
				break
			}
			if word == "macdef" {
				macro = true
				break
			}
			words = append(words, word)
		}
	}
	take(words)
	return user, secret
}
