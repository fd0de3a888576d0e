package swarm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/statefile"
	"swarmnode/swarm/storage"
)

const (
	// peerCacheMax bounds the peers that a torrent keeps from one run to the next. It is
	// more than a torrent dials in its first seconds.
	peerCacheMax = 64
	// peerCacheAge is how long a peer is kept: few addresses outlive a month.
	peerCacheAge = 30 * 24 * time.Hour
	// peerCacheSkew is how far in the future a peer may have been met, as after the clock
	// was set back.
	peerCacheSkew = 24 * time.Hour
	// peerCacheFirst is the time from a change among the peers to the next record, and
	// peerCacheEvery the least time between two records. A crash loses no more than what
	// was learnt since the last record.
	peerCacheFirst = 5 * time.Second
	peerCacheEvery = 2 * time.Minute

	peerCacheMagic   = "swarmnode peers "
	peerCacheVersion = "1"
	// peerCacheSuffix ends the name of the file, after the info-hash.
	peerCacheSuffix = ".peers"
	// cachedPeerBytes is the length of one peer in the record: flags, address in 16
	// bytes, port, and seconds since 1970.
	cachedPeerBytes = 1 + 16 + 2 + 8
	// peerCacheBytesMax bounds a record. It leaves room for keys of later versions.
	peerCacheBytesMax = peerCacheMax*cachedPeerBytes + 1024
)

// Flags of a peer in the record. Programs that do not know a flag pass over it.
const (
	cachedVouched    = 1 << iota // a tracker or the user named it
	cachedTCP                    // it was met by TCP last
	cachedUTP                    // it was met by uTP last
	cachedAcceptsUTP             // it is said to accept uTP
)

// cachedFlags returns the flags of a peer.
func cachedFlags(p *book.Known) (flags byte) {
	if p.Vouched {
		flags |= cachedVouched
	}
	switch p.Transport {
	case endpoint.TransportTCP:
		flags |= cachedTCP
	case endpoint.TransportUTP:
		flags |= cachedUTP
	}
	if p.UTP {
		flags |= cachedAcceptsUTP
	}
	return flags
}

// cachedTransport returns by which transport a peer was met last, as its flags have it.
func cachedTransport(flags byte) endpoint.Transport {
	switch {
	case flags&cachedUTP != 0:
		return endpoint.TransportUTP
	case flags&cachedTCP != 0:
		return endpoint.TransportTCP
	}
	return endpoint.TransportUnknown
}

// errPeerCache is wrapped by the errors about records that cannot be used.
var errPeerCache = errors.New("record of peers is damaged")

// A peerCache keeps the peers of one torrent in a file, so that the next run meets them
// at once. It is for one goroutine at a time.
type peerCache struct {
	path     string // of the file; empty if the torrent keeps no peers
	hash     metainfo.Hash
	readOnly bool // the file is read and never written
}

// load returns the peers of an earlier run, or none if there was none. Peers that were
// met too long ago, or in the future, are left out.
func (c *peerCache) load(now time.Time) ([]book.Known, error) {
	if c.path == "" {
		return nil, nil
	}
	doc, _, err := statefile.Read(c.path, peerCacheBytesMax)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return parsePeerCache(doc, c.hash, now)
}

// save replaces the file as a whole by one with peers. Without any peer the file of an
// earlier run stays. The file is not synced: to lose it in a power cut costs one look-up.
func (c *peerCache) save(peers []book.Known) error {
	if c.path == "" || c.readOnly || len(peers) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	return statefile.Replace(c.path, appendPeerCache(nil, c.hash, peers), false)
}

// appendPeerCache appends the record of the peers of a torrent: a line with the version,
// a bencoded dictionary, and the SHA-256 of both.
func appendPeerCache(dst []byte, hash metainfo.Hash, peers []book.Known) []byte {
	start := len(dst)
	dst = append(dst, peerCacheMagic+peerCacheVersion+"\n"...)
	var list []byte
	for _, p := range peers[:min(len(peers), peerCacheMax)] {
		ip := p.Endpoint.Host().As16()
		list = append(append(list, cachedFlags(&p)), ip[:]...)
		list = binary.BigEndian.AppendUint16(list, p.Endpoint.Addr.Port())
		list = binary.BigEndian.AppendUint64(list, uint64(max(p.Met.Unix(), 0)))
	}
	dst = bencode.AppendDict(dst, func(b []byte) []byte {
		b = bencode.AppendString(bencode.AppendString(b, "hash"), hash[:])
		return bencode.AppendString(bencode.AppendString(b, "peers"), list)
	})
	sum := sha256.Sum256(dst[start:])
	return append(dst, sum[:]...)
}

