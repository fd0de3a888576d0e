package swarmnode

import (
	"net/netip"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm/reach"
)

const (
	// silentAfter is how long a DHT node must have run, and silentQueries how many of its
	// queries must be without an answer, until the network is taken for one that drops
	// datagrams.
	silentAfter   = 20 * time.Second
	silentQueries = 10
)

// A Standing says how others reach a Node: at which addresses, over TCP or uTP, only by
// punching or a relay, or not at all, and why. Its String is one line for users; the words of
// its parts are those of docs/json.md.
type Standing = reach.Standing

// Reach returns how others reach the node, as far as that is known yet. DHT nodes and peers
// tell it at which address they see it, and those who come unasked that they can. Nobody may
// change its slice.
func (n *Node) Reach() Standing { return n.engine.Reach() }

// CutOff says why nothing can be sent to anybody at the moment; "" if something can.
func (n *Node) CutOff() string {
	if _, err := n.cfg.Network.Egress().Present(); err != nil {
		return err.Error()
	}
	if n.ProxyAway() {
		return "the proxy cannot be used"
	}
	return ""
}

// OnReach makes f hear how others reach the node, now and after each change, until the node
// closes or the function that OnReach returns is called. See swarm.Engine.OnReach.
func (n *Node) OnReach(f func(Standing)) (stop func()) { return n.engine.OnReach(f) }

// sawUs tells the engine at which address a DHT node sees our port.
func (n *Node) sawUs(by, as netip.AddrPort) {
	n.engine.Observe(reach.Seen{By: by.Addr(), As: as, Via: reach.DHT})
}

// heardNobody tells the engine whether the DHT gets no answers.
func (n *Node) heardNobody(st dht.Stats, age time.Duration) {
	n.engine.Observe(reach.Silent{On: silent(st, age)})
}

// silent reports whether nobody has answered a DHT node of that age, though it has asked.
func silent(st dht.Stats, age time.Duration) bool {
	return st.Answers == 0 && st.TimedOut >= silentQueries && age >= silentAfter
}
