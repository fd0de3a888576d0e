package core

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
	"swarmnode/swarm/wire"
)

// idShown is how many bytes of a peer id a dump keeps: those that name the program.
const idShown = 8

// A disguise replaces what a dump must not tell. Equal things stay equal, and what the core
// concludes from an address stays true.
type disguise struct {
	hosts  map[netip.Addr]netip.Addr
	groups map[netip.Prefix]group // the networks
	of     map[netip.Prefix]int   // how many groups there are in each class
	idRank map[[20]byte]int       // in the order of the ids
}

// A group is a network, or a part of one: its number among those of its kind, and how many
// members it has.
type group struct{ number, members int }

func newDisguise() *disguise {
	return &disguise{hosts: map[netip.Addr]netip.Addr{}, groups: map[netip.Prefix]group{},
		of: map[netip.Prefix]int{}, idRank: map[[20]byte]int{}}
}

// ids ranks the ids of all peers, and ours. Which of two ids is the greater decides which
// of two connections stays.
func (d *disguise) ids(ours [20]byte, entries []entry) {
	d.idRank[ours] = 0
	for k := range entries {
		if e := &entries[k]; e.kind == Connected && len(e.body) == helloLen {
			d.idRank[[20]byte(e.body[8:28])] = 0
		}
	}
	list := slices.SortedFunc(maps.Keys(d.idRank), func(a, b [20]byte) int {
		return bytes.Compare(a[:], b[:])
	})
	for rank, id := range list {
		d.idRank[id] = rank
	}
}

// id returns a peer id in disguise.
func (d *disguise) id(id [20]byte) (hidden [20]byte) {
	copy(hidden[:], id[:idShown])
	binary.BigEndian.PutUint64(hidden[12:], uint64(d.idRank[id]))
	return hidden
}

// endpoint returns an endpoint in disguise.
func (d *disguise) endpoint(e endpoint.Endpoint) endpoint.Endpoint {
	if e.Network != endpoint.NetworkIP {
		return e
	}
	return endpoint.IP(d.addrPort(e.Addr))
}

func (d *disguise) addrPort(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(d.addr(a.Addr()), a.Port())
}

