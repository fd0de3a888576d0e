package main

import (
	"net/netip"
	"path/filepath"
	"strings"

	"swarmnode/dht"
	"swarmnode/metainfo/bencode"
)

// A dhtState is the saved state of a DHT node: its ids and the nodes that it has met.
// Among processes that share a state folder, the first one keeps the state. The others
// start from its nodes with ids of their own and save nothing: two nodes with one id
// would push each other out of everybody's table.
type dhtState struct {
	state stateDir
	name  string
	lock  *fileLock // nil if another process keeps the state
}

// The names of states. A bootstrap node has its own, so that a node that comes and goes
// does not take it over.
const (
	stateOfPeers     = "dht"
	stateOfBootstrap = "bootstrap"
)

// openDHTState opens the state for a node that listens on addrs. A node bound to one
// address, such as loopback, is in another network than a node bound to all, so it has a
// state of its own.
func openDHTState(state stateDir, name string, addrs []netip.AddrPort) *dhtState {
	s := dhtStateToRead(state, name, addrs)
	if state.keeps() && !state.readOnly {
		s.lock = lockFile(filepath.Join(state.path, s.name+".lock"))
	}
	return s
}

// dhtStateToRead returns the state for a node that reads it and does not keep it.
func dhtStateToRead(state stateDir, name string, addrs []netip.AddrPort) *dhtState {
	s := &dhtState{state: state, name: name}
	if len(addrs) > 0 && !addrs[0].Addr().IsUnspecified() {
		s.name += "-" + strings.ReplaceAll(addrs[0].Addr().WithZone("").String(), ":", "_")
	}
	return s
}

// load returns the saved state, or nil if there is none that can be used.
func (s *dhtState) load(c *console) []byte {
	if !s.state.keeps() {
		return nil
	}
	b, err := dht.ReadState(filepath.Join(s.state.path, s.name))
	if err != nil {
		c.warn("the saved DHT nodes are not used: %v", err)
		return nil
	}
	if s.lock == nil {
		b = withoutIDs(b)
	}
	return b
}

// save writes the state of node, if this process keeps it.
func (s *dhtState) save(node *dht.Node) error {
	if s.lock == nil {
		return nil
	}
	return dht.WriteState(filepath.Join(s.state.path, s.name), node.Save())
}

// close lets another process keep the state.
func (s *dhtState) close() {
	if s.lock != nil {
		s.lock.close()
	}
}

// withoutIDs returns a saved state without its ids, so that a node that starts
// from it makes new ones; nil if it cannot be read.
func withoutIDs(state []byte) []byte {
	r := bencode.NewReader(state, bencode.Limits{})
	if r.Kind() != bencode.Dict {
		return nil
	}
	out := bencode.AppendDict(nil, func(dst []byte) []byte {
		for key := range r.Dict() {
			value := r.Raw()
			if !strings.HasPrefix(string(key), "id") {
				dst = append(bencode.AppendString(dst, key), value...)
			}
		}
		return dst
	})
	if r.Close() != nil {
		return nil
	}
	return out
}
