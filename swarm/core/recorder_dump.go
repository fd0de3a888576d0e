package core

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// dumpVersion is the first line of a dump. Its number grows when older programs cannot
// read a dump any more.
const dumpVersion = "swarmnode dump 1"

// WriteEvents writes a dump of the torrent to w: its settings, the shape of its content, and
// the last events, oldest first, as ReadDump reads them. Events of a torrent since New
// can be replayed exactly, unless there were more than are remembered.
//
// A dump can be given away. It has no names, no content and no hashes but the first four
// bytes of the info-hash. In place of addresses it has made-up ones, which keep what
// counts of them: the family, which share a host or a network, and which are local. Peer ids
// keep the eight bytes that name the program. Somebody who has the torrent and a guess of
// a peer's network can confirm the guess if the peer requested pieces by BEP 6 while it was
// choked, because the pieces follow from the network.
func (t *Torrent) WriteEvents(w io.Writer) error {
	d := dumper{t: t, w: bufio.NewWriter(w), disguise: newDisguise(),
		entries: t.recorder.entries(), endpoints: map[endpoint.Endpoint]endpoint.Endpoint{}}
	d.disguise.ids(t.cfg.PeerID, d.entries)
	d.header()
	d.shape()
	events := d.events()
	d.ranks()
	d.grants()
	if t.recorder.lost() > 0 {
		d.state()
	}
	d.line("events", "all", u(t.recorder.events), "lost", u(t.recorder.lost()), "from",
		strconv.FormatInt(int64(t.now), 10))
	d.w.WriteString(events)
	d.line("end", "actions", u(t.out.total()), "digest", u(t.out.digest64()))
	if err := d.w.Flush(); err != nil {
		return fmt.Errorf("writing recorded events: %w", err)
	}
	return nil
}

// A dumper writes the dump of a torrent. The lines of a dump are words; after the first
// one come names and values in turn, as name=value.
type dumper struct {
	t         *Torrent
	w         *bufio.Writer
	disguise  *disguise
	entries   []entry
	endpoints map[endpoint.Endpoint]endpoint.Endpoint // those met, in disguise
}

func u(n uint64) string { return strconv.FormatUint(n, 10) }
func i(n int) string    { return strconv.Itoa(n) }

// line writes a line. Pairs with an empty value are left out.
func (d *dumper) line(word string, pairs ...string) {
	d.w.WriteString(word)
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			d.w.WriteString(" " + pair[0] + "=" + pair[1])
		}
	}
	d.w.WriteByte('\n')
}

