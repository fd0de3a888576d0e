package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"swarmnode/swarm/statefile"
)

const (
	// passwordsBytesMax bounds a password file, entriesMax its entries.
	passwordsBytesMax = 64 << 10
	entriesMax        = 256
	nameMax           = 64
)

// An Entry is a line of the password file: a user with a password, or a token.
type Entry struct {
	Name    string
	Scope   Scope
	Hash    string    // of HashPassword or NewToken
	Expires time.Time // zero: never
}

// Token reports whether the entry is a token.
func (e *Entry) Token() bool { return strings.HasPrefix(e.Hash, "$sha256$") }

// line returns the line of the file: NAME:SCOPE:HASH, and :EXPIRES if there is such a time.
func (e *Entry) line() string {
	line := e.Name + ":" + e.Scope.String() + ":" + e.Hash
	if !e.Expires.IsZero() {
		line += ":" + e.Expires.UTC().Format(time.RFC3339)
	}
	return line
}

// A PasswordsError says what is wrong with a password file.
type PasswordsError struct {
	Path string
	Line int // from 1; 0 if it is none in particular
	Err  error
}

func (e *PasswordsError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %v", e.Path, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *PasswordsError) Unwrap() error { return e.Err }

// ErrReadable says that others than its owner may read a password file.
var ErrReadable = errors.New("others can read this file (try: chmod 600)")

// ReadPasswords returns the entries of a password file. The error is a *PasswordsError, which
// wraps fs.ErrNotExist if there is no such file.
func ReadPasswords(path string) ([]Entry, error) {
	doc, _, err := readPasswords(path)
	if err != nil {
		return nil, err
	}
	return parsePasswords(path, doc)
}

// readPasswords returns the content of a password file that nobody else can read. A symbolic
// link is followed, because users link their configuration.
func readPasswords(path string) ([]byte, fs.FileInfo, error) {
	fail := func(err error) ([]byte, fs.FileInfo, error) {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return nil, nil, &PasswordsError{Path: path, Err: err}
	}
	info, err := os.Stat(path)
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() { // a FIFO would wait for ever
		return fail(statefile.ErrSpecial)
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return fail(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fail(ErrReadable)
	}
	doc, err := io.ReadAll(io.LimitReader(f, passwordsBytesMax+1))
	if err != nil {
		return fail(err)
	}
	if len(doc) > passwordsBytesMax {
		return fail(statefile.ErrTooLong)
	}
	return doc, info, nil
}

// parsePasswords parses a password file: an entry a line, empty lines, and comments after #.
func parsePasswords(path string, doc []byte) ([]Entry, error) {
	var entries []Entry
	for i, line := range strings.Split(string(doc), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := parseEntry(line)
		switch {
		case err != nil:
		case len(entries) == entriesMax:
			err = fmt.Errorf("more than %d entries", entriesMax)
		case find(entries, e.Name, e.Token()) >= 0:
			err = fmt.Errorf("%q has a line already", e.Name)
		}
		if err != nil {
			return nil, &PasswordsError{path, i + 1, err}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseEntry parses a line.
func parseEntry(line string) (e Entry, err error) {
	fields := strings.SplitN(line, ":", 4)
	if len(fields) < 3 {
		return e, errors.New("not NAME:SCOPE:HASH")
	}
	e.Name, e.Hash = fields[0], fields[2]
	if err := checkName(e.Name); err != nil {
		return e, err
	}
	if e.Scope, err = ParseScope(fields[1]); err != nil {
		return e, err
	}
	if _, err = parseHash(e.Hash); err != nil {
		return e, err
	}
	if len(fields) == 4 {
		if e.Expires, err = time.Parse(time.RFC3339, fields[3]); err != nil {
			return e, fmt.Errorf("%q is not a time such as 2030-01-31T12:00:00Z", fields[3])
		}
	}
	return e, nil
}

// checkName says what is wrong with the name of an entry.
func checkName(name string) error {
	if name == "" || len(name) > nameMax {
		return fmt.Errorf("a name has 1 to %d letters", nameMax)
	}
	for _, r := range name {
		if r < '!' || r > '~' || r == ':' || r == '#' {
			return fmt.Errorf("the name %q has other characters than visible ones of ASCII, or : or #",
				name)
		}
	}
	return nil
}

// find returns the place of an entry, or -1.
func find(entries []Entry, name string, token bool) int {
	return slices.IndexFunc(entries, func(e Entry) bool {
		return e.Name == name && e.Token() == token
	})
}

// SetPassword writes an entry into a password file, in the place of the one of its kind and
// name if there is one, and makes the file if need be. Comments and other entries stay.
func SetPassword(path string, entry Entry) error {
	if err := checkName(entry.Name); err != nil {
		return &PasswordsError{Path: path, Err: err}
	}
	if _, err := parseEntry(entry.line()); err != nil {
		return &PasswordsError{Path: path, Err: err}
	}
	_, err := editPasswords(path, entry.Name, entry.Token(), entry.line())
	return err
}

// RemovePassword removes a user, or a token, from a password file. It reports whether there
// was one.
func RemovePassword(path, name string, token bool) (bool, error) {
	return editPasswords(path, name, token, "")
}

// editPasswords puts a line in the place of that of an entry, or at the end; an empty line
// removes it. It reports whether there was one. The file is replaced as a whole.
func editPasswords(path, name string, token bool, line string) (found bool, err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	doc, _, err := readPasswords(path)
	if errors.Is(err, fs.ErrNotExist) && line != "" {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return false, &PasswordsError{Path: path, Err: err}
		}
	}
	if err != nil {
		return false, err
	}
	if _, err := parsePasswords(path, doc); err != nil {
		return false, err
	}
	var out bytes.Buffer
	for old := range strings.Lines(string(doc)) {
		e, err := parseEntry(strings.TrimSpace(old))
		if err != nil || e.Name != name || e.Token() != token {
			out.WriteString(old)
			continue
		}
		if found = true; line != "" {
			out.WriteString(line + "\n")
		}
	}
	if !found && line != "" {
		if b := out.Bytes(); len(b) > 0 && b[len(b)-1] != '\n' {
			out.WriteByte('\n')
		}
		out.WriteString(line + "\n")
	}
	if _, err := parsePasswords(path, out.Bytes()); err != nil {
		return found, err
	}
	if err := statefile.Replace(path, out.Bytes(), true); err != nil {
		return found, &PasswordsError{Path: path, Err: err}
	}
	return found, nil
}