// parsePeerCache reads the record of the peers of a torrent, without those that were met
// too long ago or in the future.
func parsePeerCache(doc []byte, hash metainfo.Hash, now time.Time) ([]book.Known, error) {
	body, ok := bytes.CutPrefix(doc, []byte(peerCacheMagic+peerCacheVersion+"\n"))
	if !ok || len(doc) > peerCacheBytesMax || len(body) < sha256.Size {
		return nil, fmt.Errorf("%w: not of version %s", errPeerCache, peerCacheVersion)
	}
	end := len(doc) - sha256.Size
	if sum := sha256.Sum256(doc[:end]); !bytes.Equal(sum[:], doc[end:]) {
		return nil, fmt.Errorf("%w: wrong checksum", errPeerCache)
	}
	var whose, list []byte
	r := bencode.NewReader(body[:len(body)-sha256.Size], bencode.Limits{DepthMax: 2})
	for key := range r.Dict() {
		switch string(key) {
		case "hash":
			whose = r.Bytes()
		case "peers":
			list = r.Bytes()
		}
	}
	switch {
	case r.Close() != nil:
		return nil, fmt.Errorf("%w: %w", errPeerCache, r.Close())
	case !bytes.Equal(whose, hash[:]):
		return nil, fmt.Errorf("%w: of another torrent", errPeerCache)
	case len(list)%cachedPeerBytes != 0 || len(list) > peerCacheMax*cachedPeerBytes:
		return nil, fmt.Errorf("%w: %d bytes of peers", errPeerCache, len(list))
	}
	var peers []book.Known
	for p := range slices.Chunk(list, cachedPeerBytes) {
		met := time.Unix(int64(binary.BigEndian.Uint64(p[19:])), 0)
		addr := netip.AddrPortFrom(netip.AddrFrom16([16]byte(p[1:17])).Unmap(),
			binary.BigEndian.Uint16(p[17:]))
		if met.Before(now.Add(-peerCacheAge)) || met.After(now.Add(peerCacheSkew)) ||
			addr.Port() == 0 {
			continue
		}
		peers = append(peers, book.Known{Endpoint: endpoint.IP(addr), Met: met,
			Vouched: p[0]&cachedVouched != 0, Transport: cachedTransport(p[0]),
			UTP: p[0]&cachedAcceptsUTP != 0})
	}
	return peers, nil
}

// peerCache returns the cache of the torrent. A torrent that keeps to the peers that the user
// named leaves the file to other runs.
func (t *Torrent) peerCache() peerCache {
	cfg := &t.engine.cfg
	c := peerCache{hash: t.hash, readOnly: cfg.StateReadOnly}
	if cfg.StateDir != "" && !t.spec.MetadataOnly && !t.spec.PeersOnly {
		c.path = filepath.Join(cfg.StateDir, t.hash.String()+peerCacheSuffix)
	}
	return c
}

// A peerKeeper says when the peers of a torrent are saved. It is for the loop. A torrent at
// rest has no goroutine for its peers and no deadline: a large seeder has thousands of
// torrents that nobody visits. Times are since the engine began, as they take less memory.
type peerKeeper struct {
	saveAt time.Duration // 0 if the peers are as they were
	saved  time.Duration // when they were last; 0 before
	writes bool          // there is a file to write
	saving atomic.Bool
}

// open sets whether there is a file to write.
func (k *peerKeeper) open(writes bool) { k.writes = writes }

// change notes that the peers may have changed.
func (k *peerKeeper) change(now time.Duration) {
	if !k.writes || k.saveAt > 0 {
		return
	}
	k.saveAt = now + peerCacheFirst
	if k.saved > 0 {
		k.saveAt = max(k.saveAt, k.saved+peerCacheEvery)
	}
}

// next returns when the peers are due to be saved, and reports false if they have not changed.
func (k *peerKeeper) next() (at time.Duration, ok bool) { return k.saveAt, k.saveAt > 0 }

// due reports whether it is time to save the peers. Then the caller calls done when they are.
func (k *peerKeeper) due(now time.Duration) bool {
	if k.saveAt == 0 || now < k.saveAt {
		return false
	}
	if !k.saving.CompareAndSwap(false, true) {
		k.saveAt = now + peerCacheEvery // the disk is slow
		return false
	}
	k.saveAt, k.saved = 0, now
	return true
}

// done says that the peers have been saved.
func (k *peerKeeper) done() { k.saving.Store(false) }

// startPeers loads the peers of an earlier run, if the torrent keeps peers.
func (l *loop) startPeers() {
	c := l.t.peerCache()
	if c.path == "" {
		return
	}
	l.known.open(!c.readOnly)
	l.wait.Go(l.t.loadPeers)
}

// peersChanged schedules a record of the peers.
func (l *loop) peersChanged(now time.Time) { l.known.change(now.Sub(l.t.engine.began)) }

// nextPeers returns when the loop must save the peers, or zero.
func (l *loop) nextPeers() time.Time {
	if at, ok := l.known.next(); ok {
		return l.t.engine.began.Add(at)
	}
	return time.Time{}
}

// keepPeers saves the peers if it is time.
func (l *loop) keepPeers(now time.Time) {
	if !l.known.due(now.Sub(l.t.engine.began)) {
		return
	}
	if len(l.links) > 0 {
		l.peersChanged(now) // until when a peer was connected changes by itself
	}
	known := l.core.Known(peerCacheMax)
	l.wait.Go(func() {
		defer l.known.done()
		l.t.savePeers(known)
	})
}

// loadPeers tells the core the peers of an earlier run.
func (t *Torrent) loadPeers() {
	c := t.peerCache()
	peers, err := c.load(time.Now())
	if err != nil {
		t.log.Warn("peers of an earlier run cannot be used", "err", err)
	}
	for _, p := range peers {
		t.post(core.Event{Kind: core.Found, Endpoint: p.Endpoint, Source: book.SourceResume,
			Met: p.Met, Vouched: p.Vouched, Transport: p.Transport, UTP: p.UTP})
	}
}

// savePeers writes the peers that the core knows.
func (t *Torrent) savePeers(known []book.Known) {
	c := t.peerCache()
	if err := c.save(known); err != nil {
		t.log.Warn("peers of this run cannot be saved", "err", err)
	}
}

// Tidy removes what engines have left in a folder that was their Config.StateDir about
// content that has been gone for long; see storage.Tidy. It returns of how many torrents.
func Tidy(stateDir string) (forgotten int, err error) {
	return storage.Tidy(stateDir, time.Now(), recordSuffixes...)
}
