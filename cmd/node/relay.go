package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/metrics"
)

func relayCommand() *command {
	return &command{
		name:  "relay",
		short: "lend an address to nodes that nobody can reach (TURN), within limits",
		long: `The relay is a TURN server (RFC 8656) beside a DHT node. Once it is known to be
public, it announces itself in the DHT and serves everybody within its limits: strangers
of two networks have reached its DHT port unasked. Both ports, and those that it
lends, must be open over UDP. It carries nothing but uTP and DHT messages, and keeps
no record of who talked to whom. With --user it serves these users at once. The
addresses of the DHT node are the first lines of standard output; how clients name the
relay follows. It runs until interrupted.`,
		examples: []example{
			{"node relay", "a relay for everybody, on port 3478, with a DHT node on port 6881"},
			{"node relay --user me:secret --lend 192.0.2.7",
				"for me, behind a NAT that maps all ports of 192.0.2.7"},
			{"node seed --relay turn:me:secret@192.0.2.7 FILE", "seed with that relay in reserve"},
		},
		setup: func(fs *pflag.FlagSet) action {
			f := bootstrapFlags{alone: true}
			f.listen.register(fs, bootstrapPort, portFixed)
			f.relay.register(fs)
			f.join.register(fs)
			f.join.registerEphemeral(fs)
			f.block.register(fs)
			f.metrics.register(fs)
			return f.run
		},
	}
}

// relayFlags describe a relay.
type relayFlags struct {
	fs          *pflag.FlagSet
	port        portValue
	lend, users listValue
	ports       portsValue
	rate, each  rateValue
	allocations countValue
}

// relayNames are the flags of a relay, in the order of the help.
var relayNames = []string{"relay-port", "lend", "lend-ports", "user", "relay-rate",
	"allocation-rate", "allocations"}

func (f *relayFlags) register(fs *pflag.FlagSet) {
	f.fs = fs
	f.port = portValue{port: swarmnode.RelayPort}
	fs.Var(&f.port, "relay-port", "port of the relay, over UDP and TCP; 0 for any")
	f.lend = listValue{kind: "IP", check: checkIP}
	fs.Var(&f.lend, "lend",
		"address whose ports are lent, one for IPv4 and one for IPv6 (default: the public ones of "+
			"this machine); a private one makes a relay for private networks, which serves "+
			"everybody there")
	fs.Var(&f.ports, "lend-ports", "ports that are lent (default: any)")
	f.users = listValue{kind: "NAME:PASSWORD"} // checked later: errors repeat what is wrong
	fs.Var(&f.users, "user",
		"user who is served in any case; may be repeated (passwords are better kept in SWARM_USER)")
	f.rate, f.each, f.allocations = 1_250_000, 250_000, 64
	fs.Var(&f.rate, "relay-rate", "limit of all relayed bytes per second")
	fs.Var(&f.each, "allocation-rate", "limit of each allocation, after 1 MiB more at once")
	fs.Var(&f.allocations, "allocations", "limit of addresses that are lent at one time")
}

// unused returns the first flag of a relay that was given, or nothing.
func (f *relayFlags) unused() string {
	for _, name := range relayNames {
		if f.fs.Changed(name) {
			return name
		}
	}
	return ""
}

// config returns what the flags describe.
func (f *relayFlags) config(c *console, n *swarmnode.Network,
	listen []netip.AddrPort) (swarmnode.RelayConfig, error) {
	cfg := swarmnode.RelayConfig{Network: n, Port: f.port.port, PortMin: f.ports.from,
		PortMax: f.ports.to, Users: make(map[string]string), Logger: c.log,
		Limits: swarmnode.RelayLimits{Rate: rateLimit(f.rate), TenantRate: rateLimit(f.each),
			Tenants: int(f.allocations)}}
	if slices.ContainsFunc(listen, func(a netip.AddrPort) bool { return a.Addr().IsValid() }) {
		cfg.Listen = listen
	}
	for _, s := range f.users.items {
		name, password, err := splitUser(s)
		if err != nil {
			return cfg, usage(c.command, err)
		}
		cfg.Users[name] = password
	}
	families := make(map[bool]bool)
	for _, s := range f.lend.items {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			continue // was checked when the flag was set
		}
		ip = ip.Unmap()
		if families[ip.Is4()] {
			return cfg, usage(c.command, errors.New("--lend names two addresses of one family"))
		}
		families[ip.Is4()] = true
		cfg.Lend = append(cfg.Lend, ip)
	}
	return cfg, nil
}

