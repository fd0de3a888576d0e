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
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/core"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/statefile"
	"swarmnode/swarm/storage"
)

const (
	// savedMax bounds the peers of a torrent that are remembered from one run to
	// the next: more than are dialled in the first seconds.
	savedMax = 64
	// savedFor is how long they are: few addresses outlive a month.
	savedFor = 30 * 24 * time.Hour
	// savedAhead is by how much a record may be from the future, as after the
	// clock was set back.
	savedAhead = 24 * time.Hour
	// saveFirst and saveEvery are the times to the first record, and between two
	// later ones. A crash loses at most what was learnt since.
	saveFirst = 5 * time.Second
	saveEvery = 2 * time.Minute

	savedMagic   = "swarmnode peers "
	savedVersion = "1"
	// savedPeerBytes is the length of one peer in the record: flags, address in 16
	// bytes, port, and seconds since 1970.
	savedPeerBytes = 1 + 16 + 2 + 8
	// savedBytesMax bounds a record; there is some room for keys to come.
	savedBytesMax = savedMax*savedPeerBytes + 1024
)

// Flags of a peer in the record.
const savedVouched = 1 // a tracker or the user named it

// errSaved tells that a record of peers is of no use.
var errSaved = errors.New("record of peers is damaged")

// appendSaved appends the record of the peers of a torrent: a line with the
// version, a bencoded dictionary, and the SHA-256 of both.
func appendSaved(dst []byte, hash metainfo.Hash, peers []core.KnownPeer) []byte {
	start := len(dst)
	dst = append(dst, savedMagic+savedVersion+"\n"...)
	var list []byte
	for _, p := range peers[:min(len(peers), savedMax)] {
		flags := byte(0)
		if p.Vouched {
			flags = savedVouched
		}
		ip := p.Endpoint.Host().As16()
		list = append(append(list, flags), ip[:]...)
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

// parseSaved reads the record of the peers of a torrent. Peers met too long ago,
// or in the future, are left out.
func parseSaved(doc []byte, hash metainfo.Hash, now time.Time) ([]core.KnownPeer, error) {
	body, ok := bytes.CutPrefix(doc, []byte(savedMagic+savedVersion+"\n"))
	if !ok || len(doc) > savedBytesMax || len(body) < sha256.Size {
		return nil, fmt.Errorf("%w: it is none of version %s", errSaved, savedVersion)
	}
	end := len(doc) - sha256.Size
	if sum := sha256.Sum256(doc[:end]); !bytes.Equal(sum[:], doc[end:]) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errSaved)
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
		return nil, fmt.Errorf("%w: %w", errSaved, r.Close())
	case !bytes.Equal(whose, hash[:]):
		return nil, fmt.Errorf("%w: it is that of another torrent", errSaved)
	case len(list)%savedPeerBytes != 0 || len(list) > savedMax*savedPeerBytes:
		return nil, fmt.Errorf("%w: it has %d bytes of peers", errSaved, len(list))
	}
	var peers []core.KnownPeer
	for p := range slices.Chunk(list, savedPeerBytes) {
		met := time.Unix(int64(binary.BigEndian.Uint64(p[19:])), 0)
		addr := netip.AddrPortFrom(netip.AddrFrom16([16]byte(p[1:17])).Unmap(),
			binary.BigEndian.Uint16(p[17:]))
		if met.Before(now.Add(-savedFor)) || met.After(now.Add(savedAhead)) || addr.Port() == 0 {
			continue
		}
		peers = append(peers, core.KnownPeer{Endpoint: endpoint.IP(addr), Met: met,
			Vouched: p[0]&savedVouched != 0})
	}
	return peers, nil
}

// savedPath is where the record of a torrent is; empty if none is kept. One that
// keeps to the peers that were named leaves the record to other runs.
func (t *Torrent) savedPath() string {
	if t.engine.cfg.StateDir == "" || t.spec.MetadataOnly || t.spec.PeersOnly {
		return ""
	}
	return filepath.Join(t.engine.cfg.StateDir, t.hash.String()+peersSuffix)
}

// recall tells the core the peers of an earlier run.
func (l *loop) recall() {
	path := l.t.savedPath()
	if path == "" {
		return
	}
	doc, err := readSaved(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var peers []core.KnownPeer
	if err == nil {
		peers, err = parseSaved(doc, l.t.hash, time.Now())
	}
	if err != nil {
		l.t.log.Warn("peers of an earlier run", "err", err)
		return
	}
	for _, p := range peers {
		l.t.post(core.Event{Kind: core.Found, Endpoint: p.Endpoint, Source: core.SourceResume,
			Met:     p.Met,
			Vouched: p.Vouched})
	}
}

func readSaved(path string) ([]byte, error) {
	doc, _, err := statefile.Read(path, savedBytesMax)
	return doc, err
}

// remember keeps the record up to date until the torrent ends; end writes the
// last one.
func (l *loop) remember() {
	if l.t.savedPath() == "" {
		return
	}
	for wait := saveFirst; ; wait = saveEvery {
		select {
		case <-l.t.ctx.Done():
			return
		case <-time.After(wait):
		}
		known := make(chan []core.KnownPeer, 1)
		if !l.t.ask(func(time.Time) { known <- l.core.Known(savedMax) }) {
			return
		}
		l.keepPeers(<-known)
	}
}

// keepPeers writes the record. Without any peer that of earlier runs stays.
func (l *loop) keepPeers(known []core.KnownPeer) {
	path := l.t.savedPath()
	if path == "" || len(known) == 0 || l.t.engine.cfg.StateReadOnly {
		return
	}
	if err := writeSaved(path, appendSaved(nil, l.t.hash, known)); err != nil {
		l.t.log.Warn("peers cannot be remembered", "err", err)
	}
}

// writeSaved puts doc in the place of the record as a whole. It is not synced: to
// lose it in a power cut costs no more than a look-up.
func writeSaved(path string, doc []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return statefile.Replace(path, doc, false)
}

// peersSuffix ends the name of the file of a torrent's peers, after the
// info-hash.
const peersSuffix = ".peers"

// Tidy removes what engines have left in a folder that was their
// Config.StateDir about content that has been gone for long; see storage.Tidy.
// It returns of how many torrents.
func Tidy(stateDir string) (forgotten int, err error) {
	return storage.Tidy(stateDir, time.Now(), peersSuffix)
}
