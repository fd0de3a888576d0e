package dht

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/statefile"
)

const (
	// stateMax bounds the bytes of a saved state, stateNodes its contacts per
	// family.
	stateMax   = 256 << 10
	stateNodes = 500

	// stateAge is how old a saved contact may be: most nodes are gone or have
	// another address after a few weeks.
	stateAge = 30 * 24 * time.Hour

	// stateVersion is the "version" of the format below.
	stateVersion = 1
)

// A saved state is a dictionary:
//
//	id4, id6        our ids, 20 bytes
//	nodes4, nodes6  contacts: id, address and port as in BEP 5, and the time in
//	                seconds since 1970 when it last answered, in 4 bytes
//	version         1
var stateKeys = [families]struct{ id, nodes string }{{"id4", "nodes4"}, {"id6", "nodes6"}}

type savedState struct {
	families [families]struct {
		id    ID
		nodes []NodeInfo // the last heard first
	}
}

// Save returns the ids and the contacts of the node, for Config.State of a later run,
// which can then join without bootstrap hosts. It returns nil when the node has no
// contacts, so that callers keep an older state.
func (n *Node) Save() (state []byte) {
	wall := time.Now()
	_ = n.call(func(c *core, now instant) { state = c.save(now, wall) })
	return state
}

func (c *core) save(now instant, wall time.Time) []byte {
	dst, some := []byte{'d'}, false
	for i, f := range c.families {
		if f != nil {
			dst = appendPair(dst, stateKeys[i].id, f.id[:])
		}
	}
	for i, f := range c.families {
		if f == nil {
			continue
		}
		nodes := f.contactsToSave(now, wall)
		some = some || len(nodes) > 0
		dst = appendPair(dst, stateKeys[i].nodes, nodes)
	}
	if !some {
		return nil
	}
	dst = appendNumber(dst, "version", stateVersion)
	return append(dst, 'e')
}

// contactsToSave encodes the contacts that are not bad, those heard last first.
func (f *family) contactsToSave(now instant, wall time.Time) (dst []byte) {
	var list []contact
	for i := range f.table.buckets {
		for _, c := range f.table.buckets[i].contacts {
			if !c.bad() {
				list = append(list, c)
			}
		}
	}
	slices.SortFunc(list, func(a, b contact) int {
		return int(min(max(b.answered-a.answered, -1), 1))
	})
	for _, c := range list[:min(len(list), stateNodes)] {
		dst = append(dst, c.id[:]...)
		dst = appendAddr(dst, c.addr())
		dst = binary.BigEndian.AppendUint32(dst, uint32(wall.Add(c.answered-now).Unix()))
	}
	return dst
}

// parseState reads the valid parts of a saved state.
func parseState(b []byte) (s savedState) {
	if len(b) > stateMax {
		return s
	}
	r := bencode.NewReader(b, krpcLimits)
	if r.Kind() != bencode.Dict {
		return s
	}
	version := int64(0)
	for key := range r.Dict() {
		switch string(key) {
		case "version":
			version, _ = r.TryInt()
		case stateKeys[v4].id:
			fixed(r, &s.families[v4].id)
		case stateKeys[v6].id:
			fixed(r, &s.families[v6].id)
		case stateKeys[v4].nodes:
			list, _ := r.TryBytes()
			s.families[v4].nodes = parseStateNodes(list, compactNode4)
		case stateKeys[v6].nodes:
			list, _ := r.TryBytes()
			s.families[v6].nodes = parseStateNodes(list, compactNode6)
		}
	}
	if r.Close() != nil || version != stateVersion {
		return savedState{}
	}
	return s
}

func parseStateNodes(list []byte, size int) (nodes []NodeInfo) {
	oldest := time.Now().Add(-stateAge).Unix()
	for len(list) >= size+4 && len(nodes) < stateNodes {
		addr, _ := parseAddr(list[20:size])
		when := int64(binary.BigEndian.Uint32(list[size:]))
		if usable(addr) && when >= oldest {
			nodes = append(nodes, NodeInfo{ID(list[:20]), addr})
		}
		list = list[size+4:]
	}
	return nodes
}

// ForgetIDs returns a saved state without its ids, so that a node that starts from it makes
// new ones: two nodes with one id would push each other out of everybody's table. It
// returns nil if the state cannot be read.
func ForgetIDs(state []byte) []byte {
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

// WriteState writes a saved state to the file path, atomically: whatever
// happens, the file is the old one or the new one. A nil state writes nothing.
func WriteState(path string, state []byte) error {
	if state == nil {
		return nil
	}
	if err := statefile.Replace(path, state, true); err != nil {
		return fmt.Errorf("writing DHT state: %w", err)
	}
	return nil
}

// ReadState reads a file that WriteState wrote. For a missing file it returns nil
// without an error.
func ReadState(path string) ([]byte, error) {
	b, _, err := statefile.Read(path, stateMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading DHT state: %w", err)
	}
	return b, nil
}
