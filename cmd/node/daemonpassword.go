package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"swarmnode/daemon/control"
)

// passwordMax bounds what is read as a password, in bytes.
const passwordMax = 1 << 10

// A fileOfPasswords is the flag of commands that change the password file.
type fileOfPasswords struct {
	fs   *pflag.FlagSet
	path string
}

func (f *fileOfPasswords) register(fs *pflag.FlagSet) {
	f.fs = fs
	fs.StringVar(&f.path, "password-file", "",
		"`FILE` of passwords and tokens (default: passwords beside the configuration file)")
}

// find returns the path of the password file.
func (f *fileOfPasswords) find() (string, error) {
	path := passwordFile(f.path, fileFlag(f.fs), os.LookupEnv)
	if path == "" {
		return "", failWithHint(exitInput, "", errors.New("there is no folder for passwords"),
			"--password-file FILE")
	}
	return path, nil
}

// prepare makes the folder of the password file, which only its owner can read.
func (f *fileOfPasswords) prepare() (string, error) {
	path, err := f.find()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), configFolderMode); err != nil {
		return "", fail(exitDisk, filepath.Dir(path), err)
	}
	return path, nil
}

// scopeFlag adds the flag that says what a user or token may do.
func scopeFlag(fs *pflag.FlagSet, standard string) *choiceValue {
	scope := &choiceValue{standard, []string{"read", "control", "admin"}}
	fs.Var(scope, "scope", "read: look at everything; control: also torrents; admin: also settings")
	return scope
}

func passwordCommand() *command {
	return &command{
		name:  "password",
		args:  "[USER]",
		short: "set the password by which a user controls the daemon over TCP",
		long: `The password is asked for on a terminal, or else is the first line of standard
input. Only its hash is kept. Without USER it is that of your own name. A daemon
needs a password to be reached from other machines.`,
		examples: []example{
			{"node password", "asks twice, for a password of your own name"},
			{"node password --scope control sonarr", "of a program that adds torrents"},
			{"node password --remove sonarr", "sonarr may no longer log in"},
		},
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f fileOfPasswords
			f.register(fs)
			scope := scopeFlag(fs, "admin")
			remove := fs.Bool("remove", false, "remove the user instead")
			return func(ctx context.Context, c *console, args []string) error {
				name, err := userNamed(args)
				if err != nil {
					return err
				}
				if *remove {
					return f.remove(c, name, false)
				}
				return f.setPassword(ctx, c, name, scope.word)
			}
		},
	}
}

// userNamed returns the user of the command line, or whoever runs the command.
func userNamed(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	me, err := user.Current()
	if err != nil {
		return "", usage("password", errors.New("expects USER: your own name is unknown"))
	}
	return me.Username, nil
}

// remove removes a user or a token from the password file.
func (f *fileOfPasswords) remove(c *console, name string, token bool) error {
	path, err := f.find()
	if err != nil {
		return err
	}
	found, err := control.RemovePassword(path, name, token)
	if err != nil {
		return passwordsFailure(err)
	}
	if !found {
		kind := "user"
		if token {
			kind = "token"
		}
		return fail(exitInput, path, fmt.Errorf("has no %s %s", kind, quoteSource(name)))
	}
	c.event("password", passwordEvent{Name: name, Path: path})
	c.note("%s is removed from %s", name, path)
	return nil
}

// password: a user or token was set, listed or removed.
type passwordEvent struct {
	Name    string `json:"name"`
	Scope   string `json:"scope,omitempty"`   // missing once it is removed
	Kind    string `json:"kind,omitempty"`    // user or token
	Token   string `json:"token,omitempty"`   // a new one
	Expires string `json:"expires,omitempty"` // RFC 3339
	Path    string `json:"path"`              // of the password file
}

// setPassword reads a password and keeps its hash.
func (f *fileOfPasswords) setPassword(ctx context.Context, c *console, name, scope string) error {
	path, err := f.prepare()
	if err != nil {
		return err
	}
	password, err := readPassword(ctx, c, os.Stdin, name)
	if err != nil {
		return err
	}
	hash, err := control.HashPassword(password)
	if err != nil {
		return fail(exitInput, "", err)
	}
	first, err := f.keep(path, name, scope, hash, time.Time{})
	if err != nil {
		return err
	}
	c.event("password", passwordEvent{Name: name, Scope: scope, Kind: "user", Path: path})
	c.note("the password of %s is in %s", name, path)
	tellFirst(c, first)
	return nil
}

// keep writes an entry of the password file. first says that there was no such file.
func (f *fileOfPasswords) keep(path, name, scope, hash string, expires time.Time) (first bool,
	err error) {
	allowed, err := control.ParseScope(scope)
	if err != nil {
		return false, fail(exitUsage, "--scope", err)
	}
	_, err = os.Lstat(path)
	first = errors.Is(err, fs.ErrNotExist)
	entry := control.Entry{Name: name, Scope: allowed, Hash: hash, Expires: expires}
	if err := control.SetPassword(path, entry); err != nil {
		return false, passwordsFailure(err)
	}
	return first, nil
}

// tellFirst says what the first entry of a password file changes.
func tellFirst(c *console, first bool) {
	if first {
		c.note("daemons that use this file, also those that run, now need a login over TCP; " +
			"their socket needs none")
	}
}

// readPassword asks for a password on a terminal, twice, or reads a line of in. It gives up when
// ctx ends.
func readPassword(ctx context.Context, c *console, in *os.File, name string) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		return firstLine(ctx, in)
	}
	fd := int(in.Fd())
	// A signal in the middle must not leave a terminal that shows nothing.
	if state, err := term.GetState(fd); err == nil {
		defer context.AfterFunc(ctx, func() { term.Restore(fd, state) })()
	}
	ask := func(prompt string) (string, error) {
		c.ask(prompt)
		text, err := awaitText(ctx, func() (string, error) {
			b, err := term.ReadPassword(fd)
			return string(b), err
		})
		c.ask("\n")
		return text, err
	}
	first, err := ask("password for " + escape(name) + ": ")
	if err != nil {
		return "", err
	}
	second, err := ask("the same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", fail(exitInput, "", errors.New("the passwords differ"))
	}
	return first, nil
}

// firstLine reads the first line of in, without its end.
func firstLine(ctx context.Context, in io.Reader) (string, error) {
	return awaitText(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(in, passwordMax+1)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	})
}

// awaitText returns what read returns, unless ctx ends before. Then the reading is left to
// itself, since nothing ends it but a line.
func awaitText(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return "", fail(exitInput, "standard input", r.err)
		}
		return r.text, nil
	case <-ctx.Done():
		return "", ended(ctx)
	}
}

// ask writes a prompt on standard error.
func (c *console) ask(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.stderr, s)
}