// header writes what the torrent was made with.
func (d *dumper) header() {
	c := &d.t.cfg
	d.w.WriteString(dumpVersion + "\n")
	var home, flags []string
	for _, ip := range c.Home {
		home = append(home, d.disguise.addr(ip).String())
	}
	for _, f := range [...]struct {
		name string
		on   bool
	}{
		{"metadata-only", c.MetadataOnly}, {"super-seed", c.SuperSeed}, {"private", c.Private},
		{"peers-only", c.PeersOnly}, {"no-pex", c.NoPEX},
		{"v2", c.HashV2 != metainfo.Hash256{}},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	id := d.disguise.id(c.PeerID)
	d.line("torrent", "hash", c.InfoHash.Short(), "program", url.QueryEscape(c.Client))
	d.line("config", "seed", u(c.Seed), "id", hex.EncodeToString(id[:]), "port",
		i(int(c.Port)), "home", strings.Join(home, ","), "flags", strings.Join(flags, ","),
		"peers", i(c.Limits.PeersMax), "half-open", i(c.Limits.HalfOpenMax), "requests",
		i(c.Limits.RequestsMax), "metadata", strconv.FormatInt(c.Limits.MetadataMax, 10),
		"slots", i(c.Limits.SlotsMax))
}

// shape writes the lengths of what the content is made of: files and padding in turn, with
// the files between two paddings taken as one.
func (d *dumper) shape() {
	if d.t.info == nil {
		return
	}
	l := d.t.layout
	var runs []string
	begin, at := int64(0), int64(0) // of the files since the last padding; after them
	for _, f := range l.Files {
		if f.Pad || f.Length == 0 {
			continue
		}
		if f.Offset > at {
			runs = append(runs, strconv.FormatInt(at-begin, 10), strconv.FormatInt(f.Offset-at, 10))
			begin = f.Offset
		}
		at = f.Offset + f.Length
	}
	runs = append(runs, strconv.FormatInt(at-begin, 10))
	if l.Length > at {
		runs = append(runs, strconv.FormatInt(l.Length-at, 10))
	}
	d.line("shape", "piece", i(l.PieceLength), "info", i(len(d.t.info.Raw())), "pieces",
		i(l.Pieces()), "kind", l.Kind().String(), "runs", strings.Join(runs, ","))
}

// events returns the lines of the events, in disguise.
func (d *dumper) events() string {
	var b strings.Builder
	last := time.Duration(0)
	for k := range d.entries {
		e := d.entries[k]
		d.hide(&e)
		e.writeText(&b, last)
		last = e.at
	}
	return b.String()
}

// meet returns an endpoint in disguise, and remembers it.
func (d *dumper) meet(e endpoint.Endpoint) endpoint.Endpoint {
	if e == (endpoint.Endpoint{}) {
		return e
	}
	hidden := d.disguise.endpoint(e)
	d.endpoints[hidden] = e
	return hidden
}

// ranks writes the order of the canonical priorities (BEP 40) of all endpoints, since they
// cannot be computed of addresses in disguise.
func (d *dumper) ranks() {
	hidden := make([]endpoint.Endpoint, 0, len(d.endpoints))
	priorities := map[uint32]bool{}
	for h, e := range d.endpoints {
		if e.IsWebSeed() {
			continue
		}
		hidden = append(hidden, h)
		priorities[d.t.book.Priority(e)] = true
	}
	slices.SortFunc(hidden, endpoint.Endpoint.Compare)
	order := make([]uint32, 0, len(priorities))
	for p := range priorities {
		order = append(order, p)
	}
	slices.Sort(order)
	for _, h := range hidden {
		rank, _ := slices.BinarySearch(order, d.t.book.Priority(d.endpoints[h]))
		d.line("rank", "at", h.Addr.String(), "is", i(rank))
	}
}

// grants writes which pieces we let peers request while choked (BEP 6), of those that they
// did request: the set follows from the peer's address.
func (d *dumper) grants() {
	if d.t.info == nil {
		return
	}
	sets := map[PeerRef][]uint32{}
	asked := map[PeerRef]map[uint32]bool{}
	var order []PeerRef
	for k := range d.entries {
		switch e := &d.entries[k]; {
		case e.kind == Connected && !e.endpoint.IsWebSeed():
			sets[e.peer] = wire.AllowedFastSet(nil, e.endpoint.Host(), d.t.cfg.InfoHash,
				d.t.layout.Pieces(), wire.AllowedFastMax)
			order = append(order, e.peer)
		case e.kind == Received && e.msg == wire.Request:
			if asked[e.peer] == nil {
				asked[e.peer] = map[uint32]bool{}
			}
			asked[e.peer][e.ref.Piece] = true
		}
	}
	for _, ref := range order {
		var list []string
		for _, piece := range sets[ref] {
			if asked[ref][piece] {
				list = append(list, u(uint64(piece)))
			}
		}
		if len(list) > 0 {
			d.line("grant", "peer", u(uint64(ref)), "pieces", strings.Join(list, ","))
		}
	}
}

// state writes what the torrent has and who is connected now. The start of a record whose
// first events are lost is concluded from that.
func (d *dumper) state() {
	if d.t.pick != nil && !d.t.cfg.MetadataOnly {
		d.line("have", "bits", setText(d.t.pick.Have()), "need", setText(d.t.pick.Needed()))
	}
	for _, p := range d.t.peers.all() {
		var m marks
		m.set(markOutgoing, p.outgoing)
		m.set(markEncrypted, p.encrypted)
		m.set(markTCP, p.transport == endpoint.TransportTCP)
		m.set(markUTP, p.transport == endpoint.TransportUTP)
		m.set(markRelay, p.transport == endpoint.TransportRelay)
		reserved := wire.Reserved{}
		if p.fast {
			reserved = reserved.With(wire.FeatureFast)
		}
		if p.extended {
			reserved = reserved.With(wire.FeatureExtension)
		}
		id := d.disguise.id(p.id)
		d.line("peer", "ref", u(uint64(p.ref)), "at", endpointText(d.meet(p.endpoint)), "is",
			m.text(), "reserved", hex.EncodeToString(reserved[:]), "id",
			hex.EncodeToString(id[:]), "bits", setText(p.has.pieces()), "choking",
			strconv.FormatBool(p.chokesUs()))
	}
}

// setText returns a set as it is written in a dump; nothing for nil.
func setText(s *bits.Set) string {
	if s == nil {
		return ""
	}
	return hex.EncodeToString(appendRuns(nil, s.AppendWire(nil)))
}

// endpointText returns e as it is written in a dump.
func endpointText(e endpoint.Endpoint) string {
	if e.IsWebSeed() {
		return "web:" + u(uint64(e.Key))
	}
	if !e.Addr.IsValid() {
		return ""
	}
	return e.Addr.String()
}

// parseEndpointText reads what endpointText wrote.
func parseEndpointText(s string) (e endpoint.Endpoint, ok bool) {
	if key, web := strings.CutPrefix(s, "web:"); web {
		n, err := strconv.ParseUint(key, 10, 32)
		return endpoint.WebSeed(endpoint.Key(n)), err == nil && n > 0
	}
	addr, err := netip.ParseAddrPort(s)
	return endpoint.IP(addr), err == nil && addr.Addr().Zone() == ""
}
