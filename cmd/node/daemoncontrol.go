package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
)

// passwordsName is the name of the password file, beside the configuration file.
const passwordsName = "passwords"

// controlFlags say who may control the daemon, and how.
type controlFlags struct {
	socket   string
	group    string
	site     siteFlags
	torrents bool // have metrics of their own
}

func (f *controlFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.socket, "socket", "", "Unix socket by which commands control the daemon, a "+
		"`PATH`, or none (default: $XDG_RUNTIME_DIR/swarmnode/ctl.sock)")
	fs.StringVar(&f.group, "socket-group", "", "`GROUP` of users that may use the socket, too")
	f.site.register(fs, "serve the web page, streams, the API and metrics")
	fs.BoolVar(&f.torrents, "metrics-torrents", false,
		"serve metrics of each torrent, with its name, besides those of all")
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
	server  *control.Server
	network *swarmnode.Network
	site    *site
	apis    int    // how many of the addresses of server are those of the API, which are first
	rpcs    int    // how many of the next ones are those of the RPC; the rest are for metrics
	base    string // path of the RPC
}

// openControls listens for whoever controls the daemon. shutdown ends the command.
func (s *service) openControls(ctx context.Context, node swarmnode.Config, gate *control.Gate,
	lines *api.Log, shutdown func()) (*controls, error) {
	f, network := &s.flags.control, node.Network
	rpc, err := s.flags.rpc.handler(s, node, gate, shutdown)
	if err != nil {
		return nil, err
	}
	site := newSite(api.Config{
		Daemon: s.d, Gate: gate, Network: network, Log: lines,
		Reload: s.reloadFor, Shutdown: shutdown, Logger: s.c.log,
	}, f.torrents)
	local := http.NewServeMux()
	local.Handle("/", site)
	local.Handle(rpc.Base(), rpc)
	cfg := control.Config{Gate: gate, Network: network, Socket: f.socketPath(), Group: f.group,
		Local: local, Logger: s.c.log}
	cfg.TCP = f.site.listeners(site)
	apis, rpcs := len(cfg.TCP), s.flags.rpc.listeners(rpc)
	cfg.TCP = slices.Concat(cfg.TCP, rpcs, s.flags.metrics.listeners(site.numbers))
	server, err := control.Serve(ctx, cfg)
	if err != nil {
		site.close()
		return nil, s.flags.controlFailure(err)
	}
	return &controls{server, network, site, apis, len(rpcs), rpc.Base()}, nil
}

func (c *controls) close() {
	c.server.Close()
	c.site.close()
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
