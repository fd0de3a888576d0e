package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/picker"
	"swarmnode/swarm/wire"
)

// A Replayed is the outcome of a replay.
type Replayed struct {
	Events, Actions uint64
	// Partial says that the first events are not in the dump, so the replay starts from
	// what was there in the end, and may well do something else than the program did.
	Partial bool
	// Inexact says that the dump lacks something of an event: a set of pieces or a message
	// that was too long, or hashes of a tree (BEP 52).
	Inexact bool
	// Differs is the number of the first event, from 1, before which the actions are not
	// those of the program that wrote the dump; 0 if all are the same.
	Differs uint64
	// Broken is the invariant that does not hold after the last event, if there is one.
	Broken error
	// End is where the torrent stood in the end.
	End Snapshot
}

// errInvariant is what a replay calls an invariant that does not hold.
var errInvariant = errors.New("an invariant does not hold")

// A replay gives the events of a dump to a torrent.
type replay struct {
	dump    *Dump
	w       io.Writer // nil if nobody reads the transcript
	torrent *Torrent
	info    *metainfo.Info // made up; nil if the metadata was not known
	actions uint64
	actual  []Action
	err     error // of w
}

// replayStart is when a replay begins.
var replayStart = time.Unix(1_000_000_000, 0)

// disguised is what a torrent of a replay cannot compute, since its addresses are made up.
type disguised struct {
	ranks  map[endpoint.Endpoint]uint32
	grants map[PeerRef][]uint32
}

// Replay gives the recorded events to a torrent, checks its invariants, and compares its
// actions with those that were recorded. It writes a transcript to w, if that is not
// nil: each event, and the actions that follow. The error is that of w, or wraps
// ErrDump if the dump contradicts itself.
func (d *Dump) Replay(w io.Writer) (Replayed, error) {
	r := replay{dump: d, w: w}
	cfg := d.cfg
	if d.shape.known {
		var err error
		if r.info, err = d.shape.info(); err != nil {
			return Replayed{}, err
		}
		cfg.InfoHash = r.info.Hash()
	}
	cfg.disguised = &disguised{d.ranks, d.grants}
	r.torrent = New(replayStart, cfg)
	result := Replayed{Partial: d.Lost > 0, Inexact: d.v2 || d.shape.known && d.shape.kind != "v1"}
	if d.Lost > 0 {
		result.Broken = r.guarded(r.begin)
	}
	for k := range d.entries {
		e := &d.entries[k]
		if result.Broken != nil || r.err != nil {
			break
		}
		result.Inexact = result.Inexact || e.marks.has(markShort)
		if d.Lost == 0 && result.Differs == 0 && r.torrent.out.digest8() != e.digest {
			result.Differs = uint64(k) + 1
		}
		result.Events++
		result.Broken = r.guarded(func() { r.step(e) })
	}
	result.Actions, result.End = r.actions, r.torrent.Snapshot()
	if out := &r.torrent.out; d.Lost == 0 && result.Differs == 0 && result.Broken == nil &&
		(out.total() != d.actions || out.digest64() != d.digest) {
		result.Differs = result.Events + 1
	}
	if r.err != nil {
		return result, fmt.Errorf("writing the transcript: %w", r.err)
	}
	return result, nil
}

// guarded calls f, and returns the invariant that f finds not to hold.
func (r *replay) guarded(f func()) (broken error) {
	defer func() {
		if p := recover(); p != nil {
			broken = fmt.Errorf("%w: %v", errInvariant, p)
		}
	}()
	f()
	if r.torrent.checks.due(r.torrent.pick) {
		r.torrent.check()
	}
	return nil
}

