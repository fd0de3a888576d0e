package core

import (
	"time"

	"swarmnode/swarm/metadata"
	"swarmnode/swarm/wire"
)

// metadataBytesMax bounds the bytes of dictionaries that are kept of all peers together.
const metadataBytesMax = 4 * wire.MetadataSizeMax

// fetching asks peers for the info dictionary (BEP 9). The package metadata decides; here
// its decisions become messages. A nil fetching has ended: the metadata is known, or of no use.
type fetching struct {
	peers  *peerTable
	out    *outbox
	timers *timers
	search metadata.Search
}

func newFetching(t *Torrent) *fetching {
	return &fetching{peers: &t.peers, out: &t.out, timers: &t.timers, search: metadata.NewSearch(
		metadata.Names{Hash: t.cfg.InfoHash, HashV2: t.cfg.HashV2}, t.cfg.Limits.MetadataMax)}
}

// offer records the size of the metadata that a peer offers.
func (f *fetching) offer(p *peer) {
	if f != nil {
		f.search.Offer(uint32(p.ref), p.ext.metadataOffer())
	}
}

// leave forgets a peer that is gone, and schedules asking others in its place.
func (f *fetching) leave(ref PeerRef, now time.Duration) {
	if f != nil && f.search.Leave(uint32(ref)) {
		f.timers.by(timerMetadata, now)
	}
}

// ask asks peers for blocks of the dictionary, and gives up on those that do not answer.
func (f *fetching) ask(now time.Duration) {
	if f == nil {
		return
	}
	asks, again := f.search.Ask(now)
	f.send(asks)
	f.timers.by(timerMetadata, again)
}

func (f *fetching) send(asks []metadata.Ask) {
	for _, a := range asks {
		if p := f.peers.live(PeerRef(a.Peer)); p != nil {
			f.out.sendMetadata(p, wire.Metadata{Type: wire.MetadataRequest, Piece: a.Block})
		}
	}
}

// rejected records that a peer refuses to send a block.
func (f *fetching) rejected(p *peer, now time.Duration) {
	if f != nil && f.search.Rejected(now, uint32(p.ref)) {
		f.ask(now)
	}
}

// received keeps a block, and returns the dictionary once it is complete. It reports whether
// the peer has lied too often. The total_size of the message does not matter: the hash
// judges the whole.
func (f *fetching) received(p *peer, m *wire.Metadata, now time.Duration) (info []byte, lies bool) {
	if f == nil {
		p.flood.pointless()
		return nil, false
	}
	got := f.search.Received(now, uint32(p.ref), m.Piece, m.Data)
	switch got.Worth {
	case metadata.Unasked:
		p.flood.pointless()
	case metadata.Taken, metadata.Complete:
		p.flood.useful()
		f.send(got.Asks)
	case metadata.Wrong, metadata.Liar:
		f.timers.by(timerMetadata, now)
	}
	return got.Dictionary, got.Worth == metadata.Liar
}

// progress returns how many bytes of the dictionary have come from the peer that has sent most
// of it, and how many there are as it says.
func (f *fetching) progress() (have, size int) {
	if f == nil {
		return 0, 0
	}
	return f.search.Progress()
}

// check panics when an invariant does not hold.
func (f *fetching) check() {
	if f != nil {
		f.search.Check()
	}
}

// sendMetadata queues a message of ut_metadata, if p knows of the extension.
func (o *outbox) sendMetadata(p *peer, m wire.Metadata) {
	if n := p.ext.number(wire.ExtMetadata); n != 0 {
		o.sendExtended(p, n, wire.AppendMetadata(nil, m))
	}
}

// onMetadata handles a message of ut_metadata.
func (t *Torrent) onMetadata(p *peer, m *wire.Metadata) {
	switch m.Type {
	case wire.MetadataRequest:
		t.answers.askedMetadata(p, m.Piece)
	case wire.MetadataReject:
		t.meta.rejected(p, t.now)
	case wire.MetadataData:
		info, lies := t.meta.received(p, m, t.now)
		if lies {
			t.dropAndBan(p, ReasonBadMetadata)
		}
		if info != nil {
			t.standing.open()
			t.out.do(Action{Kind: UseInfo, Info: info})
		}
	default: // BEP 9: unrecognized types must be ignored
		p.flood.pointless()
	}
}
