package core

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/stream"
	"swarmnode/swarm/wire"
)

const wholeBlock = block.Size

// Commands are recorded as events of these kinds. Every method of Torrent outside of Step
// that changes what later events lead to records one.
const (
	didPrioritize    EventKind = 200 + iota // Ref.Piece, Count
	didEvict                                // Peer, which was dropped to make room
	didSetSequential                        // marked as on
	didSetDeadlines                         // pieces and times from now
	didSetOwn                               // addresses
	didSetExternal                          // Endpoint
	didSetPriorities                        // of all pieces
	commandEnd
)

// An entry is what a recorder keeps of an event or a command: all that decides what
// follows, and of payloads only that.
type entry struct {
	at       time.Duration // since New
	digest   uint8         // of the actions before it
	kind     EventKind
	marks    marks
	source   book.Source
	fault    book.Fault
	msg      wire.ID
	ext      uint8
	peer     PeerRef
	count    int // of the event, or the size of a message
	ref      block.Ref
	endpoint endpoint.Endpoint
	met      time.Duration // since New
	body     []byte
}

// marks are the properties of an entry that are true or false.
type marks uint16

const (
	markOutgoing marks = 1 << iota
	markEncrypted
	markBroken
	markVouched
	markCostly
	markOn
	markHave // the event has such a set, also if it is empty
	markNeed
	markMet   // the time of an earlier meeting is known
	markShort // a replay cannot be exact: something was too long, or is not recorded
	markTCP   // the transport
	markUTP
	markAcceptsUTP // it is said to accept uTP
	markRelay      // the transport
	marksEnd
)

// set adds m if on is true.
func (k *marks) set(m marks, on bool) {
	if on {
		*k |= m
	}
}

func (k marks) has(m marks) bool { return k&m != 0 }

// transport returns the transport that k says.
func (k marks) transport() endpoint.Transport {
	switch {
	case k.has(markTCP):
		return endpoint.TransportTCP
	case k.has(markUTP):
		return endpoint.TransportUTP
	case k.has(markRelay):
		return endpoint.TransportRelay
	}
	return endpoint.TransportUnknown
}

func (e *entry) setMsg(v uint64)    { e.msg, e.ext = wire.ID(v>>8), uint8(v) }
func (e *entry) setSource(v uint64) { e.source, e.fault = book.Source(v>>8), book.Fault(v) }

// mask returns which fields are encoded.
func (e *entry) mask() (mask uint64) {
	bit := func(bit uint64, on bool) {
		if on {
			mask |= bit
		}
	}
	bit(hasPeer, e.peer != 0)
	bit(hasPiece, e.ref.Piece != 0)
	bit(hasBegin, e.ref.Begin != 0)
	bit(hasBlock, e.ref.Length == wholeBlock)
	bit(hasLength, e.ref.Length != 0 && e.ref.Length != wholeBlock)
	bit(hasCount, e.count != 0)
	bit(hasMsg, e.msg != 0 || e.ext != 0)
	bit(hasBody, len(e.body) > 0)
	bit(hasMarks, e.marks != 0)
	bit(hasSource, e.source != 0 || e.fault != 0)
	bit(hasMet, e.met != 0)
	bit(hasAt, e.endpoint != endpoint.Endpoint{})
	return mask
}

// record remembers an event.
func (t *Torrent) record(ev *Event) {
	e := entry{
		at: t.now, digest: t.out.digest8(), kind: ev.Kind, source: ev.Source, fault: ev.Fault,
		peer: ev.Peer, count: max(ev.Count, 0), ref: ev.Ref, endpoint: ev.Endpoint,
	}
	switch ev.Kind {
	case Tick, ReceivedBlock, Sent, Answered, Verified:
		// nothing else, and most frequent
	case Received:
		e.take(&ev.Msg)
	default:
		e.takeRare(ev)
		if !ev.Met.IsZero() {
			e.marks |= markMet
			e.met = ev.Met.Sub(t.start)
		}
	}
	t.recorder.add(&e)
}

// command remembers that a method other than Step was called.
func (t *Torrent) command(e entry) {
	e.at, e.digest = t.now, t.out.digest8()
	t.recorder.add(&e)
}

// rankCommand returns the entry of Prioritize.
func rankCommand(piece int, priority picker.Priority) entry {
	return entry{kind: didPrioritize, ref: block.Ref{Piece: uint32(piece)}, count: int(priority)}
}

// ranksCommand returns the entry of SetPriorities.
func ranksCommand(priorities []picker.Priority) entry {
	b := make([]byte, len(priorities))
	for i, priority := range priorities {
		b[i] = byte(priority)
	}
	e := entry{kind: didSetPriorities}
	e.keep(appendRuns(nil, b))
	return e
}

