package core

import (
	"net/netip"

	"swarmnode/swarm/book"
	"swarmnode/swarm/choke"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

// reqqOurs is how many requests we let a peer queue. We reject requests beyond it.
const reqqOurs = choke.QueueMax

// extension is what a peer said in its extension handshakes (BEP 10).
type extension struct {
	met          bool // a handshake has come
	numbers      wire.Extensions
	reqq         int
	client       string
	uploadOnly   bool
	encrypts     bool
	metadataSize int64
}

// init sets how many requests the peer lets us queue until it says otherwise.
func (x *extension) init(reqq int) { x.reqq = reqq }

// learn records a handshake. It reports whether it was the first one.
func (x *extension) learn(h *wire.ExtHandshake) (first bool) {
	first, x.met = !x.met, true
	x.numbers.Merge(h.Extensions)
	x.reqq, x.metadataSize, x.encrypts = h.Reqq, h.MetadataSize, h.Encrypts
	if h.Client != "" {
		x.client = h.Client
	}
	return first
}

// number returns the number by which the peer knows an extension, 0 if it does not.
func (x *extension) number(e wire.Extension) uint8 { return x.numbers.Number(e) }

// queueMax returns how many requests the peer lets us queue.
func (x *extension) queueMax() int { return x.reqq }

// program returns the name that the peer gives its program.
func (x *extension) program() string { return x.client }

// wantsNothing reports whether the peer says that it only uploads (BEP 21).
func (x *extension) wantsNothing() bool { return x.uploadOnly }

// prefersEncryption reports whether the peer says that it prefers encrypted connections.
func (x *extension) prefersEncryption() bool { return x.encrypts }

// claimsMetadata reports whether the peer says that it has the metadata.
func (x *extension) claimsMetadata() bool { return x.metadataSize > 0 }

// metadataOffer returns the size of the metadata that the peer may be asked for, or 0.
func (x *extension) metadataOffer() int64 {
	if x.number(wire.ExtMetadata) == 0 {
		return 0
	}
	return x.metadataSize
}

// setUploadOnly records whether the peer only uploads.
func (x *extension) setUploadOnly(only bool) { x.uploadOnly = only }

// sendExtHandshake tells p which extensions we have. It is sent again once the
// metadata is known, because it names the size of the metadata (BEP 9).
func (t *Torrent) sendExtHandshake(p *peer) {
	h := wire.ExtHandshake{
		Extensions: wire.OurExtensions(wire.ExtMetadata, wire.ExtDontHave, wire.ExtUploadOnly),
		Port:       t.public.of(p, t.cfg.Port),
		Client:     t.cfg.Client,
		YourIP:     p.endpoint.Host(),
		Reqq:       reqqOurs,
	}
	t.pex.announce(p, &h)
	t.relays.announce(p, &h)
	t.punch.announce(p, &h)
	if t.info != nil {
		h.MetadataSize = int64(len(t.info.Raw()))
		h.UploadOnly = t.uploadOnly()
	}
	t.out.sendExtended(p, wire.ExtHandshakeNumber, wire.AppendExtHandshake(nil, h))
}

// onRebound tells the peers the port where we accept connections now (BEP 10, "p").
func (t *Torrent) onRebound(port uint16) {
	if port == t.cfg.Port {
		return
	}
	t.cfg.listenAt(port)
	t.book.SetPort(port)
	for _, p := range t.peers.all() {
		if p.extended {
			t.sendExtHandshake(p)
		}
	}
}

// onExtended handles a message of the extension protocol. A number that we did not
// give out is ignored, and so is a message that cannot be read: every extension is
// optional, and the other messages of the peer may be sound.
func (t *Torrent) onExtended(p *peer, number uint8, payload []byte) {
	var err error
	switch wire.Extension(number) {
	case wire.ExtHandshakeNumber:
		var h wire.ExtHandshake
		if h, err = wire.ParseExtHandshake(payload); err == nil {
			t.onExtHandshake(p, &h)
		}
	case wire.ExtMetadata:
		var m wire.Metadata
		if m, err = wire.ParseMetadata(payload); err == nil {
			t.onMetadata(p, &m)
		}
	case wire.ExtDontHave:
		var piece uint32
		if piece, err = wire.ParseDontHave(payload); err == nil {
			t.onDontHave(p, piece)
		}
	case wire.ExtPEX:
		var m wire.PEX
		if m, err = wire.ParsePEX(payload); err == nil {
			if reason := t.pex.take(t.now, p, &m); reason != ReasonNone {
				t.drop(p, reason)
			}
		}
	case wire.ExtHolepunch:
		var m wire.Holepunch
		if m, err = wire.ParseHolepunch(payload); err == nil {
			t.punch.take(t.now, p, m)
		}
	case wire.ExtUploadOnly:
		var only bool
		if only, err = wire.ParseUploadOnly(payload); err == nil {
			t.onUploadOnly(p, only)
		}
	default:
		p.flood.pointless()
	}
	if err != nil {
		p.flood.pointless()
	}
}

// onExtHandshake records what a peer says of itself, and asks it for what it now can
// be asked for.
func (t *Torrent) onExtHandshake(p *peer, h *wire.ExtHandshake) {
	first, before := p.ext.learn(h), t.out.mark()
	t.relays.hear(t, p, h)
	t.meta.offer(p)
	if p.outgoing {
		t.book.Vote(p.endpoint.Host(), h.YourIP)
	}
	if h.Port != 0 && !p.outgoing && (!p.listen.IsValid() || p.listen == p.endpoint) {
		t.reachableAt(p, netip.AddrPortFrom(p.endpoint.Host(), h.Port))
	}
	t.onUploadOnly(p, h.UploadOnly)
	if !p.gone {
		t.meta.ask(t.now)
		t.requests.refill(p, t.now) // reqq may be more than before
		if first && !t.out.spokeTo(p, before) {
			t.out.sendID(p, keepAlive) // see silence.wake
		}
	}
}

// reachableAt records at which address an incoming peer accepts connections.
func (t *Torrent) reachableAt(p *peer, addr netip.AddrPort) {
	if !book.SourceIncoming.MayName(addr) {
		return
	}
	p.listensAt(endpoint.IP(addr))
	if book.Usable(p.listen) {
		t.dialer.hear(t.now, book.Rumour{Endpoint: p.listen, Source: book.SourceIncoming})
		t.book.Joined(t.now, p.listen, book.Conn(p.ref))
	}
}

// onUploadOnly records whether a peer only uploads (BEP 21), and drops it if neither
// side wants anything then.
func (t *Torrent) onUploadOnly(p *peer, only bool) {
	p.ext.setUploadOnly(only)
	if t.useless(p) {
		t.drop(p, ReasonUseless)
	}
}

// uploadOnly reports whether we tell peers that we only upload. A seed that shows few of
// its pieces does not: libtorrent hangs up on a peer that wants nothing and has nothing
// for it.
func (t *Torrent) uploadOnly() bool { return t.seeding() && !t.choker.Hides() }

// tellUploadOnly tells all peers that we only upload, once that is so.
func (t *Torrent) tellUploadOnly() {
	if !t.uploadOnly() {
		return
	}
	t.peers.tellUploadOnly(&t.out, true)
}

// tellUploadOnly tells all peers whether we only upload.
func (pt *peerTable) tellUploadOnly(out *outbox, only bool) {
	for _, p := range pt.all() {
		if n := p.ext.number(wire.ExtUploadOnly); n != 0 {
			out.sendExtended(p, n, wire.AppendUploadOnly(nil, only))
		}
	}
}
