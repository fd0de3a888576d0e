package core

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"swarmnode/swarm/block"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// dotted returns a block as PIECE.INDEX.
func dotted(r block.Ref) string { return fmt.Sprintf("%d.%d", r.Piece, r.Index()) }

// showAction returns an action in a few words.
func showAction(a *Action) string {
	switch a.Kind {
	case Dial:
		if a.Transport != endpoint.TransportUnknown {
			return fmt.Sprintf("dial %v over %v first", a.Endpoint, a.Transport)
		}
		return "dial " + a.Endpoint.String()
	case Send:
		return fmt.Sprintf("%d <- %s", a.Peer, said(&a.Msg))
	case Answer:
		m := a.Msg
		m.Payload = slices.Concat(m.Payload, a.Info)
		return fmt.Sprintf("%d <- %s", a.Peer, said(&m))
	case Upload:
		return fmt.Sprintf("%d <- block %s", a.Peer, dotted(a.Ref))
	case Drop:
		if a.Ban {
			return fmt.Sprintf("drop %d: %v, and ban it", a.Peer, a.Reason)
		}
		return fmt.Sprintf("drop %d: %v", a.Peer, a.Reason)
	case Store:
		return "store " + dotted(a.Ref)
	case Verify:
		return fmt.Sprintf("verify %d", a.Ref.Piece)
	case Discard:
		return "discard " + dotted(a.Ref)
	case UseInfo:
		return "use info"
	case WantPeers:
		return "want peers"
	case Seek:
		return "seek"
	case Complete:
		return "complete"
	case HashBlocks:
		return fmt.Sprintf("hash blocks of %d", a.Ref.Piece)
	}
	return "?"
}

// bitfieldShown is the length of the longest bitfield that is shown bit by bit.
const bitfieldShown = 16

// said returns a message in a few words.
func said(m *wire.Message) string {
	switch m.ID {
	case wire.Request, wire.Cancel, wire.Reject:
		return strings.ToLower(m.ID.String()) + " " + dotted(m.Ref)
	case wire.Have, wire.Suggest, wire.AllowedFast:
		return fmt.Sprintf("%s %d", strings.ToLower(m.ID.String()), m.Ref.Piece)
	case wire.Bitfield:
		if len(m.Payload) > bitfieldShown {
			return fmt.Sprintf("bitfield of %d bytes", len(m.Payload))
		}
		return fmt.Sprintf("bitfield %08b", m.Payload)
	case wire.Extended:
		return extended(m)
	case wire.HashRequest, wire.Hashes, wire.HashReject:
		return hashSaid(m)
	}
	return strings.ToLower(m.ID.String())
}

// extended returns a message of the extension protocol in a few words.
func extended(m *wire.Message) string {
	switch wire.Extension(m.Ext) {
	case 0:
		h, err := wire.ParseExtHandshake(m.Payload)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("extended metadata=%d reqq=%d upload-only=%v", h.MetadataSize, h.Reqq,
			h.UploadOnly)
	case wire.ExtMetadata:
		d, err := wire.ParseMetadata(m.Payload)
		if err != nil {
			return err.Error()
		}
		if d.Type > wire.MetadataReject {
			return "metadata ?"
		}
		return fmt.Sprintf("metadata %s %d (%d bytes)",
			[...]string{"request", "data", "reject"}[d.Type], d.Piece, len(d.Data))
	case wire.ExtDontHave:
		piece, _ := wire.ParseDontHave(m.Payload)
		return fmt.Sprintf("dont-have %d", piece)
	case wire.ExtPEX:
		p, err := wire.ParsePEX(m.Payload)
		if err != nil {
			return err.Error()
		}
		text := "pex"
		for _, a := range p.Added {
			text += fmt.Sprintf(" +%v/%02x", a.Addr, a.Flags)
		}
		for _, a := range p.Dropped {
			text += fmt.Sprintf(" -%v", a)
		}
		return text
	case wire.ExtUploadOnly:
		return "upload-only"
	}
	return "extended ?"
}

// hashSaid returns a message about hashes in a few words, as far as it has them.
func hashSaid(m *wire.Message) string {
	name := strings.ToLower(m.ID.String())
	if len(m.Payload) < 48 {
		return fmt.Sprintf("%s of %d bytes", name, len(m.Payload))
	}
	be, p := binary.BigEndian, m.Payload[32:]
	text := fmt.Sprintf("%s base=%d index=%d length=%d proof=%d",
		name, be.Uint32(p), be.Uint32(p[4:]), be.Uint32(p[8:]), be.Uint32(p[12:]))
	if n := len(m.Payload) - 48; n > 0 {
		text += fmt.Sprintf(" (%d hashes)", n/32)
	}
	return text
}

// describe returns an event in a few words.
func describe(e *Event, c *entry) string {
	switch e.Kind {
	case Received:
		return fmt.Sprintf("%d -> %s", e.Peer, said(&e.Msg))
	case ReceivedBlock:
		return fmt.Sprintf("%d -> block %s", e.Peer, dotted(e.Ref))
	case Connected:
		return fmt.Sprintf("connected %d %v%s", e.Peer, e.Endpoint, c.marks.words())
	case Found, DialFailed, DialPutOff, didSetExternal:
		return fmt.Sprintf("%v %v", e.Kind, e.Endpoint)
	case Closed, didEvict:
		return fmt.Sprintf("%v %d%s", e.Kind, e.Peer, c.marks.words())
	case Sent, Answered:
		return fmt.Sprintf("%v %d x%d", e.Kind, e.Peer, e.Count)
	case Limited, Shed:
		return fmt.Sprintf("%v to %d", e.Kind, e.Count)
	case ReadFailed:
		return fmt.Sprintf("%v %d %s", e.Kind, e.Peer, dotted(e.Ref))
	case Verified, Failed, StorageFailed, Hashed, Doubted:
		return fmt.Sprintf("%v %d", e.Kind, e.Ref.Piece)
	case didSetDeadlines:
		return fmt.Sprintf("%v of %d pieces", e.Kind, len(c.deadlines()))
	case didPrioritize:
		return fmt.Sprintf("%v %d as %d", e.Kind, e.Ref.Piece, e.Count)
	case InfoReady:
		have, pieces := 0, 0
		if e.Have != nil {
			have = e.Have.Count()
		}
		if e.Info != nil {
			pieces = e.Info.Layout().Pieces()
		}
		return fmt.Sprintf("info ready: have %d/%d pieces", have, pieces)
	}
	return e.Kind.String() + c.marks.words()
}

// words returns the names of the marks, each after a space.
func (k marks) words() string {
	if k == 0 {
		return ""
	}
	return " " + strings.ReplaceAll(k.text(), ",", " ")
}
