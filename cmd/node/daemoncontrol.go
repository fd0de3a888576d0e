package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
	"swarmnode/daemon/metrics"
	"swarmnode/daemon/tally"
)

// passwordsName is the name of the password file, beside the configuration file.
const passwordsName = "passwords"

// controlFlags say who may control the daemon, and how.
type controlFlags struct {
	socket    string
	group     string
	http      listValue
	passwords string
	hosts     listValue
	torrents  bool // have metrics of their own
}

func (f *controlFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.socket, "socket", "", "Unix socket by which commands control the daemon, a "+
		"`PATH`, or none (default: $XDG_RUNTIME_DIR/swarmnode/ctl.sock)")
	fs.StringVar(&f.group, "socket-group", "", "`GROUP` of users that may use the socket, too")
	f.http = listValue{kind: "ADDR", check: checkService}
	fs.Var(&f.http, "http", "serve the API and metrics at [HOST]:PORT (default host: loopback); beyond this "+
		"machine only with a password; may be repeated")
	fs.StringVar(&f.passwords, "password-file", "",
		"`FILE` of passwords and tokens, see node password (default: passwords beside the "+
			"configuration file, if it is there)")
	f.hosts = listValue{kind: "NAME", check: checkHostName}
	fs.Var(&f.hosts, "host",
		"name by which browsers reach the daemon, besides localhost and addresses; may be repeated")
	fs.BoolVar(&f.torrents, "metrics-torrents", false,
		"serve metrics of each torrent, with its name, besides those of all")
}

// checkService checks an address of a service over TCP.
func checkService(s string) error { return new(metricsValue).Set(s) }

// checkHostName checks the name of a host.
func checkHostName(s string) error {
	if s == "" || len(s) > 253 || strings.ContainsAny(s, ":/@ \t") {
		return errors.New("not the name of a host, without a port")
	}
	return nil
}

// serviceAddrs returns the addresses that the user gave for a service.
func serviceAddrs(list []string) (addrs []netip.AddrPort) {
	for _, s := range list {
		var v metricsValue
		if v.Set(s) == nil { // which was checked when the flag was set
			addrs = append(addrs, v.addr)
		}
	}
	return addrs
}

// listeners returns where the API is served.
func (f *controlFlags) listeners(h http.Handler) (list []control.Listener) {
	for _, addr := range serviceAddrs(f.http.items) {
		list = append(list, control.Listener{Name: "http", Addr: addr, Handler: h})
	}
	return list
}

// passwordFile returns the path of the password file. Unless the user named it, it may be that
// there is none.
func passwordFile(named, config string, getenv func(string) (string, bool)) (path string) {
	if named != "" {
		return named
	}
	file, own := findConfig(config, getenv)
	if file == "" || config == noConfig {
		file = own
	}
	if file == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(file), passwordsName)
}

// gate returns who may ask.
func (f *controlFlags) gate(config string, log *slog.Logger) (*control.Gate, error) {
	path := passwordFile(f.passwords, config, os.LookupEnv)
	gate, err := control.NewGate(control.GateConfig{Passwords: path, Optional: f.passwords == "",
		Hosts: f.hosts.items, Logger: log})
	if err != nil {
		return nil, passwordsFailure(err)
	}
	return gate, nil
}

// passwordsFailure returns the failure of a password file.
func passwordsFailure(err error) error {
	code, hint := exitInput, ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		code = exitDisk
	case errors.Is(err, fs.ErrNotExist):
		hint = program + " password"
	}
	return &failure{code: code, why: err, hint: hint}
}

// socketPath returns the path of the socket, "" for none.
func (f *controlFlags) socketPath() string {
	switch f.socket {
	case noConfig:
		return ""
	case "":
		return control.DefaultSocket()
	}
	return f.socket
}

// A controls is what controls a daemon: listeners, with what they serve.
type controls struct {
	server *control.Server
	tally  *tally.Tally
	apis   int    // how many of the addresses of server are those of the API, which are first
	rpcs   int    // how many of the next ones are those of the RPC; the rest are for metrics
	base   string // path of the RPC
}

// openControls listens for whoever controls the daemon. shutdown ends the command.
func (s *service) openControls(ctx context.Context, node swarmnode.Config, gate *control.Gate,
	lines *api.Log, shutdown func()) (*controls, error) {
	f, network := &s.flags.control, node.Network
	rpc, err := s.flags.rpc.handler(s, node, gate, shutdown)
	if err != nil {
		return nil, err
	}
	sums := tally.New(s.d)
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", api.New(api.Config{
		Daemon: s.d, Gate: gate, Tally: sums, Network: network, Log: lines,
		Reload: s.reloadFor, Shutdown: shutdown, Logger: s.c.log,
	}))
	numbers := http.NewServeMux()
	numbers.Handle(metrics.Path, metrics.New(metrics.Config{Daemon: s.d, Tally: sums, Gate: gate,
		Torrents: f.torrents}))
	mux.Handle(metrics.Path, numbers)
	local := http.NewServeMux()
	local.Handle("/", mux)
	local.Handle(rpc.Base(), rpc)
	cfg := control.Config{Gate: gate, Network: network, Socket: f.socketPath(), Group: f.group,
		Local: local, Logger: s.c.log}
	cfg.TCP = f.listeners(mux)
	apis, rpcs := len(cfg.TCP), s.flags.rpc.listeners(rpc)
	cfg.TCP = slices.Concat(cfg.TCP, rpcs, s.flags.metrics.listeners(numbers))
	server, err := control.Serve(ctx, cfg)
	if err != nil {
		sums.Close()
		return nil, s.flags.controlFailure(err)
	}
	return &controls{server, sums, apis, len(rpcs), rpc.Base()}, nil
}

func (c *controls) close() {
	c.server.Close()
	c.tally.Close()
}

// controlFailure returns the failure of a listener for controls.
func (f *daemonFlags) controlFailure(err error) error {
	if none, ok := errors.AsType[*control.NoPasswordError](err); ok {
		return f.wrong(none.Listener.Name, none)
	}
	if bind, ok := errors.AsType[*control.BindError](err); ok {
		return &failure{code: exitNetwork, why: bind, hint: "another --" + bind.Listener.Name}
	}
	socket, ok := errors.AsType[*control.SocketError](err)
	switch {
	case !ok:
		return fail(exitOther, "", err)
	case errors.Is(err, control.ErrInUse):
		return failWithHint(exitNetwork, socket.Path, socket.Err, "another --socket, or none")
	}
	return failWithHint(exitDisk, socket.Path, socket.Err, "another --socket, or none")
}

// reloadFor reads the configuration again for a control.
func (s *service) reloadFor(ctx context.Context) (api.Reloaded, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadTime)
	defer cancel()
	return s.reload(ctx)
}

// reloadTime bounds a reload that a control asked for: servers of blocklists may be slow.
const reloadTime = time.Minute