// step replays an entry, and writes what follows from it.
func (r *replay) step(e *entry) {
	t := r.torrent
	now := replayStart.Add(e.at)
	ev := r.event(e)
	if r.w != nil {
		r.print("%12.6f %s\n", e.at.Seconds(), describe(&ev, e))
	}
	switch e.kind {
	case didPrioritize:
		t.Prioritize(now, int(e.ref.Piece), picker.Priority(e.count))
	case didEvict:
		t.advance(now)
		t.command(*e)
		t.evict(t.peers.live(e.peer))
	case didSetSequential:
		t.SetSequential(e.marks.has(markOn))
	case didSetPriorities:
		if t.pick != nil {
			t.SetPriorities(now, e.ranks(t.pick.Pieces()), nil)
		}
	case didSetDeadlines:
		t.SetDeadlines(now, e.deadlines())
	case didSetOwn:
		t.SetOwn(e.addresses())
	case didSetExternal:
		t.SetExternal(e.endpoint.Host())
	default:
		t.Step(now, ev)
	}
	r.actual = t.Actions(r.actual[:0])
	for k := range r.actual {
		if r.w == nil {
			break
		}
		r.print("%12s %s\n", "", showAction(&r.actual[k]))
	}
	r.actions += uint64(len(r.actual))
}

func (r *replay) print(format string, args ...any) {
	if r.w == nil || r.err != nil {
		return
	}
	_, r.err = fmt.Fprintf(r.w, format, args...)
}

// event returns the event of an entry.
func (r *replay) event(e *entry) Event {
	ev := Event{Kind: e.kind, Source: e.source, Fault: e.fault, Peer: e.peer, Count: e.count,
		Ref: e.ref, Endpoint: e.endpoint, Outgoing: e.marks.has(markOutgoing),
		Encrypted: e.marks.has(markEncrypted), Broken: e.marks.has(markBroken),
		Vouched: e.marks.has(markVouched), Transport: e.marks.transport(),
		UTP: e.marks.has(markAcceptsUTP)}
	if e.marks.has(markMet) {
		ev.Met = replayStart.Add(e.met)
	}
	switch e.kind {
	case Connected:
		if len(e.body) == helloHiddenLen {
			ev.Hello = r.hello(e.body)
		}
	case Received:
		ev.Count, ev.Ref = 0, block.Ref{}
		ev.Msg = wire.Message{ID: e.msg, Ext: e.ext, Ref: e.ref, Size: e.count,
			Costly: e.marks.has(markCostly), Payload: r.payload(e)}
	case InfoReady:
		if ev.Info = r.info; r.info != nil {
			r.sets(&ev, e)
		}
	case Failed, Hashed:
		ev.Hashes = longHashes(e.body)
	case StorageFailed, InfoFailed, ReadFailed:
		ev.Err = errRecorded
	}
	return ev
}

// errRecorded stands for an error that the dump does not have.
var errRecorded = errors.New("as recorded")

// hello returns a handshake.
func (r *replay) hello(body []byte) *wire.Hello {
	h := &wire.Hello{PeerID: [20]byte(body[8:28]), Reserved: wire.Reserved(body[:8])}
	if body[28] == 0 {
		h.InfoHash = r.torrent.cfg.InfoHash
	} else {
		h.InfoHash[0] = body[28]
	}
	return h
}

// payload returns the payload of a message.
func (r *replay) payload(e *entry) []byte {
	switch {
	case e.msg == wire.Bitfield:
		raw, _ := parseRuns(e.body, wire.PiecesMax/8)
		return raw
	case e.msg == wire.Extended && e.ext == uint8(wire.ExtMetadata) &&
		len(e.body) == summaryLen-7:
		return r.metadata(e.body)
	}
	return e.body
}

// metadata returns a message of ut_metadata, with a block of the made-up dictionary if the
// real one was right.
func (r *replay) metadata(summary []byte) []byte {
	m := wire.Metadata{Type: wire.MetadataType(summary[0]),
		Piece:     binary.BigEndian.Uint32(summary[1:]),
		TotalSize: int64(binary.BigEndian.Uint64(summary[5:]))}
	n := min(int64(binary.BigEndian.Uint32(summary[13:])), wire.MetadataBlock)
	begin := int64(m.Piece) * wire.MetadataBlock
	if r.info != nil && summary[17] == 1 && begin+n <= int64(len(r.info.Raw())) {
		m.Data = r.info.Raw()[begin : begin+n]
	} else {
		m.Data = make([]byte, n)
	}
	return wire.AppendMetadata(nil, m)
}

