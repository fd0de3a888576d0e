package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// tokenVariable has the token by which commands log in at a daemon over HTTP. It is no flag,
// because other users of a machine see the command lines of its processes.
const tokenVariable = envPrefix + "TOKEN"

// remoteFlags say which daemon a command talks to.
type remoteFlags struct {
	socket string
	daemon string
	netrc  string
}

func (f *remoteFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.socket, "socket", "", "`PATH` of the socket of the daemon (default: that of "+
		"the user's daemon, or of the system's)")
	f.registerURL(fs)
}

// registerURL adds the flags for a daemon that is reached over HTTP.
func (f *remoteFlags) registerURL(fs *pflag.FlagSet) {
	fs.StringVar(&f.daemon, "daemon", "", "`URL` of a daemon with --http, in place of a socket")
	fs.StringVar(&f.netrc, "netrc", "", "`FILE` with the login for --daemon, unless "+
		tokenVariable+" is set (default: ~/.netrc)")
}

// away reports whether the daemon may run on another machine, whose folders are others.
func (f *remoteFlags) away() bool { return f.daemon != "" }

// connect returns a client of the daemon. The socket is looked for, but nothing is sent.
func (f *remoteFlags) connect(ctx context.Context, c *console) (*client.Client, error) {
	cfg := client.Config{Agent: "swarmnode/" + swarmnode.Version}
	var err error
	switch {
	case f.daemon != "":
		cfg.URL = f.daemon
		if err := f.login(&cfg); err != nil {
			return nil, err
		}
	case f.socket == noConfig:
		return nil, usage(c.command, errors.New("--socket none: no daemon is named"))
	case f.socket != "":
		cfg.Socket, err = filepath.Abs(f.socket)
	default:
		cfg.Socket, _ = client.FindSocket(ctx)
	}
	if err != nil {
		return nil, fail(exitOther, f.socket, err)
	}
	remote, err := client.New(cfg)
	if err != nil {
		return nil, usage(c.command, fmt.Errorf("--daemon %s: %w", quoteSource(f.daemon), err))
	}
	return remote, nil
}

// login finds the login for a daemon over HTTP: a token of the environment, or else the entry
// for its host in a file.
func (f *remoteFlags) login(cfg *client.Config) error {
	if cfg.Token = os.Getenv(tokenVariable); cfg.Token != "" {
		return nil
	}
	at, err := url.Parse(f.daemon)
	if err != nil || at.User != nil {
		return nil // client.New says what is wrong
	}
	path := f.netrc
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(home, ".netrc")
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fail(exitInput, path, err)
	}
	user, secret, err := client.ReadNetrc(path, at.Hostname())
	if err != nil {
		wrong, ok := errors.AsType[*client.NetrcError](err)
		if !ok {
			return err
		}
		return fail(exitDisk, wrong.Path, wrong.Err)
	}
	if user == "" {
		cfg.Token = secret
	} else {
		cfg.User, cfg.Password = user, secret
	}
	return nil
}

// remoteFailure returns the failure of a request to a daemon. what is what it was about, and may
// be empty.
func remoteFailure(what string, err error) error {
	if err == nil {
		return nil
	}
	if away, ok := errors.AsType[*client.UnreachableError](err); ok {
		if client.NoDaemon(err) {
			return failWithHint(exitDaemon, away.Where, errors.New("no daemon runs here"),
				program+" daemon")
		}
		return fail(exitDaemon, away.Where, away.Err)
	}
	p, ok := errors.AsType[*api.Problem](err)
	if !ok {
		return err
	}
	why := errors.New(p.Detail)
	switch p.Status {
	case http.StatusUnauthorized:
		return failWithHint(exitDaemon, what, why, tokenVariable+", or --netrc")
	case http.StatusForbidden, http.StatusMisdirectedRequest, http.StatusTooManyRequests,
		http.StatusServiceUnavailable:
		return fail(exitDaemon, what, why)
	case http.StatusBadGateway:
		return fail(exitNetwork, what, why)
	case http.StatusInsufficientStorage:
		return fail(exitDisk, what, why)
	case http.StatusConflict:
		if p.ID != 0 {
			return fail(exitExists, what, fmt.Errorf("%w: %d %s", why, p.ID, p.Hash))
		}
		return fail(exitInput, what, why)
	}
	if p.Status < http.StatusInternalServerError {
		return fail(exitInput, what, why)
	}
	return fail(exitOther, what, why)
}

// A remoteAction is a command with a connection to a daemon.
type remoteAction func(ctx context.Context, c *console, d *client.Client, args []string) error

// with returns the action of a command that talks to the daemon that f names.
func (f *remoteFlags) with(run remoteAction) action {
	return func(ctx context.Context, c *console, args []string) error {
		d, err := f.connect(ctx, c)
		if err != nil {
			return err
		}
		defer d.Close()
		return remoteFailure("", run(ctx, c, d, args))
	}
}

// typedKey is the annotation of a flag that the command line alone sets: neither the environment
// nor the configuration file changes torrents.
const typedKey = "typed"

// typedFlags adds flags that the command line alone sets.
func typedFlags(fs *pflag.FlagSet, register func(own *pflag.FlagSet)) {
	own := newFlags("")
	register(own)
	own.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{typedKey: {""}} })
	fs.AddFlagSet(own)
}

// isTyped reports whether the command line alone sets a flag.
func isTyped(f *pflag.Flag) bool { return f.Annotations[typedKey] != nil }
