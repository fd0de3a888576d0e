package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
	"swarmnode/daemon/metrics"
	"swarmnode/daemon/stream"
	"swarmnode/daemon/tally"
	"swarmnode/daemon/web"
)

// siteFlags say where a site is served over TCP, and to whom.
type siteFlags struct {
	http      listValue
	passwords string
	hosts     listValue
}

// register adds the flags; what says what is served.
func (f *siteFlags) register(fs *pflag.FlagSet, what string) {
	f.http = listValue{kind: "ADDR", check: checkService}
	fs.Var(&f.http, "http", what+" at [HOST]:PORT (default host: loopback); beyond this "+
		"machine only with a password; may be repeated")
	fs.StringVar(&f.passwords, "password-file", "",
		"`FILE` of passwords and tokens, see node password (default: passwords beside the "+
			"configuration file, if it is there)")
	f.hosts = listValue{kind: "NAME", check: checkHostName}
	fs.Var(&f.hosts, "host",
		"name by which browsers reach the page, besides localhost and addresses; may be repeated")
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

// listeners returns where the site is served.
func (f *siteFlags) listeners(h http.Handler) (list []control.Listener) {
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
func (f *siteFlags) gate(config string, log *slog.Logger) (*control.Gate, error) {
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

// A site is what a daemon serves over HTTP: the web page, streams, the API and metrics.
type site struct {
	mux     *http.ServeMux
	numbers *http.ServeMux // metrics alone
	tally   *tally.Tally
	streams *stream.Handler
	viewers viewers
}

// newSite returns the site of a daemon; cfg needs no Tally. torrents says that each torrent has
// metrics of its own.
func newSite(cfg api.Config, torrents bool) *site {
	s := &site{mux: http.NewServeMux(), numbers: http.NewServeMux(), tally: tally.New(cfg.Daemon)}
	cfg.Tally = s.tally
	s.numbers.Handle(metrics.Path, metrics.New(metrics.Config{Daemon: cfg.Daemon, Tally: s.tally,
		Gate: cfg.Gate, Torrents: torrents}))
	s.mux.Handle(metrics.Path, s.numbers)
	s.mux.Handle(api.Base+"/", api.New(cfg))
	s.streams = stream.New(stream.Config{Daemon: cfg.Daemon, Gate: cfg.Gate, Logger: cfg.Logger})
	watched := s.viewers.count(s.streams)
	s.mux.Handle(stream.FilesPath, watched)
	s.mux.Handle(stream.VisitPath, watched)
	s.mux.Handle("/", web.Handler())
	return s
}

// ServeHTTP answers a request.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// pageURLs returns the URLs of the page that is served at an address, for this machine and for
// others.
func pageURLs(network *swarmnode.Network, at netip.AddrPort) (here string, others []string) {
	if !at.Addr().IsUnspecified() {
		return siteURL(at.String()), nil
	}
	for _, end := range localEndpoints(network, []netip.AddrPort{at}) {
		others = append(others, siteURL(end.String()))
	}
	return siteURL(net.JoinHostPort("localhost", strconv.Itoa(int(at.Port())))), others
}

// siteURL returns the URL of the page of a host.
func siteURL(host string) string { return "http://" + host + "/" }

// tellPage says where the page is.
func tellPage(c *console, network *swarmnode.Network, at netip.AddrPort) {
	here, others := pageURLs(network, at)
	line := "the page is at " + here
	if len(others) > 0 {
		line += ", and for other machines at " + strings.Join(others, " ")
	}
	c.note("%s", line)
}

// viewers counts the requests for streams that are open. It is safe for concurrent use.
type viewers struct {
	mu   sync.Mutex
	open int
	last time.Time // when one began or ended; zero if there was none
}

// count returns a handler that counts the requests to next.
func (v *viewers) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.add(1)
		defer v.add(-1)
		next.ServeHTTP(w, r)
	})
}

func (v *viewers) add(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open, v.last = v.open+n, time.Now()
}

// watch reports whether somebody watches, or has until less than patience ago.
func (v *viewers) watch(now time.Time, patience time.Duration) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open > 0 || !v.last.IsZero() && now.Sub(v.last) < patience
}

// close ends what the site does besides requests, which have ended. The daemon still runs.
func (s *site) close() {
	s.streams.Close()
	s.tally.Close()
}