// The classes of addresses that the core tells apart, and where each lies in a dump: an
// address of the first prefix that contains it becomes one of the second.
var classes = [...]struct{ from, to netip.Prefix }{
	{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")},
	{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("172.16.0.0/12")},
	{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("192.168.0.0/16")},
	{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("169.254.0.0/16")},
	{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("100.64.0.0/10")},
	{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("20.0.0.0/6")},
	{netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fc00::/16")},
	{netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fe80::/16")},
	{netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("fec0::/16")},
	{netip.MustParsePrefix("::/0"), netip.MustParsePrefix("2a00::/16")},
}

// kept reports whether an address says nothing of anybody, as 127.0.0.1 does.
func kept(ip netip.Addr) bool {
	return !ip.IsValid() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() ||
		!book.Usable(endpoint.IP(netip.AddrPortFrom(ip, 1)))
}

// addr returns an address in disguise.
func (d *disguise) addr(ip netip.Addr) netip.Addr {
	ip = limit.Unwrap(ip)
	if kept(ip) {
		return ip
	}
	if hidden, ok := d.hosts[ip]; ok {
		return hidden
	}
	at := slices.IndexFunc(classes[:], func(c struct{ from, to netip.Prefix }) bool {
		return c.from.Contains(ip)
	})
	to := classes[at].to
	network := limit.NetworkOf(ip)
	g := d.join(network, to)
	b := to.Addr().As16()
	if ip.Is4() {
		base := binary.BigEndian.Uint32(b[12:])
		binary.BigEndian.PutUint32(b[12:], base+uint32(g.number)<<8+uint32(g.members)&0xff)
	} else {
		subnet := d.join(netip.PrefixFrom(limit.SourceOf(ip), 64), network)
		binary.BigEndian.PutUint32(b[2:], uint32(g.number))
		binary.BigEndian.PutUint16(b[6:], uint16(subnet.number))
		binary.BigEndian.PutUint64(b[8:], uint64(subnet.members))
	}
	hidden := netip.AddrFrom16(b).Unmap()
	d.hosts[ip] = hidden
	return hidden
}

// join counts one more member of a group, and numbers the group within what it is in.
func (d *disguise) join(p, in netip.Prefix) group {
	g, ok := d.groups[p]
	if !ok {
		g.number = d.of[in]
		d.of[in]++
	}
	g.members++
	d.groups[p] = g
	return g
}

// helloLen is the length of a handshake in an entry: the reserved bytes, the peer id and
// the info-hash. In a dump a byte says which info-hash it is.
const (
	helloLen       = 8 + 20 + 20
	helloHiddenLen = 8 + 20 + 1
)

// hide puts an entry into disguise.
func (d *dumper) hide(e *entry) {
	e.endpoint = d.meet(e.endpoint)
	switch {
	case e.kind == didSetOwn:
		var own []byte
		for b := e.body; len(b) > 0; {
			var at endpoint.Endpoint
			at, b = parseEndpoint(b)
			own = appendEndpoint(own, d.meet(at))
		}
		e.body = own
	case e.kind == Connected && len(e.body) == helloLen:
		id := d.disguise.id([20]byte(e.body[8:28]))
		hash := d.whose(metainfo.Hash(e.body[28:]))
		e.body = append(append(slices.Clone(e.body[:8]), id[:]...), hash)
	case e.kind == Received && e.msg == wire.Extended:
		e.body = d.hideExtended(e)
	case e.kind == Received && e.msg == wire.HashRequest:
		e.body = nil // it names a file
		e.marks |= markShort
	}
}

// whose returns 0 for the info-hash of the torrent, 1 for that of its v2 side, and 2 for
// any other.
func (d *dumper) whose(h metainfo.Hash) byte {
	switch {
	case h == d.t.cfg.InfoHash:
		return 0
	case d.t.hashes.isLong(h):
		return 1
	}
	return 2
}

// unreadable stands for a payload that cannot be read.
var unreadable = []byte{'x'}

// hideExtended returns the payload of a message of the extension protocol in disguise, with
// nothing but what this program reads of it.
func (d *dumper) hideExtended(e *entry) []byte {
	if len(e.body) == 0 {
		return unreadable
	}
	switch wire.Extension(e.ext) {
	case wire.ExtHandshakeNumber:
		h, err := wire.ParseExtHandshake(e.body)
		if err != nil {
			return unreadable
		}
		if at := d.peerAt(e.peer); h.Port != 0 && at.IsValid() {
			d.meet(endpoint.IP(netip.AddrPortFrom(at, h.Port)))
		}
		for k := range h.Relays {
			if h.Relays[k].IsValid() {
				h.Relays[k] = d.meet(endpoint.IP(h.Relays[k])).Addr
			}
		}
		h.YourIP, h.IPv4, h.IPv6 = d.disguise.addr(h.YourIP), netip.Addr{}, netip.Addr{}
		return wire.AppendExtHandshake(nil, h)
	case wire.ExtMetadata:
		if len(e.body) != summaryLen {
			return unreadable
		}
		b := slices.Clone(e.body[:summaryLen-8])
		return append(b, d.isRight(e.body))
	case wire.ExtPEX:
		m, err := wire.ParsePEX(e.body)
		if err != nil {
			return unreadable
		}
		for k := range m.Added {
			m.Added[k].Addr = d.meet(endpoint.IP(m.Added[k].Addr)).Addr
		}
		for k := range m.Dropped {
			m.Dropped[k] = d.disguise.addrPort(m.Dropped[k])
		}
		return wire.AppendPEX(nil, m)
	case wire.ExtHolepunch:
		if m, err := wire.ParseHolepunch(e.body); err == nil {
			m.Addr = d.meet(endpoint.IP(m.Addr)).Addr
			return wire.AppendHolepunch(nil, m)
		}
	case wire.ExtDontHave:
		if piece, err := wire.ParseDontHave(e.body); err == nil {
			return wire.AppendDontHave(nil, piece)
		}
	case wire.ExtUploadOnly:
		if only, err := wire.ParseUploadOnly(e.body); err == nil {
			return wire.AppendUploadOnly(nil, only)
		}
	}
	return unreadable
}

// isRight returns 1 if the data of a message of ut_metadata is what the info dictionary has
// there, and 0 if not, or if the dictionary is not known.
func (d *dumper) isRight(summary []byte) byte {
	if d.t.info == nil {
		return 0
	}
	raw := d.t.info.Raw()
	begin := int64(binary.BigEndian.Uint32(summary[1:])) * wire.MetadataBlock
	end := begin + int64(binary.BigEndian.Uint32(summary[13:]))
	if end > int64(len(raw)) || fnv64(raw[begin:end]) != binary.BigEndian.Uint64(summary[17:]) {
		return 0
	}
	return 1
}

// peerAt returns the address of a connection that the record has.
func (d *dumper) peerAt(ref PeerRef) netip.Addr {
	if p := d.t.peers.live(ref); p != nil {
		return p.endpoint.Host()
	}
	for k := range d.entries {
		if e := &d.entries[k]; e.kind == Connected && e.peer == ref {
			return e.endpoint.Host()
		}
	}
	return netip.Addr{}
}
