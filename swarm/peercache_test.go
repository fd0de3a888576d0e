package swarm

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
)

var savedNow = time.Unix(1_700_000_000, 0)

func savedPeers(n int) []core.KnownPeer {
	list := make([]core.KnownPeer, n)
	for i := range list {
		ip := netip.AddrFrom4([4]byte{30, 0, byte(i >> 8), byte(i)})
		if i%3 == 2 {
			ip = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)})
		}
		list[i] = core.KnownPeer{
			Endpoint: endpoint.IP(netip.AddrPortFrom(ip, uint16(i+1))),
			Met:      savedNow.Add(-time.Duration(i) * time.Minute), Vouched: i%2 == 0,
		}
	}
	return list
}

func TestSavedPeers(t *testing.T) {
	hash := metainfo.Hash{1, 2, 3}
	for _, n := range []int{0, 1, 5, savedMax} {
		want := savedPeers(n)
		got, err := parseSaved(appendSaved(nil, hash, want), hash, savedNow)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d peers: got %v, %v", n, got, err)
		}
	}
	got, err := parseSaved(appendSaved(nil, hash, savedPeers(3*savedMax)), hash,
		savedNow.Add(time.Hour))
	if err != nil || len(got) != savedMax {
		t.Errorf("got %d peers of a crowd, %v; want %d", len(got), err, savedMax)
	}
	// Peers of long ago, and of times to come, are of no use.
	doc := appendSaved(nil, hash, savedPeers(5))
	for _, now := range []time.Time{savedNow.Add(2 * savedFor), savedNow.Add(-2 * savedAhead)} {
		if got, err := parseSaved(doc, hash, now); err != nil || len(got) != 0 {
			t.Errorf("at %v: got %v, %v", now, got, err)
		}
	}
}

func TestSavedPeersDamaged(t *testing.T) {
	hash := metainfo.Hash{1, 2, 3}
	doc := appendSaved(nil, hash, savedPeers(3))
	for i := range doc { // any byte
		bad := slices.Clone(doc)
		bad[i] ^= 1
		if _, err := parseSaved(bad, hash, savedNow); !errors.Is(err, errSaved) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for n := range doc {
		if _, err := parseSaved(doc[:n], hash, savedNow); !errors.Is(err, errSaved) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := parseSaved(doc, metainfo.Hash{9}, savedNow); !errors.Is(err, errSaved) {
		t.Errorf("of another torrent: %v", err)
	}
	if _, err := parseSaved(make([]byte, savedBytesMax+1), hash, savedNow); !errors.Is(err,
		errSaved) {
		t.Errorf("too long: %v", err)
	}
}

// sealed makes a record of any dictionary: whole by its line and checksum, it can
// still say anything.
func sealed(dict []byte) []byte {
	doc := append([]byte(savedMagic+savedVersion+"\n"), dict...)
	sum := sha256.Sum256(doc)
	return append(doc, sum[:]...)
}

func FuzzSavedPeers(f *testing.F) {
	hash := metainfo.Hash{1, 2, 3}
	f.Add(appendSaved(nil, hash, savedPeers(3)))
	f.Add([]byte("d4:hash20:" + string(hash[:]) + "5:peers27:" +
		string(make([]byte, savedPeerBytes)) + "e"))
	f.Add([]byte("d4:hash20:" + string(hash[:]) + "5:peers26:" + string(make([]byte, 26)) + "e"))
	f.Add([]byte("d5:peers0:e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, doc := range [][]byte{data, sealed(data)} {
			peers, err := parseSaved(doc, hash, savedNow)
			if err != nil {
				continue
			}
			if len(peers) > savedMax {
				t.Fatalf("%d peers", len(peers))
			}
			again, err := parseSaved(appendSaved(nil, hash, peers), hash, savedNow)
			if err != nil || !slices.Equal(again, peers) {
				t.Fatalf("%v became %v, %v", peers, again, err)
			}
		}
	})
}
