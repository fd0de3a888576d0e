package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"

	"swarmnode/swarm/egress"
)

const (
	// lifetimeMin and lifetimeMax bound the lifetime of an allocation, whatever the server
	// says. A server gives ten minutes by default (RFC 8656, section 3.2).
	lifetimeMin = 20 * time.Second
	lifetimeMax = time.Hour
	// streamWait is how long a request over TCP may take: the connection itself may have to
	// repeat packets.
	streamWait = 6 * time.Second
	// addressesMax is how many addresses of a server are tried.
	addressesMax = 4
	// udpWait is how long UDP is tried before TCP, for each address.
	udpWait = 2 * time.Second
)

// Config says which server to use, and how.
type Config struct {
	// Net makes the sockets and looks the server up. Nil leaves that to the system.
	Net    *egress.Net
	Server URI
	// Shared is the port that UDP goes through. Nil makes a socket for the allocation.
	Shared *Shared
	// Local is the address of ours for sockets, if it is valid.
	Local netip.Addr
	// Family is that of the relayed address, IPv4 or IPv6. Any is that of the server.
	Family egress.Family
	// Knock is told of hosts without a permit that begin a uTP connection to the relayed
	// address, and returns soon. If Permit lets such a host in within three seconds, the
	// connection goes on. Nil tells nobody. Only servers of this package pass such datagrams on.
	Knock func(host netip.Addr)
	// Log gets a line when the allocation begins and when it is lost. It may be nil.
	Log *slog.Logger
}

// Dial asks the server for an allocation. The caller must Close it. The error is ErrNoAnswer,
// a *ServerError, one of egress, or that of the context.
func Dial(ctx context.Context, cfg Config) (*Allocation, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a, err := dial(ctx, &cfg)
	if err != nil {
		return nil, fmt.Errorf("asking %v for an allocation: %w", cfg.Server, err)
	}
	cfg.Log.Info("relay: have an allocation", "server", cfg.Server.String(),
		"relayed", a.relayed.String())
	return a, nil
}

// dial tries the transports in turn: two attempts at a time would exceed the quota of a server
// that is careful.
func dial(ctx context.Context, cfg *Config) (*Allocation, error) {
	var failed error
	if cfg.Server.Transport != TCP {
		a, err := dialUDP(ctx, cfg)
		if err == nil {
			return a, nil
		}
		var refusal *ServerError
		if cfg.Server.Transport == UDP || errors.As(err, &refusal) || ctx.Err() != nil {
			return nil, err
		}
		failed = err
	}
	a, err := dialTCP(ctx, cfg)
	if err != nil && failed != nil && !errors.As(err, new(*ServerError)) {
		err = fmt.Errorf("over UDP: %w; over TCP: %w", failed, err)
	}
	return a, err
}

