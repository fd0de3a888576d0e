package main

import (
	"net/netip"
	"slices"
	"time"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// linkSettled is how long the ways in must be the same before people get a link with them.
	linkSettled = 2 * time.Second
	// linkLocalAfter is how long a way in from the internet is awaited, before a link names
	// the addresses of the local network.
	linkLocalAfter = 10 * time.Second
	// linkGap is the least time between two rounds of links.
	linkGap = time.Minute
	// linksShown is how many links are printed for people. Programs get all of them.
	linksShown = 10
)

// link: a link that also names where others reach the node.
type linkEvent struct {
	Torrent string   `json:"torrent"`
	Name    string   `json:"name"`
	Magnet  string   `json:"magnet"`
	Peers   []string `json:"peers"` // that the link names, HOST:PORT
}

// A linkView tells people and programs a better link than the first one: one that names where
// others reach the node, once that is known. The first link is printed before anybody can have
// told the node.
type linkView struct {
	links  []*metainfo.Info // of the torrents whose links were printed first
	magnet func(*metainfo.Info) metainfo.Magnet
	named  []string // what the links name
	began  time.Time

	last   []string // the ways in at the last look
	since  time.Time
	told   []string
	toldAt time.Time
	local  bool // what was told leads to us from the local network alone
}

// newLinkView returns a linkView of a node that was started at a moment and that the first
// links name at some addresses. magnet returns the link of a torrent, without peers.
func newLinkView(began time.Time, named []string,
	magnet func(*metainfo.Info) metainfo.Magnet) *linkView {
	return &linkView{began: began, named: named, magnet: magnet}
}

// add adds a torrent whose link was printed. A node may have thousands, so the view keeps no
// links: it makes each when it is told.
func (v *linkView) add(info *metainfo.Info) {
	if v != nil {
		v.links = append(v.links, info)
	}
}

// look tells the links again if the ways in have changed. ways are those of the internet, and
// local returns the addresses of the local network. It is called every second or so.
func (v *linkView) look(now time.Time, c *console, ways []netip.AddrPort,
	local func() []netip.AddrPort) {
	if v == nil {
		return
	}
	near := len(ways) == 0
	if near && now.Sub(v.began) >= linkLocalAfter {
		ways = local()
	}
	is := v.peers(ways)
	if !slices.Equal(is, v.last) {
		v.last, v.since = is, now
	}
	known := func(peer string) bool { return slices.Contains(v.named, peer) }
	switch {
	case now.Sub(v.since) < linkSettled, slices.Equal(is, v.told),
		!v.toldAt.IsZero() && now.Sub(v.toldAt) < linkGap && (!v.local || near),
		v.told == nil && !slices.ContainsFunc(is, func(p string) bool { return !known(p) }):
		return
	}
	v.told, v.toldAt, v.local = is, now, near && len(v.named) == 0
	v.tell(c)
}

// peers returns what a link names that has these ways in, without those that nodes which get
// the link will not dial.
func (v *linkView) peers(ways []netip.AddrPort) []string {
	list := slices.Clone(v.named)
	for _, at := range ways {
		if s := at.String(); swarm.LinkMayName(at) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// tell says the links as they are now.
func (v *linkView) tell(c *console) {
	what := "a link that also names this node"
	if v.local {
		what = "a link that names this node to its local network"
	}
	for i, info := range v.links {
		m := v.magnet(info)
		m.Peers = v.told
		text := m.String()
		c.event("link", linkEvent{m.Hash().String(), m.Name, text, v.told})
		if i < linksShown {
			c.note("%s: %s", what, text)
		}
	}
	if more := len(v.links) - linksShown; more > 0 {
		c.note("%s can name the node as well, with --json", plural(more, "more link"))
	}
}

// localEndpoints returns where others in the local networks reach a node.
func localEndpoints(network *swarmnode.Network, bound []netip.AddrPort) (list []netip.AddrPort) {
	for _, at := range bound {
		for _, ip := range hostsOf(network, at.Addr()) {
			if !ip.IsLoopback() {
				list = append(list, netip.AddrPortFrom(ip, at.Port()))
			}
		}
	}
	return list
}
