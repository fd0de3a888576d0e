package core

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// ErrDump is wrapped by the errors about dumps that cannot be read.
var ErrDump = errors.New("not a dump of events")

const (
	// dumpLineMax bounds a line of a dump, in bytes, and dumpLinesMax the lines about one
	// torrent. A dump that WriteEvents wrote has less.
	dumpLineMax  = 1 << 20
	dumpLinesMax = 1 << 18
)

// A Dump is what WriteEvents wrote about one torrent.
type Dump struct {
	// Torrent is the start of the info-hash, and Program the name and version of the
	// program that wrote the dump.
	Torrent, Program string
	// Events is how many events there were since New, and Lost how many of them, the
	// first ones, are not in the dump.
	Events, Lost uint64

	cfg     Config
	shape   shape
	ranks   map[endpoint.Endpoint]uint32
	grants  map[PeerRef][]uint32
	peers   []dumpedPeer
	have    []byte // as appendRuns writes it, as are the sets below
	need    []byte
	entries []entry
	actions uint64
	digest  uint64
	v2      bool
}

// A dumpedPeer is a connection at the time of the dump.
type dumpedPeer struct {
	event   entry // its Connected
	bits    []byte
	choking bool
}

// ReadDump reads the next dump of a row of them, and passes over lines before it that start
// with "# ". It returns io.EOF at the end, which may be a line "stacks" with anything after it,
// or an error that wraps ErrDump.
func ReadDump(r *bufio.Reader) (*Dump, error) {
	d := &Dump{ranks: map[endpoint.Endpoint]uint32{}, grants: map[PeerRef][]uint32{}}
	line, err := dumpLine(r)
	for err == nil && strings.HasPrefix(line, "# ") {
		line, err = dumpLine(r)
	}
	switch {
	case err != nil:
		return nil, err
	case line == stacksLine:
		return nil, io.EOF
	case line != dumpVersion:
		return nil, fmt.Errorf("%w: it does not start with %q", ErrDump, dumpVersion)
	}
	for n := 2; n < dumpLinesMax; n++ {
		line, err := dumpLine(r)
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: it ends after line %d of a torrent", ErrDump, n-1)
		}
		if err != nil {
			return nil, err
		}
		words := strings.Fields(line)
		if len(words) == 0 || !d.take(words) {
			return nil, fmt.Errorf("%w: line %d of a torrent makes no sense", ErrDump, n)
		}
		if words[0] == "end" {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w: more than %d lines of one torrent", ErrDump, dumpLinesMax)
}

// stacksLine ends the dumps of a file, before stacks of goroutines.
const stacksLine = "stacks"

// dumpLine reads a line without its end.
func dumpLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > dumpLineMax {
			return "", fmt.Errorf("%w: a line is longer than %d bytes", ErrDump, dumpLineMax)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return "", fmt.Errorf("%w: its last line is cut short", ErrDump)
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// take takes a line. It reports false if the line makes no sense.
func (d *Dump) take(words []string) bool {
	if words[0][0] >= '0' && words[0][0] <= '9' {
		var e entry
		last := time.Duration(0)
		if n := len(d.entries); n > 0 {
			last = d.entries[n-1].at
		}
		ok := e.parseText(words, last)
		d.entries = append(d.entries, e)
		return ok
	}
	f := fields{values: map[string]string{}}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		f.values[name] = value
	}
	switch words[0] {
	case "torrent":
		program, err := url.QueryUnescape(f.values["program"])
		d.Torrent, d.Program = f.values["hash"], clean(program)
		f.bad = f.bad || err != nil || len(d.Torrent) != 8
		f.hex(d.Torrent)
	case "config":
		d.takeConfig(&f)
	case "shape":
		d.shape.take(&f)
	case "rank":
		d.ranks[endpoint.IP(f.addr("at"))] = uint32(f.number("is", 32))
	case "grant":
		d.takeGrant(&f)
	case "have":
		d.have, d.need = f.hex(f.values["bits"]), f.hex(f.values["need"])
	case "peer":
		d.takePeer(&f)
	case "events":
		d.Events, d.Lost = f.number("all", 64), f.number("lost", 64)
	case "end":
		d.actions, d.digest = f.number("actions", 64), f.number("digest", 64)
	default:
		return false
	}
	return !f.bad
}

// clean returns s without what could change a terminal, and not too long.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), wire.ClientMax)]
}