// rateLimit returns a rate for relay.Limits, where 0 means a default.
func rateLimit(v rateValue) int {
	if v == 0 || v > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(v)
}

// splitUser splits a value of --user. The error does not repeat it.
func splitUser(s string) (name, password string, err error) {
	name, password, ok := strings.Cut(s, ":")
	if !ok || name == "" || password == "" || len(name) > 64 || len(password) > 128 {
		return "", "", errors.New("--user: not NAME:PASSWORD, of at most 64 and 128 bytes")
	}
	return name, password, nil
}

// A portsValue is a flag of a range of ports; zero if it was not given.
type portsValue struct{ from, to uint16 }

func (v *portsValue) Type() string { return "MIN-MAX" }
func (v *portsValue) String() string {
	if v.to == 0 {
		return ""
	}
	return fmt.Sprintf("%d-%d", v.from, v.to)
}
func (v *portsValue) Set(s string) error {
	first, last, ok := strings.Cut(s, "-")
	from, err := strconv.ParseUint(first, 10, 16)
	to, err2 := strconv.ParseUint(last, 10, 16)
	if !ok || err != nil || err2 != nil || from < 1024 || to < from {
		return errors.New("not a range of ports such as 50000-50999, from 1024 on")
	}
	*v = portsValue{uint16(from), uint16(to)}
	return nil
}

// open starts the relay beside node.
func (f *relayFlags) open(ctx context.Context, c *console, node *swarmnode.DHTNode,
	cfg swarmnode.RelayConfig) (*swarmnode.RelayServer, error) {
	r, err := swarmnode.StartRelay(ctx, cfg, node)
	if err == nil {
		return r, nil
	}
	listen, ok := errors.AsType[*swarmnode.ListenError](err)
	switch {
	case !ok:
		return nil, fail(exitOther, "starting the relay", err)
	case listen.InUse():
		return nil, failWithHint(exitNetwork, "", fmt.Errorf("the relay cannot listen on %v: %w",
			listen.Addrs, errInUse), "another --relay-port, or --relay-port 0 for any")
	}
	return nil, bindFailure(listen.Addrs, listen.Err)
}

var errInUse = errors.New("the port is in use")

// relayLine returns what a line says about a relay.
func relayLine(s swarmnode.RelayState, users bool) string {
	to := "for everybody"
	switch {
	case s.Why == "":
	case users:
		to = "for its users"
	default:
		to = "for nobody yet"
	}
	before := s.Stats.Admitted - min(s.Stats.Admitted, uint64(s.Stats.Tenants))
	return fmt.Sprintf("relay %s  %s, %d before  %s relayed  refused %d", to,
		plural(s.Stats.Tenants, "allocation"), before, formatBytes(int64(s.Stats.RelayedBytes)),
		s.Stats.Refused)
}

// relay: what a relay does, when that changes and once a minute.
type relayEvent struct {
	URIs        []string `json:"uris"`          // as for --relay, without users
	Open        []string `json:"open"`          // families in which everybody is served
	Why         string   `json:"why,omitempty"` // why nobody but users is
	Announced   int      `json:"announced"`     // DHT nodes that know of it
	Allocations int      `json:"allocations"`   // at the moment
	Admitted    uint64   `json:"admitted"`      // since the start
	Refused     uint64   `json:"refused"`       // beyond the limits
	Denied      uint64   `json:"denied"`        // wrong credentials
	Relayed     uint64   `json:"relayed_bytes"` // payload
	OverLimit   uint64   `json:"over_limit"`    // datagrams lost to a limit
	Forbidden   uint64   `json:"forbidden"`     // datagrams and permits that nobody may have
}