// sets gives an InfoReady its sets of pieces.
func (r *replay) sets(ev *Event, e *entry) {
	pieces := r.info.Layout().Pieces()
	n, width := binary.Uvarint(e.body)
	if width <= 0 || n > uint64(len(e.body)-width) {
		return
	}
	have, need := e.body[width:width+int(n)], e.body[width+int(n):]
	if e.marks.has(markHave) {
		ev.Have = setOf(have, pieces)
	}
	if e.marks.has(markNeed) {
		ev.Need = setOf(need, pieces)
	}
}

// setOf returns a set of pieces, or nil if b is none.
func setOf(b []byte, pieces int) *bits.Set {
	raw, ok := parseRuns(b, (pieces+7)/8)
	if !ok {
		return nil
	}
	set, err := bits.FromWire(raw, pieces)
	if err != nil {
		return nil
	}
	return set
}

// begin brings a torrent to where the first recorded event may have found it: with the
// pieces that were there in the end and were not verified since, and with the peers of
// later events that did not connect since.
func (r *replay) begin() {
	d, t := r.dump, r.torrent
	connected, verified, opened := map[PeerRef]bool{}, map[uint32]bool{}, false
	for k := range d.entries {
		switch e := &d.entries[k]; e.kind {
		case Connected:
			connected[e.peer] = true
		case Verified:
			verified[e.ref.Piece] = true
		case InfoReady:
			opened = true
		}
	}
	now := replayStart
	if len(d.entries) > 0 {
		now = replayStart.Add(d.entries[0].at)
	}
	if r.info != nil && !opened {
		pieces := r.info.Layout().Pieces()
		ev := Event{Kind: InfoReady, Info: r.info, Have: setOf(d.have, pieces)}
		if need := setOf(d.need, pieces); need != nil && ev.Have != nil {
			for piece := range ev.Have.Members() {
				need.Add(piece)
			}
			ev.Need = need
		}
		for piece := range verified {
			if ev.Have != nil && int(piece) < pieces {
				ev.Have.Remove(int(piece))
			}
		}
		t.Step(now, ev)
	}
	for k := range d.peers {
		p := &d.peers[k]
		if connected[p.event.peer] {
			continue
		}
		t.Step(now, r.event(&p.event))
		if raw, ok := parseRuns(p.bits, wire.PiecesMax/8); ok {
			t.Step(now, Event{Kind: Received, Peer: p.event.peer,
				Msg: wire.Message{ID: wire.Bitfield, Payload: raw}})
		}
		if !p.choking {
			t.Step(now, Event{Kind: Received, Peer: p.event.peer,
				Msg: wire.Message{ID: wire.Unchoke}})
		}
	}
	r.actions += uint64(len(t.Actions(nil)))
}

// priority returns the rank of an endpoint among the canonical priorities (BEP 40).
func (d *disguised) priority(e endpoint.Endpoint) uint32 { return d.ranks[e] }

// ranking returns what replaces the canonical priority in a replay, or nil.
func (c *Config) ranking() func(endpoint.Endpoint) uint32 {
	if c.disguised == nil {
		return nil
	}
	return c.disguised.priority
}

// granted returns the pieces that a peer may request while we choke it (BEP 6, "Allowed
// Fast"), of those that a torrent has.
func (t *Torrent) granted(p *peer) []uint32 {
	if t.cfg.disguised != nil {
		return t.cfg.disguised.grants[p.ref]
	}
	return wire.AllowedFastSet(nil, p.endpoint.Host(), t.cfg.InfoHash, t.pick.Pieces(),
		wire.AllowedFastMax)
}