// ranks returns what SetPriorities was given for so many pieces.
func (e *entry) ranks(pieces int) []picker.Priority {
	b, _ := parseRuns(e.body, pieces)
	list := make([]picker.Priority, len(b))
	for i := range b {
		list[i] = picker.Priority(b[i])
	}
	return list
}

// deadlinesCommand returns the entry of SetDeadlines.
func deadlinesCommand(list []stream.Deadline) entry {
	var b []byte
	for _, d := range list {
		b = binary.AppendUvarint(b, uint64(max(d.Piece, 0)))
		b = binary.AppendUvarint(b, zigzag(d.In))
	}
	e := entry{kind: didSetDeadlines}
	e.keep(b)
	return e
}

// deadlines returns what SetDeadlines was given.
func (e *entry) deadlines() (list []stream.Deadline) {
	for b := e.body; len(b) > 0; {
		piece, n := binary.Uvarint(b)
		if n <= 0 || piece > math.MaxInt32 {
			return list
		}
		in, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return list
		}
		list = append(list, stream.Deadline{Piece: int(piece), In: unzigzag(in)})
		b = b[n+m:]
	}
	return list
}

// onCommand returns the entry of a command that switches something on or off.
func onCommand(kind EventKind, on bool) entry {
	e := entry{kind: kind}
	e.marks.set(markOn, on)
	return e
}

// evictCommand returns the entry of an eviction of p by order of the driver.
func evictCommand(p *peer) entry { return entry{kind: didEvict, peer: p.ref} }

// externalCommand returns the entry of SetExternal.
func externalCommand(ip netip.Addr) entry {
	return entry{kind: didSetExternal, endpoint: endpoint.IP(netip.AddrPortFrom(ip, 0))}
}

// ownCommand returns the entry of SetOwn.
func ownCommand(addrs []netip.AddrPort) entry {
	e := entry{kind: didSetOwn}
	for _, a := range addrs[:min(len(addrs), recordedBody/32)] {
		e.body = appendEndpoint(e.body, endpoint.IP(a))
	}
	return e
}

// addresses returns the addresses of a SetOwn.
func (e *entry) addresses() (addrs []netip.AddrPort) {
	for b := e.body; endpointLen(b) > 0; {
		var at endpoint.Endpoint
		at, b = parseEndpoint(b)
		addrs = append(addrs, at.Addr)
	}
	return addrs
}

// take records a message.
func (e *entry) take(m *wire.Message) {
	e.msg, e.ext, e.ref, e.count = m.ID, m.Ext, m.Ref, max(m.Size, 0)
	e.marks.set(markCostly, m.Costly)
	switch {
	case len(m.Payload) == 0:
	case m.ID == wire.Bitfield:
		e.keep(appendRuns(nil, m.Payload))
	case m.ID == wire.Extended && m.Ext == uint8(wire.ExtMetadata):
		e.keep(summarize(m.Payload))
	case m.ID == wire.Extended, m.ID == wire.HashRequest:
		e.keep(m.Payload)
	default: // the hashes of a tree
		e.marks |= markShort
	}
}

// keep records b, if it is not too long.
func (e *entry) keep(b []byte) {
	if len(b) > recordedBody {
		e.marks |= markShort
		return
	}
	e.body = b
}

// takeRare records the fields of events that do not come with every block.
func (e *entry) takeRare(ev *Event) {
	e.marks.set(markOutgoing, ev.Outgoing)
	e.marks.set(markEncrypted, ev.Encrypted)
	e.marks.set(markBroken, ev.Broken)
	e.marks.set(markVouched, ev.Vouched)
	e.marks.set(markTCP, ev.Transport == endpoint.TransportTCP)
	e.marks.set(markUTP, ev.Transport == endpoint.TransportUTP)
	e.marks.set(markRelay, ev.Transport == endpoint.TransportRelay)
	e.marks.set(markAcceptsUTP, ev.UTP)
	e.marks.set(markShort, ev.Late != nil)
	if len(ev.Hashes) > 0 {
		e.keep(shortHashes(ev.Hashes))
	}
	if h := ev.Hello; h != nil {
		e.body = append(append(append(e.body, h.Reserved[:]...), h.PeerID[:]...), h.InfoHash[:]...)
	}
	e.marks.set(markHave, ev.Have != nil)
	e.marks.set(markNeed, ev.Need != nil)
	if ev.Have != nil || ev.Need != nil {
		var have, need []byte
		if ev.Have != nil {
			have = appendRuns(nil, ev.Have.AppendWire(nil))
		}
		if ev.Need != nil {
			need = appendRuns(nil, ev.Need.AppendWire(nil))
		}
		e.keep(append(append(binary.AppendUvarint(nil, uint64(len(have))), have...), need...))
	}
}

