package core

import "swarmnode/swarm/wire"

// onMessage handles a message of a live peer, and ends the connection of a peer that
// sends too many useless bytes.
func (t *Torrent) onMessage(p *peer, m *wire.Message) {
	if m.Costly {
		p.flood.cameCostly(m.Size)
	} else {
		p.flood.came(m.Size)
	}
	t.dispatch(p, m)
	if !p.gone && p.flood.junk() {
		t.drop(p, ReasonJunk)
	}
}

// dispatch gives a message to the concern that it is about.
func (t *Torrent) dispatch(p *peer, m *wire.Message) {
	switch m.ID {
	case wire.Choke:
		if !t.requests.choked(p, t.now) {
			p.flood.pointless()
		}
	case wire.Unchoke:
		if !t.requests.unchoked(p, t.now) {
			p.flood.pointless()
		}
	case wire.Interested:
		t.onInterested(p)
	case wire.NotInterested:
		t.onNotInterested(p)
	case wire.Have:
		t.onHave(p, m.Ref.Piece)
	case wire.Bitfield:
		t.onPieces(p, m)
	case wire.Request:
		t.onRequest(p, m.Ref)
	case wire.Cancel:
		t.onCancel(p, m.Ref)
	case wire.Extended:
		t.onExtended(p, m.Ext, m.Payload)
	case wire.HaveAll, wire.HaveNone, wire.Suggest, wire.Reject, wire.AllowedFast:
		t.onFastMessage(p, m)
	case wire.HashRequest, wire.Hashes, wire.HashReject:
		t.onHashMessage(p, m.ID, m.Payload)
	case wire.Piece: // its length was never asked for, so the reader kept no block
		t.counters.wasted(ReasonUnsolicited, int(m.Ref.Length))
		t.strike(p, strikeUnsolicited)
	default: // keep-alives, the DHT port, unknown messages
		p.flood.pointless()
	}
}

// onFastMessage handles a message of BEP 6, which is a fault of a peer that did not
// negotiate it ("a peer ... MUST close the connection").
func (t *Torrent) onFastMessage(p *peer, m *wire.Message) {
	if !p.fast {
		t.drop(p, ReasonProtocol)
		return
	}
	switch m.ID {
	case wire.HaveAll, wire.HaveNone:
		t.onPieces(p, m)
	case wire.Suggest:
		t.onSuggest(p, m.Ref.Piece)
	case wire.Reject:
		if !t.requests.rejected(p, m.Ref, t.now) {
			t.strike(p, strikeReject)
		}
	case wire.AllowedFast:
		t.onAllowedFast(p, m.Ref.Piece)
	}
}
