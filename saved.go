package swarmnode

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/dht"
	"swarmnode/swarm/statefile"
)

// The names of saved states. A bootstrap node has its own, so that a node that comes and
// goes does not take it over.
const (
	nodesOfPeers     = "dht"
	nodesOfBootstrap = "bootstrap"
)

// savedNodes is the saved state of a DHT node: its ids and the nodes that it has met.
// Among processes that share a state folder, the first one keeps the state. The others
// start from its nodes with ids of their own and save nothing: two nodes with one id would
// push each other out of everybody's table.
type savedNodes struct {
	dir  folder
	name string
	lock *statefile.Lock // nil if another process keeps the state
}

// nodesFile returns the name of the saved state of a node that listens on addrs. A node
// bound to one address, such as loopback, is in another network than a node bound to all,
// so it has a state of its own.
func nodesFile(name string, addrs []netip.AddrPort) string {
	if len(addrs) > 0 && !addrs[0].Addr().IsUnspecified() {
		name += "-" + strings.ReplaceAll(addrs[0].Addr().WithZone("").String(), ":", "_")
	}
	return name
}

// proxied returns the name of the saved state of a node behind a proxy. Nodes that have met it
// there and nodes that meet it without the proxy must not find the same id.
func proxied(name string) string { return name + "-proxy" }

// nodesFile returns the name of the saved state of the node.
func (n *Node) nodesFile() string {
	if n.proxy != nil {
		return proxied(nodesOfPeers)
	}
	return nodesFile(nodesOfPeers, n.Addrs())
}

// readNodes returns the saved state for a node that reads it and does not keep it.
func readNodes(dir folder, name string) *savedNodes { return &savedNodes{dir: dir, name: name} }

// keepNodes returns the saved state for a node that keeps it, unless another process does.
func keepNodes(dir folder, name string) *savedNodes {
	s := readNodes(dir, name)
	if dir.writable() {
		s.lock = statefile.TakeLock(filepath.Join(dir.path, name+".lock"))
	}
	return s
}

// load returns the saved state, or nil if there is none that can be used.
func (s *savedNodes) load(log *slog.Logger) []byte {
	if !s.dir.keeps() {
		return nil
	}
	state, err := dht.ReadState(filepath.Join(s.dir.path, s.name))
	if err != nil {
		log.Warn("the saved DHT nodes are not used", "err", err)
		return nil
	}
	if s.lock == nil {
		state = dht.ForgetIDs(state)
	}
	return state
}

// written returns when the state was last written, the zero Time if there is none.
func (s *savedNodes) written() time.Time {
	if !s.dir.keeps() {
		return time.Time{}
	}
	info, err := os.Stat(filepath.Join(s.dir.path, s.name))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// save writes a state, if this process keeps it.
func (s *savedNodes) save(state []byte) error {
	if s.lock == nil {
		return nil
	}
	return dht.WriteState(filepath.Join(s.dir.path, s.name), state)
}

// close lets another process keep the state.
func (s *savedNodes) close() { s.lock.Release() }
