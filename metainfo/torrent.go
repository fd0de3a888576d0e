package metainfo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"swarmnode/metainfo/bencode"
)

// The bounds of the lists that a .torrent file or a magnet brings. What
// exceeds them is left out, since each entry costs requests to somebody.
const (
	TrackersMax = 100
	WebSeedsMax = 100
	NodesMax    = 100
	PeersMax    = 100 // of a magnet
)

// Torrent is a .torrent file. Its exported fields may be changed; they are
// outside the info dictionary, so the info-hash stays.
type Torrent struct {
	// Trackers holds announce URLs by tier (BEP 12). Without "announce-list"
	// the one of "announce" is the only tier. They are escaped where they have to
	// be (see package weburl), as the other URLs are.
	Trackers [][]string
	WebSeeds []string // HTTP seeds (BEP 19, "url-list")
	Nodes    []string // host:port of DHT nodes (BEP 5, "Torrent File Extensions")
	Comment  string   // as received: clean before showing
	Creator  string   // "created by", as received
	// DisplayName is a "name" beside that of the info dictionary, which is what
	// the content is called on disk; as received.
	DisplayName string
	Created     time.Time
	// Unusable are URLs of trackers and web seeds of the file that was read which
	// cannot be used, at most UnusableMax.
	Unusable []Unusable

	info *Info
	file original
}

// NewTorrent returns a .torrent file with nothing but info.
func NewTorrent(info *Info) *Torrent { return &Torrent{info: info} }

// ParseTorrent reads a .torrent file. Bytes behind its dictionary are ignored, and so
// are blanks before it. The info dictionary and the piece layers are read strictly, the
// rest leniently (see bencode.NewLenient), but for keys that come twice. A key that
// nothing depends on is ignored when it is malformed. Its errors say in one line what
// is wrong with the file.
func ParseTorrent(b []byte) (*Torrent, error) {
	if len(b) > TorrentBytesMax {
		return nil, fmt.Errorf("torrent file: has %d bytes, more than %d", len(b), TorrentBytesMax)
	}
	t, err := parseTorrent(b)
	if err != nil {
		return nil, fmt.Errorf("torrent file: %w", err)
	}
	return t, nil
}

func parseTorrent(b []byte) (*Torrent, error) {
	r := bencode.NewLenient(b, documentLimits)
	r.RefuseRepeats() // of the info dictionary nobody would know which one is meant
	t := new(Torrent)
	var info *infoParser
	var layers []byte
	for key := range r.Dict() {
		e := entry{key: string(key)}
		switch e.key {
		case keyInfo:
			r.Strictly(func() { info = readInfo(b, r, NamesNative) })
		case keyLayers:
			r.Strictly(func() { layers = r.Raw() })
		default:
			e.raw = bytes.Clone(r.Raw())
		}
		t.file.entries = append(t.file.entries, e)
	}
	if info != nil && info.err != nil {
		return nil, fmt.Errorf("info dictionary: %w", info.err)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if info == nil {
		return nil, errors.New("no info dictionary")
	}
	var err error
	if t.info, err = info.finish(bytes.Clone(b[info.start:info.end])); err != nil {
		return nil, fmt.Errorf("info dictionary: %w", err)
	}
	if layers != nil {
		if err := t.info.layout.readLayers(layers); err != nil {
			return nil, fmt.Errorf("piece layers: %w", err)
		}
		if !t.info.layout.writesLayers(layers) {
			t.file.set(keyLayers, bytes.Clone(layers))
		}
	}
	t.file.layers = t.info.layout.layersKnown()
	t.readOutside()
	return t, nil
}

// Info returns the info dictionary.
func (t *Torrent) Info() *Info { return t.info }

// Magnet returns the link to the torrent, with its trackers and web seeds. Its name
// is the one that the content has for others; see Layout.OnlyFile.
func (t *Torrent) Magnet() Magnet {
	name := t.info.Name()
	if file, ok := t.info.layout.OnlyFile(); ok {
		name = file
	}
	m := Magnet{Name: name, WebSeeds: slices.Clone(t.WebSeeds)}
	m.V1, m.HasV1 = t.info.HashV1()
	m.V2, m.HasV2 = t.info.HashV2()
	for _, tier := range t.Trackers {
		m.Trackers = append(m.Trackers, tier...)
	}
	return m
}
