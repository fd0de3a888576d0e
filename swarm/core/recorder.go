package core

import (
	"fmt"
	"io"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// recordedMax is how many events a torrent remembers: some seconds of a quick
// download, some hours of a quiet one, and 160 KiB.
const recordedMax = 4096

// A record is an event without what it points to.
type record struct {
	at    time.Duration
	kind  EventKind
	msg   wire.ID
	peer  PeerRef
	count int32
	ref   block.Ref
}

// A recorder is a ring of the last events, for bug reports.
type recorder struct {
	ring []record
	next int
}

func (r *recorder) add(now time.Duration, e *Event) {
	rec := record{at: now, kind: e.Kind, msg: e.Msg.ID, peer: e.Peer, count: int32(e.Count),
		ref: e.Ref}
	if e.Kind == Received {
		rec.ref, rec.count = e.Msg.Ref, int32(len(e.Msg.Payload))
	}
	if len(r.ring) < recordedMax {
		r.ring = append(r.ring, rec)
		return
	}
	r.ring[r.next] = rec
	r.next = (r.next + 1) % recordedMax
}

var eventNames = [...]string{
	Tick: "tick", Moved: "moved", Found: "found", DialFailed: "dial failed",
	DialPutOff: "dial put off", Private: "private", Connected: "connected", Closed: "closed",
	Received: "received", ReceivedBlock: "block", Sent: "sent", Answered: "answered",
	ReadFailed: "read failed",
	InfoReady:  "info ready", InfoFailed: "info failed", Verified: "verified", Failed: "failed",
	StorageFailed: "storage failed", StorageWorks: "storage works", Hashed: "hashed",
	Paused: "paused", Resumed: "resumed", Doubted: "doubted",
}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

func (r *record) String() string {
	s := fmt.Sprintf("%12.6f %-14v", r.at.Seconds(), r.kind)
	if r.peer != 0 {
		s += fmt.Sprintf(" peer %d", r.peer)
	}
	switch r.kind {
	case Received:
		s += fmt.Sprintf(" %v %v", r.msg, r.ref)
	case ReceivedBlock, ReadFailed:
		s += " " + r.ref.String()
	case Verified, Failed, StorageFailed, Hashed, Doubted:
		s += fmt.Sprintf(" piece %d", r.ref.Piece)
	}
	if r.count != 0 {
		s += fmt.Sprintf(" x%d", r.count)
	}
	return s
}

// WriteEvents writes the last few thousand events to w, oldest first, one a line with the
// seconds since New.
func (t *Torrent) WriteEvents(w io.Writer) error {
	r := &t.recorder
	for i := range r.ring {
		if _, err := fmt.Fprintln(w, r.ring[(r.next+i)%len(r.ring)].String()); err != nil {
			return fmt.Errorf("writing recorded events: %w", err)
		}
	}
	return nil
}
