package core

import (
	"swarmnode/swarm/metadata"
	"swarmnode/swarm/wire"
)

// metadataBytesMax bounds what is kept of the dictionaries of all peers together.
const metadataBytesMax = 4 * wire.MetadataSizeMax

// askMetadata asks peers for blocks of the info dictionary, and gives up on those that do
// not answer.
func (t *Torrent) askMetadata() {
	asks, again := t.meta.Ask(t.now)
	t.out.askMetadata(&t.peers, asks)
	t.timers.by(timerMetadata, again)
}

// askMetadata queues requests for blocks of the info dictionary.
func (o *outbox) askMetadata(peers *peerTable, asks []metadata.Ask) {
	for _, a := range asks {
		if p := peers.live(PeerRef(a.Peer)); p != nil {
			o.sendMetadata(p, wire.Metadata{Type: wire.MetadataRequest, Piece: a.Block})
		}
	}
}

// sendMetadata queues a message of ut_metadata, if p knows of the extension.
func (o *outbox) sendMetadata(p *peer, m wire.Metadata) {
	if n := p.ext.number(wire.ExtMetadata); n != 0 {
		o.sendExtended(p, n, wire.AppendMetadata(nil, m))
	}
}

// onMetadata takes in a message of ut_metadata (BEP 9).
func (t *Torrent) onMetadata(p *peer, m *wire.Metadata) {
	switch m.Type {
	case wire.MetadataRequest:
		t.onMetadataRequest(p, m.Piece)
	case wire.MetadataData:
		t.onMetadataBlock(p, m)
	case wire.MetadataReject:
		if t.meta.Rejected(t.now, uint32(p.ref)) {
			t.askMetadata()
		}
	default: // BEP 9: unrecognized types are to be ignored
		p.flood.pointless()
	}
}

// onMetadataBlock takes in a block of the info dictionary. Its total_size does not matter:
// the hash judges the whole.
func (t *Torrent) onMetadataBlock(p *peer, m *wire.Metadata) {
	got := t.meta.Received(t.now, uint32(p.ref), m.Piece, m.Data)
	switch got.Worth {
	case metadata.Unasked:
		p.flood.pointless()
	case metadata.Taken:
		p.flood.useful()
		t.out.askMetadata(&t.peers, got.Asks)
	case metadata.Wrong:
		t.askMetadata()
	case metadata.Liar:
		t.dropAndBan(p, ReasonBadMetadata)
		t.askMetadata()
	case metadata.Complete:
		p.flood.useful()
		t.standing.open()
		t.out.do(Action{Kind: UseInfo, Info: got.Dictionary})
	}
}
