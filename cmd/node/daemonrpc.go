package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/control"
	"swarmnode/daemon/transmission"
)

// rpcPort is the port of Transmission's RPC, which its front ends try first.
const rpcPort = 9091

// rpcFlags say where the daemon answers front ends of Transmission.
type rpcFlags struct {
	addrs listValue
	base  string
	web   string
	allow listValue
}

func (f *rpcFlags) register(fs *pflag.FlagSet) {
	f.addrs = listValue{kind: "ADDR", check: func(s string) error {
		_, err := parseRPC(s)
		return err
	}}
	fs.Var(&f.addrs, "rpc", fmt.Sprintf("serve front ends of Transmission at [HOST][:PORT] "+
		"(default: loopback, port %d); beyond this machine only with a password; may be repeated",
		rpcPort))
	fs.StringVar(&f.base, "rpc-path", "/transmission/", "`PATH` below which the RPC answers")
	fs.StringVar(&f.web, "rpc-web", "", "`FOLDER` with a web client of Transmission")
	f.allow = listValue{kind: "NETWORK", check: func(s string) error {
		_, err := parseNetwork(s)
		return err
	}}
	fs.Var(&f.allow, "rpc-allow", "address or network, as 192.168.1.0/24, of front ends that are "+
		"served, and no others; may be repeated")
}

// parseRPC reads an address for the RPC, whose parts may be left out.
func parseRPC(s string) (netip.AddrPort, error) {
	wrong := errors.New("not an address such as :9091, 192.0.2.1 or [2001:db8::1]:9091")
	if s == "" {
		return netip.AddrPort{}, wrong
	}
	a, err := parseListen(s)
	if err != nil {
		return netip.AddrPort{}, wrong
	}
	if !a.host.IsValid() {
		a.host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if !a.given {
		a.port = rpcPort
	}
	return netip.AddrPortFrom(a.host, a.port), nil
}

// parseNetwork reads a network, or an address, which is the network of itself.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.Prefix(addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("not an address, or a network such as 192.168.1.0/24")
	}
	return p, nil
}

// listeners returns where the RPC is served.
func (f *rpcFlags) listeners(h http.Handler) (list []control.Listener) {
	for _, s := range f.addrs.items {
		if addr, err := parseRPC(s); err == nil { // which was checked when the flag was set
			list = append(list, control.Listener{Name: "rpc", Addr: addr, Handler: h})
		}
	}
	return list
}

// handler returns what answers front ends.
func (f *rpcFlags) handler(s *service, node swarmnode.Config, gate *control.Gate,
	shutdown func()) (*transmission.Handler, error) {
	cfg := transmission.Config{Daemon: s.d, Node: node, Gate: gate, Base: f.base, Web: f.web,
		Shutdown: shutdown, Logger: s.c.log}
	for _, network := range f.allow.items {
		if p, err := parseNetwork(network); err == nil {
			cfg.Allow = append(cfg.Allow, p)
		}
	}
	h, err := transmission.New(cfg)
	if err == nil {
		return h, nil
	}
	return nil, s.flags.wrong("rpc-web", webFailure(err))
}

// webFailure returns the failure of a folder for a web client.
func webFailure(err error) error {
	return failWithHint(exitDisk, "", err, "a folder with the files of a web client")
}

// checkWeb returns the failure of a folder for a web client that is none, before the daemon
// starts.
func (f *rpcFlags) checkWeb() error {
	if f.web == "" {
		return nil
	}
	path, err := filepath.Abs(f.web)
	if err == nil {
		f.web = path
		var info os.FileInfo
		if info, err = os.Stat(path); err == nil && !info.IsDir() {
			err = errors.New("it is not a folder")
		}
	}
	if err != nil {
		return webFailure(fmt.Errorf("%s: %w", quoteSource(f.web), plain(err)))
	}
	return nil
}

// rpcURL returns the URL of the RPC at an address.
func rpcURL(addr netip.AddrPort, base string) string {
	return "http://" + addr.String() + strings.TrimSuffix(base, "/") + "/rpc"
}
