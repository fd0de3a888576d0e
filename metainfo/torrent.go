package metainfo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"swarmnode/metainfo/bencode"
)

// The bounds of the lists of a .torrent file or a magnet link. Further entries are
// left out, since each costs requests to some server or peer.
const (
	TrackersMax = 100
	WebSeedsMax = 100
	NodesMax    = 100
	PeersMax    = 100 // of a magnet
)

// Torrent is a .torrent file. Its exported fields may be changed; they are
// outside the info dictionary, so the info-hash stays.
type Torrent struct {
	// Trackers holds announce URLs by tier (BEP 12). Without "announce-list",
	// "announce" is the only tier. All URLs are escaped where they must
	// be (see package weburl).
	Trackers [][]string
	WebSeeds []string // HTTP seeds (BEP 19, "url-list")
	Nodes    []string // host:port of DHT nodes (BEP 5, "Torrent File Extensions")
	Comment  string   // as received: clean before showing
	Creator  string   // "created by", as received
	// DisplayName is a "name" outside the info dictionary, as received. On disk the
	// content has the name in the info dictionary.
	DisplayName string
	Created     time.Time
	// Unusable are the URLs of trackers and web seeds in the file that
	// cannot be used, at most UnusableMax.
	Unusable []Unusable

	info *Info
	file original
}

// NewTorrent returns a .torrent file that holds only info.
func NewTorrent(info *Info) *Torrent { return &Torrent{info: info} }

// ParseTorrent reads a .torrent file. Bytes after its dictionary are ignored, and so
// are blanks before it. The info dictionary and the piece layers are read strictly, the
// rest leniently (see bencode.NewLenient), except that repeated keys are an error. A
// malformed key that nothing depends on is ignored. The errors say in one line what
// is wrong with the file.
func ParseTorrent(b []byte) (*Torrent, error) {
	if len(b) > TorrentBytesMax {
		return nil, fmt.Errorf("the .torrent file has %d bytes, more than %d", len(b),
			TorrentBytesMax)
	}
	t, err := parseTorrent(b)
	if err != nil {
		return nil, fmt.Errorf("not a valid .torrent file: %w", err)
	}
	return t, nil
}

func parseTorrent(b []byte) (*Torrent, error) {
	r := bencode.NewLenient(b, documentLimits)
	r.RefuseRepeats() // two readers would take two different info dictionaries
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
// is the name that other nodes give to the content; see Layout.OnlyFile.
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
