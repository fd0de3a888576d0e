package metainfo

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	// the one of "announce" is the only tier.
	Trackers [][]string
	WebSeeds []string // HTTP seeds (BEP 19, "url-list")
	Nodes    []string // host:port of DHT nodes (BEP 5, "Torrent File Extensions")
	Comment  string   // as received: clean before showing
	Creator  string   // "created by", as received
	// DisplayName is a "name" beside that of the info dictionary, which is what
	// the content is called on disk; as received.
	DisplayName string
	Created     time.Time
	info        *Info
	rest        []entry // keys that are kept as they are
}

// An entry is a key of a dictionary with its value, encoded.
type entry struct {
	key string
	raw []byte
}

// NewTorrent returns a .torrent file with nothing but info.
func NewTorrent(info *Info) *Torrent { return &Torrent{info: info} }

// ParseTorrent reads a .torrent file. Bytes behind its dictionary are ignored.
// A key that nothing depends on is ignored when it is malformed. Its errors
// say in one line what is wrong with the file.
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
	r := bencode.NewReader(b, documentLimits)
	t := new(Torrent)
	var info *infoParser
	var layers []byte
	var announce string
	texts := make(map[string]string)
	for key := range r.Dict() {
		switch string(key) {
		case "info":
			info = readInfo(b, r)
		case "piece layers":
			layers = r.Raw()
		case "announce":
			if url, ok := readURL(r); ok {
				announce = url
			}
		case "announce-list":
			t.Trackers = readTiers(r)
		case "url-list":
			t.WebSeeds = readURLs(r, WebSeedsMax)
		case "nodes":
			t.Nodes = readNodes(r)
		case "comment", "created by", "name", "comment.utf-8", "created by.utf-8", "name.utf-8":
			b, _ := r.TryBytes()
			texts[string(key)] = string(b)
		case "creation date":
			if n, ok := r.TryInt(); ok && n > 0 && n <= math.MaxUint32 {
				t.Created = time.Unix(n, 0).UTC()
			}
		default:
			t.rest = append(t.rest, entry{string(key), bytes.Clone(r.Raw())})
		}
	}
	if info != nil && info.err != nil {
		return nil, fmt.Errorf("info dictionary: %w", info.err)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	t.Comment, t.Creator, t.DisplayName = readText(texts, "comment"), readText(texts, "created by"), readText(texts, "name")
	if len(t.Trackers) == 0 && announce != "" {
		t.Trackers = [][]string{{announce}}
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
	}
	return t, nil
}

// Info returns the info dictionary.
func (t *Torrent) Info() *Info { return t.info }

// Magnet returns the link to the torrent, with its trackers and web seeds.
func (t *Torrent) Magnet() Magnet {
	m := Magnet{Name: t.info.Name(), WebSeeds: slices.Clone(t.WebSeeds)}
	m.V1, m.HasV1 = t.info.HashV1()
	m.V2, m.HasV2 = t.info.HashV2()
	for _, tier := range t.Trackers {
		m.Trackers = append(m.Trackers, tier...)
	}
	return m
}

// Marshal returns the .torrent file.
func (t *Torrent) Marshal() []byte { return t.Append(nil) }

