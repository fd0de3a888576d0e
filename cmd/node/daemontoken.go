package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon/control"
)

func tokenCommand() *command {
	group := &command{
		name:  "token",
		short: "tokens by which programs control the daemon over HTTP",
		long: `A token stands in the header Authorization: Bearer TOKEN. Only its hash is kept
in the password file, so a token is shown once.`,
		children: []*command{tokenNewCommand(), tokenListCommand(), tokenRmCommand()},
	}
	for _, child := range group.children {
		child.parent = group
	}
	return group
}

func tokenNewCommand() *command {
	return &command{
		name:  "new",
		args:  "NAME",
		short: "make a token, and print it",
		long:  `A token of the same name is replaced.`,
		examples: []example{
			{"node token new --scope read grafana", "for a program that only looks"},
			{"node token new --expires 720h phone", "for a month"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f fileOfPasswords
			f.register(fs)
			scope := scopeFlag(fs, "control")
			var lasts timeValue
			fs.Var(&lasts, "expires", "time after which the token ends (default: never)")
			return func(_ context.Context, c *console, args []string) error {
				return f.newToken(c, args[0], scope.word, time.Duration(lasts))
			}
		},
	}
}

// newToken makes a token.
func (f *fileOfPasswords) newToken(c *console, name, scope string, lasts time.Duration) error {
	path, err := f.prepare()
	if err != nil {
		return err
	}
	token, hash := control.NewToken()
	e := passwordEvent{Name: name, Scope: scope, Kind: "token", Token: token, Path: path}
	var expires time.Time
	if lasts > 0 {
		expires = time.Now().Add(lasts)
		e.Expires = expires.UTC().Format(time.RFC3339)
	}
	first, err := f.keep(path, name, scope, hash, expires)
	if err != nil {
		return err
	}
	c.event("password", e)
	c.result(token)
	tellFirst(c, first)
	return nil
}

func tokenListCommand() *command {
	return &command{
		name:  "list",
		short: "list users and tokens, without their passwords",
		examples: []example{
			{"node token list", "name, kind, scope and end of each"},
		},
		setup: func(fs *pflag.FlagSet) action {
			var f fileOfPasswords
			f.register(fs)
			return func(_ context.Context, c *console, _ []string) error {
				return f.list(c, time.Now())
			}
		},
	}
}

// list prints the entries of the password file.
func (f *fileOfPasswords) list(c *console, now time.Time) error {
	path, err := f.find()
	if err != nil {
		return err
	}
	entries, err := control.ReadPasswords(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return passwordsFailure(err)
	}
	for _, entry := range entries {
		e := passwordEvent{Name: entry.Name, Scope: entry.Scope.String(), Kind: "user", Path: path}
		if entry.Token() {
			e.Kind = "token"
		}
		until := "never ends"
		if !entry.Expires.IsZero() {
			e.Expires = entry.Expires.UTC().Format(time.RFC3339)
			if until = "until " + e.Expires; entry.Expires.Before(now) {
				until = "ended " + e.Expires
			}
		}
		c.event("password", e)
		c.result(fmt.Sprintf("%-20s %-6s %-8s %s", e.Name, e.Kind, e.Scope, until))
	}
	return nil
}

func tokenRmCommand() *command {
	return &command{
		name:  "rm",
		args:  "NAME",
		short: "remove a token, which a running daemon refuses within a second",
		examples: []example{
			{"node token rm phone", "the token of that name"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f fileOfPasswords
			f.register(fs)
			return func(_ context.Context, c *console, args []string) error {
				return f.remove(c, args[0], true)
			}
		},
	}
}
