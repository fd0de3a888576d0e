package metainfo

import (
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"swarmnode/metainfo/bencode"
	"swarmnode/metainfo/weburl"
)

// The known keys of a .torrent file.
const (
	keyAnnounce = "announce"
	keyTiers    = "announce-list"
	keyComment  = "comment"
	keyCreator  = "created by"
	keyCreated  = "creation date"
	keyInfo     = "info"
	keyName     = "name"
	keyNodes    = "nodes"
	keyLayers   = "piece layers"
	keyWebSeeds = "url-list"

	// utf8Suffix ends the key of a second text, in UTF-8, which some programs write
	// beside the first.
	utf8Suffix = ".utf-8"
)

// UnusableMax bounds the unusable URLs that are kept.
const UnusableMax = 100

// Unusable is a URL of a torrent or a link that cannot be used.
type Unusable struct {
	URL string // as received: clean before showing
	Err error  // why; it does not repeat the URL
}

// readOutside sets the fields from the keys beside the info dictionary.
func (t *Torrent) readOutside() {
	var announce string
	texts := make(map[string]string)
	for _, e := range t.file.entries {
		if e.raw == nil {
			continue
		}
		r := bencode.NewLenient(e.raw, documentLimits)
		switch e.key {
		case keyAnnounce:
			announce, _ = t.readURL(r)
		case keyTiers:
			t.Trackers = t.readTiers(r)
		case keyWebSeeds:
			t.WebSeeds = t.readURLs(r, WebSeedsMax)
		case keyNodes:
			t.Nodes = readNodes(r)
		case keyComment, keyCreator, keyName, keyComment + utf8Suffix, keyCreator + utf8Suffix,
			keyName + utf8Suffix:
			b, _ := r.TryBytes()
			texts[e.key] = string(b)
		case keyCreated:
			if n, ok := r.TryNumber(); ok && n > 0 && n <= math.MaxUint32 {
				t.Created = time.Unix(n, 0).UTC()
			}
		}
	}
	if len(t.Trackers) == 0 && announce != "" {
		t.Trackers = [][]string{{announce}}
	}
	t.Comment, t.Creator, t.DisplayName = readText(texts, keyComment), readText(texts, keyCreator),
		readText(texts, keyName)
	t.file.said = t.says()
}

// readText returns the text of a key. Some programs write a second text in UTF-8, which
// is preferred. When the field is changed, the new text replaces both.
func readText(texts map[string]string, key string) string {
	if s := texts[key+utf8Suffix]; s != "" && utf8.ValidString(s) {
		return s
	}
	return texts[key]
}

// readURL reads a URL, and records one that cannot be used.
func (t *Torrent) readURL(r *bencode.Reader) (string, bool) {
	b, ok := r.TryBytes()
	if !ok || strings.TrimSpace(string(b)) == "" {
		return "", false
	}
	url, err := weburl.Clean(string(b))
	if err != nil {
		t.Unusable = addUnusable(t.Unusable, string(b), err)
	}
	return url, err == nil
}

// addUnusable appends a URL unless list has it already or is full.
func addUnusable(list []Unusable, url string, err error) []Unusable {
	if len(list) >= UnusableMax || slices.ContainsFunc(list, func(u Unusable) bool {
		return u.URL == url
	}) {
		return list
	}
	return append(list, Unusable{url, err})
}

// readURLs reads a list of URLs, or a single one.
func (t *Torrent) readURLs(r *bencode.Reader, limit int) []string {
	var urls []string
	take := func() {
		if url, ok := t.readURL(r); ok && len(urls) < limit && !slices.Contains(urls, url) {
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
func (t *Torrent) readTiers(r *bencode.Reader) [][]string {
	if r.Kind() != bencode.List {
		r.Skip()
		return nil
	}
	var tiers [][]string
	left := TrackersMax
	for range r.List() {
		if tier := t.readURLs(r, left); len(tier) > 0 {
			tiers = append(tiers, tier)
			left -= len(tier)
		}
	}
	return tiers
}

// readNodes reads the "nodes" of BEP 5: a list of [host, port]. Some programs write
// the port as a string.
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
				port, _ = r.TryNumber()
			}
		}
		node := net.JoinHostPort(string(host), strconv.FormatInt(port, 10))
		if _, _, err := splitEndpoint(node); err == nil && len(nodes) < NodesMax {
			nodes = append(nodes, node)
		}
	}
	return nodes
}