// fields are the values of a line.
type fields struct {
	values map[string]string
	bad    bool // some value makes no sense
}

// number returns an unsigned number of a number of bits; 0 if it is left out.
func (f *fields) number(name string, bits int) uint64 {
	v, ok := f.values[name]
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, bits)
	f.bad = f.bad || err != nil
	return n
}

// hex returns bytes that are written in hexadecimal digits.
func (f *fields) hex(s string) []byte {
	b, err := hex.DecodeString(s)
	f.bad = f.bad || err != nil
	return b
}

func (f *fields) addr(name string) netip.AddrPort {
	a, err := netip.ParseAddrPort(f.values[name])
	f.bad = f.bad || err != nil || a.Addr().Zone() != ""
	return a
}

// list returns the parts of a list.
func (f *fields) list(name string) []string {
	if f.values[name] == "" {
		return nil
	}
	return strings.Split(f.values[name], ",")
}

func (d *Dump) takeConfig(f *fields) {
	c := &d.cfg
	c.Seed, c.Port, c.Client = f.number("seed", 64), uint16(f.number("port", 16)), d.Program
	id := f.hex(f.values["id"])
	if len(id) != len(c.PeerID) {
		f.bad = true
		return
	}
	copy(c.PeerID[:], id)
	for _, s := range f.list("home") {
		ip, err := netip.ParseAddr(s)
		f.bad = f.bad || err != nil || ip.Zone() != ""
		c.Home = append(c.Home, ip)
	}
	for _, flag := range f.list("flags") {
		switch flag {
		case "metadata-only":
			c.MetadataOnly = true
		case "super-seed":
			c.SuperSeed = true
		case "private":
			c.Private = true
		case "peers-only":
			c.PeersOnly = true
		case "no-pex":
			c.NoPEX = true
		case "v2":
			d.v2 = true
		default:
			f.bad = true
		}
	}
	c.Limits = Limits{PeersMax: int(f.number("peers", 20)),
		HalfOpenMax: int(f.number("half-open", 20)), RequestsMax: int(f.number("requests", 24)),
		MetadataMax: int64(f.number("metadata", 40)), SlotsMax: int(f.number("slots", 20))}
}

func (d *Dump) takeGrant(f *fields) {
	var pieces []uint32
	for _, s := range f.list("pieces") {
		piece, err := strconv.ParseUint(s, 10, 32)
		f.bad = f.bad || err != nil
		pieces = append(pieces, uint32(piece))
	}
	f.bad = f.bad || len(pieces) > wire.AllowedFastMax
	d.grants[PeerRef(f.number("peer", 32))] = pieces
}

func (d *Dump) takePeer(f *fields) {
	p := dumpedPeer{event: entry{kind: Connected, peer: PeerRef(f.number("ref", 32))}}
	at, ok := parseEndpointText(f.values["at"])
	p.event.endpoint = at
	if is := f.values["is"]; is != "" && ok {
		p.event.marks, ok = parseMarks(is)
	}
	reserved, id := f.hex(f.values["reserved"]), f.hex(f.values["id"])
	if !ok || len(reserved) != 8 || len(id) != 20 {
		f.bad = true
		return
	}
	p.event.body = append(slices.Concat(reserved, id), 0)
	p.bits, p.choking = f.hex(f.values["bits"]), f.values["choking"] == "true"
	d.peers = append(d.peers, p)
}