// Append appends the .torrent file to dst. The info dictionary is written as
// it was received, keys that ParseTorrent did not know as they were read, and
// all keys sorted as BEP 3 demands.
func (t *Torrent) Append(dst []byte) []byte {
	entries := slices.Clone(t.rest)
	add := func(key string, raw []byte) {
		entries = append(entries, entry{key, raw})
	}
	str := func(key, s string) {
		if s != "" {
			add(key, bencode.AppendString(nil, s))
		}
	}
	if urls := slices.Concat(t.Trackers...); len(urls) > 0 {
		str("announce", urls[0])
		if len(urls) > 1 {
			add("announce-list", appendTiers(nil, t.Trackers))
		}
	}
	str("comment", t.Comment)
	str("created by", t.Creator)
	if !t.Created.IsZero() {
		add("creation date", bencode.AppendInt(nil, t.Created.Unix()))
	}
	add("info", t.info.raw)
	str("name", t.DisplayName)
	if nodes := appendNodes(nil, t.Nodes); nodes != nil {
		add("nodes", nodes)
	}
	if layers := t.info.layout.appendLayers(nil); layers != nil {
		add("piece layers", layers)
	}
	if len(t.WebSeeds) > 0 {
		add("url-list", appendStrings(nil, t.WebSeeds))
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	return bencode.AppendDict(dst, func(dst []byte) []byte {
		for _, e := range entries {
			dst = append(bencode.AppendString(dst, e.key), e.raw...)
		}
		return dst
	})
}

func appendStrings(dst []byte, list []string) []byte {
	return bencode.AppendList(dst, func(dst []byte) []byte {
		for _, s := range list {
			dst = bencode.AppendString(dst, s)
		}
		return dst
	})
}

func appendTiers(dst []byte, tiers [][]string) []byte {
	return bencode.AppendList(dst, func(dst []byte) []byte {
		for _, tier := range tiers {
			if len(tier) > 0 {
				dst = appendStrings(dst, tier)
			}
		}
		return dst
	})
}

// appendNodes appends the list of [host, port] of BEP 5, leaving out what is
// no host:port; nil when nothing is left.
func appendNodes(dst []byte, nodes []string) []byte {
	some := false
	dst = bencode.AppendList(dst, func(dst []byte) []byte {
		for _, node := range nodes {
			host, port, err := splitEndpoint(node)
			if err != nil {
				continue
			}
			some = true
			dst = bencode.AppendList(dst, func(dst []byte) []byte {
				return bencode.AppendInt(bencode.AppendString(dst, host), int64(port))
			})
		}
		return dst
	})
	if !some {
		return nil
	}
	return dst
}

// readText returns the text of a key, of which some programs wrote a second one
// in UTF-8. What goes before for readers takes the place of both when the torrent
// is written.
func readText(texts map[string]string, key string) string {
	if s := texts[key+".utf-8"]; s != "" && utf8.ValidString(s) {
		return s
	}
	return texts[key]
}

// urlBytesMax bounds one URL: what servers commonly take.
const urlBytesMax = 8 << 10

func readURL(r *bencode.Reader) (string, bool) {
	b, ok := r.TryBytes()
	url := strings.TrimSpace(string(b))
	return url, ok && IsURL(url)
}

// IsURL tells whether s may stand for a URL: printable, with a scheme. Whether
// it can be used is for the user of the URL to say.
func IsURL(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || rest == "" || len(s) > urlBytesMax || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c <= ' ' || isForbidden(c) && c >= 0x7f {
			return false
		}
	}
	return true
}

// readURLs reads a list of URLs, or a single one.
func readURLs(r *bencode.Reader, limit int) []string {
	var urls []string
	take := func() {
		if url, ok := readURL(r); ok && len(urls) < limit && !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	if r.Kind() == bencode.List {
		for range r.List() {
			take()
		}
		return urls
	}
	take()
	return urls
}

// readTiers reads the "announce-list" of BEP 12: a list of lists of URLs.
func readTiers(r *bencode.Reader) [][]string {
	if r.Kind() != bencode.List {
		r.Skip()
		return nil
	}
	var tiers [][]string
	left := TrackersMax
	for range r.List() {
		if tier := readURLs(r, left); len(tier) > 0 {
			tiers = append(tiers, tier)
			left -= len(tier)
		}
	}
	return tiers
}

// readNodes reads the "nodes" of BEP 5: a list of [host, port].
func readNodes(r *bencode.Reader) []string {
	if r.Kind() != bencode.List {
		r.Skip()
		return nil
	}
	var nodes []string
	for range r.List() {
		if r.Kind() != bencode.List {
			continue
		}
		var host []byte
		var port int64
		for i := range r.List() {
			switch i {
			case 0:
				host, _ = r.TryBytes()
			case 1:
				port, _ = r.TryInt()
			}
		}
		node := net.JoinHostPort(string(host), strconv.FormatInt(port, 10))
		if _, _, err := splitEndpoint(node); err == nil && len(nodes) < NodesMax {
			nodes = append(nodes, node)
		}
	}
	return nodes
}
