package dht

import "slices"

// BlockedChanged tells the node that Config.Blocked answers otherwise than before. The node
// forgets the contacts and the announced peers that are blocked now.
func (n *Node) BlockedChanged() {
	_ = n.do(func(c *core, _ instant) { c.dropBlocked() }) // a closed node asks nobody
}

// dropBlocked forgets whatever is blocked.
func (c *core) dropBlocked() {
	if c.blocked == nil {
		return
	}
	for _, f := range c.families {
		if f == nil {
			continue
		}
		f.table.dropBlocked(c.blocked)
		f.peers.dropBlocked(c.blocked)
		f.dropSaved(func(n NodeInfo) bool { return c.blocked(n.Addr.Addr()) })
	}
}

// dropSaved forgets nodes of an earlier run.
func (f *family) dropSaved(over func(NodeInfo) bool) {
	f.saved = slices.DeleteFunc(f.saved, over)
}