// dialUDP tries the addresses of the server until one answers.
func dialUDP(ctx context.Context, cfg *Config) (*Allocation, error) {
	addrs, err := resolve(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, server := range addrs {
		var a *Allocation
		if a, err = allocateUDP(ctx, cfg, server); err == nil {
			return a, nil
		}
		if errors.As(err, new(*ServerError)) || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// resolve returns the addresses of the server, at least one.
func resolve(ctx context.Context, cfg *Config) (addrs []netip.AddrPort, err error) {
	var ips []netip.Addr
	if ip, parsed := netip.ParseAddr(cfg.Server.Host); parsed == nil {
		ips = []netip.Addr{ip.Unmap()}
	} else if ips, err = cfg.Net.LookupNetIP(ctx, cfg.Net.Family(), cfg.Server.Host); err != nil {
		return nil, err
	}
	for _, ip := range ips[:min(len(ips), addressesMax)] {
		addr := netip.AddrPortFrom(ip.Unmap(), cfg.Server.Port)
		if cfg.Shared != nil && addr.Addr().Is4() != cfg.Shared.mux.AddrPort().Addr().Is4() {
			continue
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("no address of the port's family: %w", egress.ErrFamily)
	}
	return addrs, nil
}

// allocateUDP asks one address of the server.
func allocateUDP(ctx context.Context, cfg *Config, server netip.AddrPort) (*Allocation, error) {
	a := newAllocation(cfg, server)
	if cfg.Shared != nil {
		leg, err := cfg.Shared.leg(server, a.arrived)
		if err != nil {
			return nil, err
		}
		a.leg = leg
	} else {
		conn, err := cfg.Net.DialUDP(localFor(cfg, server.Addr()), server)
		if err != nil {
			return nil, err
		}
		a.leg = newDatagramLeg(conn, a.arrived, a.suspect)
	}
	if cfg.Server.Transport == UDP {
		return a.begin(ctx, cfg, answerWait)
	}
	return a.begin(ctx, cfg, udpWait)
}

// dialTCP connects to the server and asks it for an allocation.
func dialTCP(ctx context.Context, cfg *Config) (*Allocation, error) {
	conn, err := cfg.Net.DialHost(ctx, egress.Host{
		Name: cfg.Server.Host, Port: cfg.Server.Port, Family: cfg.Net.Family(),
		Local: func(remote netip.Addr) netip.Addr { return localFor(cfg, remote) },
	})
	if err != nil {
		return nil, err
	}
	a := newAllocation(cfg, addrPortOf(conn.RemoteAddr()))
	a.leg = newStreamLeg(conn, a.arrived, a.fail)
	return a.begin(ctx, cfg, streamWait)
}

// localFor returns the address of ours to reach an address from.
func localFor(cfg *Config, remote netip.Addr) netip.Addr {
	if cfg.Local.Is4() == remote.Is4() {
		return cfg.Local
	}
	return netip.Addr{}
}

// begin asks for the allocation, and starts what keeps it. Without success it closes the leg.
func (a *Allocation) begin(ctx context.Context, cfg *Config, patience time.Duration) (
	*Allocation, error,
) {
	a.patience = patience
	answer, err := a.allocate(ctx, cfg.Family)
	a.patience = max(patience, answerWait)
	if err == nil {
		err = a.accept(answer)
	}
	if err != nil {
		a.end(err)
		a.leg.close()
		return nil, err
	}
	a.signal() // for the first request of the keeper
	a.keeper.Go(a.keep)
	return a, nil
}

// allocate sends the Allocate request (RFC 8656, section 7.1). A server that still has an
// allocation for our port, of a run of ours that did not end well, may need a moment.
func (a *Allocation) allocate(ctx context.Context, family egress.Family) (*stun.Message, error) {
	attrs := []stun.Setter{stun.RawAttribute{Type: stun.AttrRequestedTransport,
		Value: []byte{protocolUDP, 0, 0, 0}}}
	six := family == egress.IPv6 || family == egress.Any && a.server.Addr().Is6()
	if six {
		attrs = append(attrs, stun.RawAttribute{Type: stun.AttrRequestedAddressFamily,
			Value: []byte{familyIPv6, 0, 0, 0}})
	}
	for try := 1; ; try++ {
		m, err := a.request(ctx, a.patience, stun.MethodAllocate, attrs...)
		var refusal *ServerError
		if !errors.As(err, &refusal) || refusal.Code != mismatch || try == allocateTries {
			return m, err
		}
		if err := a.pause(ctx, allocatePause); err != nil {
			return nil, err
		}
	}
}

const (
	mismatch      = 437 // Allocation Mismatch (RFC 8656, section 19)
	allocateTries = 3
	allocatePause = 200 * time.Millisecond
)

const (
	protocolUDP = 17   // RFC 8656, section 18.8
	familyIPv6  = 0x02 // RFC 8656, section 18.6
)

// accept takes from the answer what the server has given us.
func (a *Allocation) accept(m *stun.Message) error {
	var ok bool
	if a.relayed, ok = addressIn(m, stun.AttrXORRelayedAddress); !ok {
		return ErrAnswer
	}
	a.mapped, _ = addressIn(m, stun.AttrXORMappedAddress)
	a.lifetime = lifetimeIn(m)
	a.refreshed = a.now()
	return nil
}

// lifetimeIn returns the lifetime of an allocation in an answer.
func lifetimeIn(m *stun.Message) time.Duration {
	v, err := m.Get(stun.AttrLifetime)
	if err != nil || len(v) != 4 {
		return lifetimeMin
	}
	s := time.Duration(v[0])<<24 | time.Duration(v[1])<<16 | time.Duration(v[2])<<8 |
		time.Duration(v[3])
	return min(max(s*time.Second, lifetimeMin), lifetimeMax)
}

// addrPortOf returns an address of a socket, an IPv4 address as such.
func addrPortOf(a net.Addr) netip.AddrPort {
	with, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	return plain(with.AddrPort())
}

// plain returns a with an IPv4 address as such.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
