package swarm

import (
	"errors"
	"slices"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/transport/mse"
)

// namedTorrent returns a torrent whose info-hashes start with v1 and v2; 0 stands for
// none.
func namedTorrent(v1, v2 byte) *Torrent {
	t, n := new(Torrent), names{}
	if v2 != 0 {
		n.v2, n.hasV2 = metainfo.Hash256{v2}, true
		t.hash = n.v2.Short()
	}
	if v1 != 0 {
		n.v1, n.hasV1 = metainfo.Hash{v1}, true
		t.hash = n.v1
	}
	t.names.set(n)
	return t
}

// TestRegistry: a torrent is found by each of its info-hashes, plain and as the key of an
// encrypted handshake, from its arrival until its removal.
func TestRegistry(t *testing.T) {
	r := newRegistry()
	hybrid, link := namedTorrent(1, 2), namedTorrent(3, 0)
	expect := func(hash metainfo.Hash, want *Torrent) {
		t.Helper()
		if got := r.find(hash); got != want {
			t.Errorf("%v finds %p, want %p", hash, got, want)
		}
		key, ok := r.key(mse.Key(hash).ID())
		if ok != (want != nil) || ok && key != mse.Key(hash) {
			t.Errorf("the key of %v is %x, %v", hash, key, ok)
		}
	}
	for _, torrent := range []*Torrent{hybrid, link} {
		if err := r.add(torrent); err != nil {
			t.Fatal(err)
		}
	}
	expect(metainfo.Hash{1}, hybrid)
	expect(metainfo.Hash{2}, hybrid)
	expect(metainfo.Hash{3}, link)
	expect(metainfo.Hash{4}, nil)
	if all := r.all(); len(all) != 2 || !slices.Contains(all, hybrid) ||
		!slices.Contains(all, link) {
		t.Errorf("the torrents are %v", all)
	}

	// The metadata of a link shows its other info-hash.
	for _, what := range []string{"a free info-hash", "an info-hash of its own"} {
		if !r.alias(link, metainfo.Hash{4}) {
			t.Errorf("%s was refused", what)
		}
	}
	expect(metainfo.Hash{4}, link)
	if r.alias(link, metainfo.Hash{2}) {
		t.Error("a torrent took the info-hash of another one")
	}
	link.names.set(names{metainfo.Hash{3}, metainfo.Hash256{4}, true, true})

	r.remove(link)
	expect(metainfo.Hash{3}, nil)
	expect(metainfo.Hash{4}, nil)
	expect(metainfo.Hash{1}, hybrid)
	r.remove(hybrid)
	expect(metainfo.Hash{1}, nil)
	expect(metainfo.Hash{2}, nil)
	if n := len(r.torrents) + len(r.aliases) + len(r.keys); n != 0 {
		t.Errorf("%d entries are left behind", n)
	}
}

// TestRegistryRefuses: no two torrents have an info-hash in common, and none is added
// after the end.
func TestRegistryRefuses(t *testing.T) {
	r := newRegistry()
	hybrid := namedTorrent(1, 2)
	if err := r.add(hybrid); err != nil {
		t.Fatal(err)
	}
	for _, other := range []*Torrent{namedTorrent(1, 0), namedTorrent(0, 2), namedTorrent(3, 2)} {
		if err := r.add(other); !errors.Is(err, ErrExists) {
			t.Errorf("%v was added: %v", other.hashes(), err)
		}
		r.remove(other) // takes nothing from the first torrent
	}
	if r.find(metainfo.Hash{1}) != hybrid || r.find(metainfo.Hash{2}) != hybrid ||
		r.find(metainfo.Hash{3}) != nil {
		t.Error("a refused torrent has changed the registry")
	}
	if all := r.close(); len(all) != 1 || all[0] != hybrid {
		t.Errorf("closed with %v", all)
	}
	if err := r.add(namedTorrent(9, 0)); !errors.Is(err, ErrClosed) {
		t.Errorf("added after the end: %v", err)
	}
}

func TestNames(t *testing.T) {
	v1, v2 := metainfo.Hash{1}, metainfo.Hash256{2}
	for _, c := range []struct {
		name  string
		names names
		first metainfo.Hash
		want  []metainfo.Hash
	}{
		{"v1", names{v1: v1, hasV1: true}, v1, []metainfo.Hash{v1}},
		{"v2", names{v2: v2, hasV2: true}, v2.Short(), []metainfo.Hash{v2.Short()}},
		{"hybrid", names{v1, v2, true, true}, v1, []metainfo.Hash{v1, v2.Short()}},
		{"hybrid, added by v2", names{v1, v2, true, true}, v2.Short(),
			[]metainfo.Hash{v2.Short(), v1}},
		{"unknown", names{}, v1, []metainfo.Hash{v1}},
	} {
		if got := c.names.hashes(c.first); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
