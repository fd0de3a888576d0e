package swarm

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
)

var cacheNow = time.Unix(1_700_000_000, 0)

func cachedPeers(n int) []book.Known {
	list := make([]book.Known, n)
	for i := range list {
		ip := netip.AddrFrom4([4]byte{30, 0, byte(i >> 8), byte(i)})
		if i%3 == 2 {
			ip = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)})
		}
		list[i] = book.Known{
			Endpoint: endpoint.IP(netip.AddrPortFrom(ip, uint16(i+1))),
			Met:      cacheNow.Add(-time.Duration(i) * time.Minute), Vouched: i%2 == 0,
			Transport: endpoint.Transport(i % 3), UTP: i%4 == 0,
		}
	}
	return list
}

func TestPeerCache(t *testing.T) {
	hash := metainfo.Hash{1, 2, 3}
	for _, n := range []int{0, 1, 5, peerCacheMax} {
		want := cachedPeers(n)
		got, err := parsePeerCache(appendPeerCache(nil, hash, want), hash, cacheNow)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d peers: got %v, %v", n, got, err)
		}
	}
	got, err := parsePeerCache(appendPeerCache(nil, hash, cachedPeers(3*peerCacheMax)), hash,
		cacheNow.Add(time.Hour))
	if err != nil || len(got) != peerCacheMax {
		t.Errorf("got %d peers of a crowd, %v; want %d", len(got), err, peerCacheMax)
	}
	// Peers met long ago, or in the future, are left out.
	doc := appendPeerCache(nil, hash, cachedPeers(5))
	for _, now := range []time.Time{cacheNow.Add(2 * peerCacheAge),
		cacheNow.Add(-2 * peerCacheSkew)} {
		if got, err := parsePeerCache(doc, hash, now); err != nil || len(got) != 0 {
			t.Errorf("at %v: got %v, %v", now, got, err)
		}
	}
}

// TestPeerCacheOfEarlierVersions: a record of a program that knew no transports is read, and
// such a program reads ours: it looks at the lowest flag alone.
func TestPeerCacheOfEarlierVersions(t *testing.T) {
	for flags, want := range map[byte]book.Known{
		0: {}, 1: {Vouched: true},
		2: {Transport: endpoint.TransportTCP},
		5: {Vouched: true, Transport: endpoint.TransportUTP},
		8: {UTP: true},
	} {
		if got := cachedFlags(&want); got != flags {
			t.Errorf("%+v is written as %b, want %b", want, got, flags)
		}
		if got := cachedTransport(flags); got != want.Transport {
			t.Errorf("flags %b mean %v, want %v", flags, got, want.Transport)
		}
	}
}

func TestPeerCacheDamaged(t *testing.T) {
	hash := metainfo.Hash{1, 2, 3}
	doc := appendPeerCache(nil, hash, cachedPeers(3))
	for i := range doc { // any byte
		bad := slices.Clone(doc)
		bad[i] ^= 1
		if _, err := parsePeerCache(bad, hash, cacheNow); !errors.Is(err, errPeerCache) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for n := range doc {
		if _, err := parsePeerCache(doc[:n], hash, cacheNow); !errors.Is(err, errPeerCache) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := parsePeerCache(doc, metainfo.Hash{9}, cacheNow); !errors.Is(err, errPeerCache) {
		t.Errorf("of another torrent: %v", err)
	}
	if _, err := parsePeerCache(make([]byte, peerCacheBytesMax+1), hash, cacheNow); !errors.Is(err,
		errPeerCache) {
		t.Errorf("too long: %v", err)
	}
}

// sealed makes a record of any dictionary: whole by its line and checksum, it can
// still say anything.
func sealed(dict []byte) []byte {
	doc := append([]byte(peerCacheMagic+peerCacheVersion+"\n"), dict...)
	sum := sha256.Sum256(doc)
	return append(doc, sum[:]...)
}

func FuzzPeerCache(f *testing.F) {
	hash := metainfo.Hash{1, 2, 3}
	f.Add(appendPeerCache(nil, hash, cachedPeers(3)))
	f.Add([]byte("d4:hash20:" + string(hash[:]) + "5:peers27:" +
		string(make([]byte, cachedPeerBytes)) + "e"))
	f.Add([]byte("d4:hash20:" + string(hash[:]) + "5:peers26:" + string(make([]byte, 26)) + "e"))
	f.Add([]byte("d5:peers0:e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, doc := range [][]byte{data, sealed(data)} {
			peers, err := parsePeerCache(doc, hash, cacheNow)
			if err != nil {
				continue
			}
			if len(peers) > peerCacheMax {
				t.Fatalf("%d peers", len(peers))
			}
			again, err := parsePeerCache(appendPeerCache(nil, hash, peers), hash, cacheNow)
			if err != nil || !slices.Equal(again, peers) {
				t.Fatalf("%v became %v, %v", peers, again, err)
			}
		}
	})
}

// TestPeerCacheFile: what is saved is loaded by the next run; an empty list, a cache that
// is read only and one without a file write nothing.
func TestPeerCacheFile(t *testing.T) {
	c := peerCache{path: filepath.Join(t.TempDir(), "made", "for it", "x"+peerCacheSuffix),
		hash: metainfo.Hash{1}}
	expect := func(what string, want []book.Known) {
		t.Helper()
		if got, err := c.load(cacheNow); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: loaded %v, %v; want %v", what, got, err, want)
		}
	}
	save := func(peers []book.Known) {
		t.Helper()
		if err := c.save(peers); err != nil {
			t.Error(err)
		}
	}
	expect("before the first run", nil)
	save(cachedPeers(5))
	expect("after the first run", cachedPeers(5))
	save(nil)
	expect("after a run that met nobody", cachedPeers(5))
	c.readOnly = true
	save(cachedPeers(2))
	expect("after a run that may not write", cachedPeers(5))
	c.path = ""
	save(cachedPeers(2))
	expect("of a torrent that keeps no peers", nil)
}

// Peers are saved soon after the first change, every two minutes at most while they change, and
// never while they do not.
func TestPeersAreSavedNowAndThen(t *testing.T) {
	const first = time.Minute
	var k peerKeeper
	if k.change(first); k.due(time.Hour) {
		t.Error("peers without a file are saved")
	}
	k.open(true)
	if _, ok := k.next(); ok || k.due(time.Hour) {
		t.Error("saved although nothing has changed")
	}
	k.change(first)
	k.change(first + time.Second)
	if at, ok := k.next(); !ok || at != first+peerCacheFirst || k.due(at-1) || !k.due(at) {
		t.Errorf("saved after %v, want %v", at, first+peerCacheFirst)
	}
	if k.due(time.Hour) {
		t.Error("saved twice for one change")
	}
	k.change(first + peerCacheFirst)
	second, _ := k.next()
	if second != first+peerCacheFirst+peerCacheEvery || k.due(second) {
		t.Errorf("saved again after %v, although the first record is being written", second)
	}
	k.done()
	if at, _ := k.next(); at != second+peerCacheEvery || !k.due(at) {
		t.Errorf("after a slow disk saved after %v, want %v", at, second+peerCacheEvery)
	}
}
