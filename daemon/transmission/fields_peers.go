package transmission

import (
	"swarmnode/daemon"
	"swarmnode/swarm"
)

// torrentPeersDefault and peersDefault are the bounds of connections that nobody has set.
const (
	torrentPeersDefault = 80
	peersDefault        = 500
)

// peerFields are about the peers of a torrent and its web seeds.
var peerFields = []field{
	f("peersConnected", "peers_connected", 0, func(w *writer, v *view) {
		w.int(int64(v.state.Swarm.PeersConnected))
	}),
	f("peersGettingFromUs", "peers_getting_from_us", 0, func(w *writer, v *view) {
		w.int(int64(v.state.Swarm.PeersUnchoked))
	}),
	f("peersSendingToUs", "peers_sending_to_us", 0, func(w *writer, v *view) {
		if v.state.Status != daemon.Downloading {
			w.int(0)
			return
		}
		w.int(int64(v.state.Swarm.PeersServing))
	}),
	f("peers", "peers", needPeers, func(w *writer, v *view) {
		w.open('[')
		for i := range v.peers {
			if v.peers[i].URL == "" {
				object(w, peerMembers, &v.peers[i])
			}
		}
		w.shut(']')
	}),
	f("peersFrom", "peers_from", needPeers, func(w *writer, v *view) {
		object(w, sourceMembers, &v.peers)
	}),
	f("webseeds", "webseeds", needWebSeeds, func(w *writer, v *view) {
		w.open('[')
		for i := range v.webSeeds {
			w.text(v.webSeeds[i].URL)
		}
		w.shut(']')
	}),
	f("webseeds_ex", "webseeds_ex", needWebSeeds, func(w *writer, v *view) {
		objects(w, webSeedMembers, v.webSeeds)
	}),
	f("webseedsSendingToUs", "webseeds_sending_to_us", needWebSeeds, func(w *writer, v *view) {
		n := 0
		for i := range v.webSeeds {
			if v.webSeeds[i].Rate > 0 {
				n++
			}
		}
		w.int(int64(n))
	}),
}

var peerMembers = []member[swarm.PeerState]{
	m("address", "address", func(w *writer, p *swarm.PeerState) {
		w.text(p.Addr.Addr().Unmap().String())
	}),
	m("port", "port", func(w *writer, p *swarm.PeerState) { w.int(int64(p.Addr.Port())) }),
	m("clientName", "client_name", func(w *writer, p *swarm.PeerState) { w.text(p.Client) }),
	m("peer_id", "peer_id", func(w *writer, p *swarm.PeerState) { w.base64(p.ID[:]) }),
	m("flagStr", "flag_str", func(w *writer, p *swarm.PeerState) { w.text(flagsOf(p)) }),
	m("progress", "progress", func(w *writer, p *swarm.PeerState) { w.float(p.Progress) }),
	m("rateToClient", "rate_to_client", func(w *writer, p *swarm.PeerState) {
		w.int(p.DownRate)
	}),
	m("rateToPeer", "rate_to_peer", func(w *writer, p *swarm.PeerState) { w.int(p.UpRate) }),
	m("bytes_to_client", "bytes_to_client", func(w *writer, p *swarm.PeerState) {
		w.int(p.Down)
	}),
	m("bytes_to_peer", "bytes_to_peer", func(w *writer, p *swarm.PeerState) { w.int(p.Up) }),
	m("clientIsChoked", "client_is_choked", func(w *writer, p *swarm.PeerState) {
		w.bool(p.Choking)
	}),
	m("clientIsInterested", "client_is_interested", func(w *writer, p *swarm.PeerState) {
		w.bool(p.Interesting)
	}),
	m("peerIsChoked", "peer_is_choked", func(w *writer, p *swarm.PeerState) {
		w.bool(!p.Unchoked)
	}),
	m("peerIsInterested", "peer_is_interested", func(w *writer, p *swarm.PeerState) {
		w.bool(p.Interested)
	}),
	m("isDownloadingFrom", "is_downloading_from", func(w *writer, p *swarm.PeerState) {
		w.bool(p.Interesting && !p.Choking)
	}),
	m("isUploadingTo", "is_uploading_to", func(w *writer, p *swarm.PeerState) {
		w.bool(p.Interested && p.Unchoked)
	}),
	m("isEncrypted", "is_encrypted", func(w *writer, p *swarm.PeerState) { w.bool(p.Encrypted) }),
	m("isIncoming", "is_incoming", func(w *writer, p *swarm.PeerState) { w.bool(!p.Outgoing) }),
	m("isUTP", "is_utp", func(w *writer, p *swarm.PeerState) { w.bool(isUTP(p)) }),
}

func isUTP(p *swarm.PeerState) bool {
	return p.Transport == swarm.TransportUTP || p.Transport == swarm.TransportRelay
}

// flagsOf returns the state of a connection in the letters of Transmission: T for uTP, O for
// an optimistic slot, D and d for what we want and may request or not, U and u for what it
// wants, K when we may request and want nothing, ? when it may and wants nothing, E for
// encrypted, H when the DHT and X when peer exchange named it, I when it connected to us.
func flagsOf(p *swarm.PeerState) string {
	var flags [11]byte
	b := flags[:0]
	add := func(letter byte, on bool) {
		if on {
			b = append(b, letter)
		}
	}
	add('T', isUTP(p))
	add('O', p.Optimistic)
	add('D', p.Interesting && !p.Choking)
	add('d', p.Interesting && p.Choking)
	add('U', p.Interested && p.Unchoked)
	add('u', p.Interested && !p.Unchoked)
	add('K', !p.Interesting && !p.Choking)
	add('?', !p.Interested && p.Unchoked)
	add('E', p.Encrypted)
	add('H', p.Source == swarm.PeerFromDHT)
	add('X', p.Source == swarm.PeerFromPEX)
	add('I', !p.Outgoing)
	return string(b)
}

// sourceMembers are how many of the present peers each source has named.
var sourceMembers = []member[[]swarm.PeerState]{
	source("fromCache", "from_cache", swarm.PeerFromResume),
	source("fromDht", "from_dht", swarm.PeerFromDHT),
	source("fromIncoming", "from_incoming", swarm.PeerFromIncoming),
	source("fromLpd", "from_lpd", swarm.PeerFromLSD),
	// Those that links and users name have no source of their own.
	source("fromLtep", "from_ltep", swarm.PeerFromLink, swarm.PeerFromUser),
	source("fromPex", "from_pex", swarm.PeerFromPEX),
	source("fromTracker", "from_tracker", swarm.PeerFromTracker),
}

func source(legacyName, modernName string, from ...swarm.PeerSource) member[[]swarm.PeerState] {
	return m(legacyName, modernName, func(w *writer, list *[]swarm.PeerState) {
		n := 0
		for i := range *list {
			for _, source := range from {
				if p := &(*list)[i]; p.URL == "" && p.Source == source {
					n++
				}
			}
		}
		w.int(int64(n))
	})
}

var webSeedMembers = []member[swarm.WebSeedState]{
	m("url", "url", func(w *writer, s *swarm.WebSeedState) { w.text(s.URL) }),
	m("is_downloading", "is_downloading", func(w *writer, s *swarm.WebSeedState) {
		w.bool(s.Status == swarm.WebSeedActive)
	}),
	m("download_bytes_per_second", "download_bytes_per_second",
		func(w *writer, s *swarm.WebSeedState) { w.int(s.Rate) }),
}
