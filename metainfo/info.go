package metainfo

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"sync"

	"swarmnode/metainfo/bencode"
)

// Info is an info dictionary: the part of a torrent that its hash covers. It
// does not change after ParseInfo and is safe for concurrent use.
type Info struct {
	raw     []byte
	hashV1  Hash
	hashV2  Hash256
	private bool
	source  string
	layout  *Layout
	renamed []Renamed
}

// Raw returns the dictionary as received, over which its hashes are taken and
// which BEP 9 sends to peers. It must not be changed.
func (i *Info) Raw() []byte { return i.raw }

// Kind returns which formats the dictionary has.
func (i *Info) Kind() Kind { return i.layout.kind }

// Hash returns the info-hash of the swarm: v1 if the torrent has one, or the
// first 20 bytes of v2 (BEP 52, "infohash").
func (i *Info) Hash() Hash {
	if h, ok := i.HashV1(); ok {
		return h
	}
	return i.hashV2.Short()
}

// HashV1 returns the v1 info-hash; ok is false for v2 torrents.
func (i *Info) HashV1() (hash Hash, ok bool) { return i.hashV1, i.layout.kind.HasV1() }

// HashV2 returns the v2 info-hash; ok is false for v1 torrents.
func (i *Info) HashV2() (hash Hash256, ok bool) { return i.hashV2, i.layout.kind.HasV2() }

// Name returns the cleaned name of the file, or of the folder that holds all
// files.
func (i *Info) Name() string { return i.layout.Name }

// Private reports whether peers may come only from the torrent's trackers (BEP
// 27).
func (i *Info) Private() bool { return i.private }

// Source returns the "source" key, by which some trackers distinguish torrents
// of the same content. It is not cleaned.
func (i *Info) Source() string { return i.source }

// Layout returns the pieces and files.
func (i *Info) Layout() *Layout { return i.layout }

// ParseInfo reads an info dictionary of BEP 3 or BEP 52, and keeps a copy of it. Its
// errors say in one line what is wrong with the torrent.
func ParseInfo(raw []byte) (*Info, error) {
	if len(raw) > TorrentBytesMax {
		return nil, fmt.Errorf("info dictionary: has %d bytes, more than %d", len(raw),
			TorrentBytesMax)
	}
	info, err := newInfo(bytes.Clone(raw))
	if err != nil {
		return nil, fmt.Errorf("info dictionary: %w", err)
	}
	return info, nil
}

// newInfo parses an info dictionary, and keeps raw.
func newInfo(raw []byte) (*Info, error) {
	p := readInfo(raw, bencode.NewReader(raw, documentLimits), NamesNative)
	if err := p.r.Close(); err != nil {
		return nil, err
	}
	return p.finish(raw)
}

// finish makes an Info of the dictionary that was read. The Info keeps raw, its bytes.
func (p *infoParser) finish(raw []byte) (*Info, error) {
	if p.err != nil {
		return nil, p.err
	}
	kind, err := p.kind()
	if err != nil {
		return nil, err
	}
	if p.pieces != nil {
		p.pieces = raw[p.piecesAt-p.start:][:len(p.pieces)]
	}
	info := &Info{raw: raw, private: p.private, source: p.source}
	hashing := info.startHashing(kind)
	l, err := p.layout(kind)
	hashing.Wait()
	if err != nil {
		return nil, err
	}
	info.layout = l
	if l.Name == "" {
		l.Name = info.Hash().String()
	}
	l.raw = raw
	info.renamed = p.renames(l)
	return info, nil
}

// parseNames reads an info dictionary again, for the names by rule. Only the names of
// the layout are valid.
func parseNames(raw []byte, rule NameRule) (*Layout, *infoParser, error) {
	p := readInfo(raw, bencode.NewReader(raw, documentLimits), rule)
	p.namesOnly = true
	if err := p.r.Close(); err != nil {
		return nil, nil, err
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	kind, err := p.kind()
	if err != nil {
		return nil, nil, err
	}
	l, err := p.layout(kind)
	return l, p, err
}

// startHashing computes the info-hashes in the background. They are valid after Wait.
func (i *Info) startHashing(kind Kind) *sync.WaitGroup {
	var hashing sync.WaitGroup
	if kind.HasV1() {
		hashing.Go(func() { i.hashV1 = sha1.Sum(i.raw) })
	}
	if kind.HasV2() {
		hashing.Go(func() { i.hashV2 = sha256.Sum256(i.raw) })
	}
	return &hashing
}