func relayNews(s swarmnode.RelayState) relayEvent {
	e := relayEvent{URIs: s.URIs(), Open: []string{}, Why: s.Why, Announced: s.Announced,
		Allocations: s.Stats.Tenants, Admitted: s.Stats.Admitted, Refused: s.Stats.Refused,
		Denied: s.Stats.Denied, Relayed: s.Stats.RelayedBytes, OverLimit: s.Stats.OverLimit,
		Forbidden: s.Stats.Forbidden + s.Stats.GrantsRefused + s.Stats.Unpermitted + s.Stats.Unfit}
	if e.URIs == nil {
		e.URIs = []string{}
	}
	for i, family := range []string{"ipv4", "ipv6"} {
		if s.Open[i] {
			e.Open = append(e.Open, family)
		}
	}
	return e
}

// relayMetrics returns the metrics of a relay.
func relayMetrics(s swarmnode.RelayState) []metrics.Metric {
	open := func(family int) uint64 {
		if s.Open[family] {
			return 1
		}
		return 0
	}
	st := s.Stats
	const refused = "swarmnode_relay_refused_total"
	const lost = "swarmnode_relay_datagrams_refused_total"
	return metricsOf([]tallied{
		{"swarmnode_relay_open", "1 while everybody is served.", open(0), `family="ipv4"`},
		{"swarmnode_relay_open", "", open(1), `family="ipv6"`},
		{"swarmnode_relay_allocations", "Addresses that are lent.", uint64(st.Tenants), ""},
		{"swarmnode_relay_allocations_total", "Allocations since the start.", st.Admitted, ""},
		{refused, "Requests refused.", st.Refused, `reason="limit"`},
		{refused, "", st.Denied, `reason="credentials"`},
		{refused, "", st.Ignored, `reason="flood"`},
		{refused, "", st.Forbidden, `reason="address"`},
		{refused, "", st.GrantsRefused, `reason="permits"`},
		{"swarmnode_relay_datagrams_total", "Datagrams relayed.", st.Relayed, ""},
		{"swarmnode_relay_bytes_total", "Payload relayed.", st.RelayedBytes, ""},
		{lost, "Datagrams not relayed.", st.Unpermitted, `reason="permit"`},
		{lost, "", st.Unfit, `reason="payload"`},
		{lost, "", st.OverLimit, `reason="limit"`},
	})
}

// A relayWatch shows how a relay is doing. The zero value shows nothing.
type relayWatch struct {
	c     *console
	relay *swarmnode.RelayServer
	users bool
	last  swarmnode.RelayState
	told  bool
}

// line returns the line of the relay, which may be none.
func (w *relayWatch) line() []string {
	if w.relay == nil {
		return nil
	}
	return []string{relayLine(w.relay.State(), w.users)}
}

// metrics returns the metrics of the relay, which may be none.
func (w *relayWatch) metrics() []metrics.Metric {
	if w.relay == nil {
		return nil
	}
	return relayMetrics(w.relay.State())
}

// look tells of what has changed since the last call, or all of it if due.
func (w *relayWatch) look(due bool) {
	if w.relay == nil {
		return
	}
	s := w.relay.State()
	changed := !w.told || s.Open != w.last.Open || s.Why != w.last.Why ||
		!slices.Equal(s.Lent, w.last.Lent) || !slices.Equal(s.Listen, w.last.Listen)
	if changed || due {
		w.c.event("relay", relayNews(s))
	}
	if changed {
		w.c.note("%s", w.standing(s))
	}
	w.last, w.told = s, true
}

// standing says whom the relay serves.
func (w *relayWatch) standing(s swarmnode.RelayState) string {
	at := strings.Join(s.URIs(), " ")
	switch {
	case s.Why == "":
		return "relay for everybody at " + at
	case len(s.Lent) == 0:
		return fmt.Sprintf("relay not yet: %s (try: --lend ADDRESS)", s.Why)
	case w.users:
		return fmt.Sprintf("relay for its users at %s, not yet for everybody: %s", at, s.Why)
	}
	return fmt.Sprintf("relay at %s not yet for everybody: %s", at, s.Why)
}
