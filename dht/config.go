package dht

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
)

// ErrNotNow is returned by Config.Resolve when no name can be looked up at the moment, for a
// reason that the program reports itself, such as a proxy that is away. The node tries again
// later and says nothing.
var ErrNotNow = errors.New("names cannot be looked up now")

// Config says what a Node works with.
type Config struct {
	// Conns are the packet connections that the node reads and writes; those
	// bound to an IPv4 address serve the IPv4 DHT, those bound to an IPv6
	// address the IPv6 one. A connection bound to the unspecified IPv6 address
	// serves both when there is no IPv4 one. All connections of a family are read:
	// a query is answered from the connection where it came in; the node's own
	// queries leave from the first. The node does not close them.
	Conns []net.PacketConn

	// Bootstrap are the hosts that lead into the DHT: HOST:PORT each, as
	// ParseBootstrap returns them. A host may be a name.
	Bootstrap []string

	// State is what Save returned in an earlier run, or nil. Invalid parts are
	// ignored.
	State []byte

	// ReadOnly makes a node that asks but does not answer, BEP 43.
	ReadOnly bool

	// Router makes the table large and lifts the limit on answers: for a
	// bootstrap node.
	Router bool

	// EnforceID refuses nodes whose id violates BEP 42. Without it such nodes only
	// make room for valid ones.
	EnforceID bool

	// Blocked, when set, reports whether to ignore an address altogether. It is
	// called from one goroutine and must return soon.
	Blocked func(netip.Addr) bool

	// Seen, when set, is told at which address another node sees us, by each answer that
	// says so (BEP 42). It is called from one goroutine, must return soon, and must not call
	// methods of the Node.
	Seen func(by, as netip.AddrPort)

	// Limits bound what others can make the node do; zero fields mean the
	// defaults.
	Limits Limits

	// Logger gets a line per change of state. It may be nil.
	Logger *slog.Logger

	// Resolve looks up the addresses of a host name. Nil means the system's resolver. It may
	// return ErrNotNow.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Limits bound the memory and the traffic of a Node. A source is an IPv4 address,
// or the /64 of an IPv6 one. Limits per source exempt local addresses or allow
// them more.
type Limits struct {
	Hashes int // info-hashes with peers, per family; 2,000
	Peers  int // peers of one info-hash; 100
	Items  int // items of BEP 44; 700

	QueriesIn      int // queries per second from one source; 10
	QueriesInBurst int // 50
	ReplyBytes     int // bytes per second of all answers; 64 KiB, 16 MiB for a Router

	QueriesOut      int // queries of ours per second; 100
	QueriesOutBurst int // 400
	AddressesOut    int // distinct addresses queried per minute; 1,000
}

func (l Limits) withDefaults(router bool) Limits {
	replyBytes := 64 << 10
	if router {
		replyBytes = 16 << 20
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Hashes, 2000}, {&l.Peers, 100}, {&l.Items, 700},
		{&l.QueriesIn, 10}, {&l.QueriesInBurst, 50}, {&l.ReplyBytes, replyBytes},
		{&l.QueriesOut, 100}, {&l.QueriesOutBurst, 400}, {&l.AddressesOut, 1000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}