// hashKept is how many bytes of the hash of a block are kept: enough to tell blocks apart.
const hashKept = 4

// shortHashes returns the starts of the hashes of blocks.
func shortHashes(list []metainfo.Hash256) (b []byte) {
	for k := range list {
		b = append(b, list[k][:hashKept]...)
	}
	return b
}

// longHashes returns hashes that start as b has it.
func longHashes(b []byte) (list []metainfo.Hash256) {
	for start := range slices.Chunk(b, hashKept) {
		var h metainfo.Hash256
		copy(h[:], start)
		list = append(list, h)
	}
	return list
}

// summaryLen is the length of the summary of a message of ut_metadata.
const summaryLen = 1 + 4 + 8 + 4 + 8

// summarize returns what a message of ut_metadata says, with a checksum in place of its
// data. It is nil if the message cannot be read.
func summarize(payload []byte) []byte {
	m, err := wire.ParseMetadata(payload)
	if err != nil {
		return nil
	}
	b := binary.BigEndian.AppendUint32([]byte{byte(m.Type)}, m.Piece)
	b = binary.BigEndian.AppendUint64(b, uint64(m.TotalSize))
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Data)))
	return binary.BigEndian.AppendUint64(b, fnv64(m.Data))
}

// fnv64 returns the FNV-1a checksum of b.
func fnv64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// appendRuns appends b in a form that is short if b has long runs of one byte: a byte that
// says which form it is, and then either b or pairs of a length and a byte.
func appendRuns(dst, b []byte) []byte {
	start := len(dst)
	dst = append(dst, 1)
	for i := 0; i < len(b) && len(dst)-start <= len(b); {
		n := 1
		for i+n < len(b) && b[i+n] == b[i] {
			n++
		}
		dst = append(binary.AppendUvarint(dst, uint64(n)), b[i])
		i += n
	}
	if len(dst)-start > len(b) {
		dst = append(append(dst[:start], 0), b...)
	}
	return dst
}

// parseRuns reads what appendRuns wrote, up to most bytes. It reports false if b is
// something else.
func parseRuns(b []byte, most int) (out []byte, ok bool) {
	if len(b) == 0 || b[0] > 1 {
		return nil, false
	}
	form, b := b[0], b[1:]
	if form == 0 {
		return b, len(b) <= most
	}
	for len(b) > 0 {
		n, width := binary.Uvarint(b)
		if width <= 0 || width >= len(b) || n > uint64(most-len(out)) {
			return nil, false
		}
		for range n {
			out = append(out, b[width])
		}
		b = b[width+1:]
	}
	return out, true
}

// appendEndpoint appends e: its network, the length of its address, the address, and its
// port or key.
func appendEndpoint(b []byte, e endpoint.Endpoint) []byte {
	ip := e.Addr.Addr().WithZone("").AsSlice()
	b = append(append(b, byte(e.Network), byte(len(ip))), ip...)
	return binary.BigEndian.AppendUint32(b, uint32(e.Addr.Port())|uint32(e.Key))
}

// endpointLen returns the length of the endpoint that b starts with, 0 if it is none.
func endpointLen(b []byte) int {
	if len(b) < 2 || b[0] > byte(endpoint.NetworkWebSeed) || len(b) < 2+int(b[1])+4 ||
		b[1] != 0 && b[1] != 4 && b[1] != 16 {
		return 0
	}
	return 2 + int(b[1]) + 4
}

// parseEndpoint reads what appendEndpoint wrote, and returns the rest.
func parseEndpoint(b []byte) (endpoint.Endpoint, []byte) {
	network, n := endpoint.Network(b[0]), int(b[1])
	ip, _ := netip.AddrFromSlice(b[2 : 2+n])
	number := binary.BigEndian.Uint32(b[2+n:])
	e := endpoint.Endpoint{Network: network}
	if network == endpoint.NetworkIP {
		e.Addr = netip.AddrPortFrom(ip, uint16(number))
	} else {
		e.Key = endpoint.Key(number)
	}
	return e, b[2+n+4:]
}

// zigzag makes small numbers of either sign small ones without.
func zigzag(d time.Duration) uint64   { return uint64(d)<<1 ^ uint64(d>>63) }
func unzigzag(v uint64) time.Duration { return time.Duration(v>>1) ^ -time.Duration(v&1) }
