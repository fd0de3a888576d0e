package main

import (
	"cmp"
	"slices"
	"strings"

	"swarmnode/daemon/api"
)

func peersCommand() *command {
	return viewCommand(command{
		name:  "peers",
		short: "list the connections of torrents of the daemon",
		long: `The last column says in words what a connection does: it sends (the peer lets us
request), receives (we let it request), wants more of us, offers us something, is
encrypted, came in by itself, or has everything (seed).`,
		examples: []example{{"node peers 3", "the connections of one torrent"}},
	}, showPeers, nil)
}

// connection: a connection of a torrent.
type connectionEvent struct {
	Torrent string `json:"torrent"`
	api.Peer
}

func showPeers(v *view) error {
	peers, err := v.d.Peers(v.ctx, v.t.ID)
	if err != nil {
		return err
	}
	slices.SortFunc(peers, func(a, b api.Peer) int {
		return cmp.Or(cmp.Compare(b.DownRate+b.UpRate, a.DownRate+a.UpRate),
			cmp.Compare(a.Address, b.Address))
	})
	v.c.together(func() {
		for _, p := range peers {
			v.c.event("connection", connectionEvent{v.t.Hash, p})
		}
	})
	if v.c.json {
		return nil
	}
	if len(peers) == 0 {
		v.nothing("no connections")
		return nil
	}
	v.begin()
	v.c.table(peerTable(peers))
	return nil
}

// peerTable returns a table of connections.
func peerTable(peers []api.Peer) *table {
	t := &table{columns: []column{{head: "Address"}, {head: "Has", right: true},
		{head: "Down", right: true}, {head: "Up", right: true}, {head: "Client", soft: true},
		{head: "State", soft: true}}}
	for i := range peers {
		p := &peers[i]
		t.add(p.Address, formatPercent(int64(p.Progress*1000), 1000), rateOrNone(p.DownRate),
			rateOrNone(p.UpRate), p.Client, peerWords(p))
	}
	return t
}

// peerWords describes a connection in words.
func peerWords(p *api.Peer) string {
	words := []string{p.Transport}
	for _, w := range []struct {
		on   bool
		word string
	}{
		{p.Encrypted, "encrypted"}, {!p.Outgoing, "incoming"}, {p.Seed, "seed"},
		{p.Interesting && !p.Choking, "sends"}, {p.Interesting && p.Choking, "offers"},
		{p.Interested && p.Unchoked, "receives"}, {p.Interested && !p.Unchoked, "wants"},
	} {
		if w.on {
			words = append(words, w.word)
		}
	}
	if p.Waiting != "" {
		words = append(words, p.Waiting)
	}
	return strings.Join(words, ", ")
}
