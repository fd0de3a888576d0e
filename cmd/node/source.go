package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"swarmnode"
	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/guard"
)

// A source is what a SOURCE argument names: a torrent, or a magnet link by which to find
// one.
type source struct {
	torrent *metainfo.Torrent // nil if only the magnet is known
	magnet  metainfo.Magnet
	own     [][]string // tiers of trackers that the user named beside the source
}

// hash returns the info-hash of the swarm.
func (s *source) hash() metainfo.Hash {
	if s.torrent != nil {
		return s.torrent.Info().Hash()
	}
	return s.magnet.Hash()
}

// name returns the name of the torrent according to the source; it may be empty.
func (s *source) name() string {
	if s.torrent != nil {
		return s.torrent.Info().Name()
	}
	return metainfo.DisplayName(s.magnet.Name)
}

// nodes returns the DHT nodes that the source names.
func (s *source) nodes() []string {
	if s.torrent != nil {
		return s.torrent.Nodes
	}
	return nil
}

// trackers reports whether the source names trackers.
func (s *source) trackers() bool {
	if s.torrent != nil {
		return len(s.torrent.Trackers) > 0
	}
	return len(s.magnet.Trackers) > 0
}

// asks reports whether the node asks trackers for the source. Trackers that the user
// named are always asked.
func (s *source) asks(noTrackers bool) bool {
	return len(s.own) > 0 || s.trackers() && !noTrackers
}

// tiers reads the values of --tracker. Each value is a tier whose trackers are separated
// by commas (BEP 12). Only the first mention of a tracker counts.
func tiers(items []string) [][]string {
	seen := make(map[string]bool)
	var list [][]string
	for _, item := range items {
		var tier []string
		for _, url := range cleanURLs(strings.Split(item, ",")) {
			if !seen[url] {
				seen[url] = true
				tier = append(tier, url)
			}
		}
		if len(tier) > 0 {
			list = append(list, tier)
		}
	}
	return list
}

// webSeeds reports whether the source names HTTP servers of the content.
func (s *source) webSeeds() bool {
	if s.torrent != nil {
		return len(s.torrent.WebSeeds) > 0
	}
	return len(s.magnet.WebSeeds) > 0
}

const sourceHint = "a magnet link, an info-hash, or a .torrent file"

// parseSource reads a SOURCE: a magnet link, a bare info-hash, an http(s) URL
// of either, the path of one, or - for standard input. A file whose name
// is one of these is ./NAME.
func parseSource(ctx context.Context, s string) (source, error) {
	scheme, _, _ := strings.Cut(strings.ToLower(s[:min(len(s), 8)]), ":")
	switch scheme {
	case "magnet":
		return parseMagnet(quoteSource(s), s)
	case "http", "https":
		return download(ctx, s)
	}
	if m, ok := parseBareHash(s); ok {
		return source{magnet: m}, nil
	}
	if s == "" {
		return source{}, failWithHint(exitInput, `""`, errors.New("names no torrent"), sourceHint)
	}
	if st, err := os.Stat(s); err == nil {
		if err := checkMemory(s, min(st.Size(), metainfo.TorrentBytesMax)); err != nil {
			return source{}, err
		}
	}
	src, err := readTorrent(s)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) {
		return source{}, failWithHint(exitInput, quoteSource(s), errors.New("no such file"),
			sourceHint)
	}
	return src, err
}

// dash means standard input or standard output where a file is expected.
const dash = "-"

// readTorrent reads a .torrent file.
func readTorrent(path string) (source, error) {
	read, what := readInput, path
	if path == dash {
		what = "standard input"
		read = func(_ string, limit int64) ([]byte, error) { return readAll(os.Stdin, what, limit) }
	}
	b, err := read(path, metainfo.TorrentBytesMax)
	if err != nil {
		return source{}, err
	}
	return parseTorrent(what, b)
}

// parseBareHash reads an info-hash of either version.
func parseBareHash(s string) (metainfo.Magnet, bool) {
	if h, err := metainfo.ParseHash(s); err == nil {
		return metainfo.Magnet{V1: h, HasV1: true}, true
	}
	m := metainfo.Magnet{HasV2: true}
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(m.V2) {
		copy(m.V2[:], b)
		return m, true
	}
	return metainfo.Magnet{}, false
}

func parseTorrent(what string, b []byte) (source, error) {
	if err := checkMemory(what, metainfo.ParseCost(b)); err != nil {
		return source{}, err
	}
	t, err := metainfo.ParseTorrent(b)
	if err != nil {
		return source{}, fail(exitInput, what, err)
	}
	return source{torrent: t}, nil
}

// downloadTimeout bounds the fetch of a .torrent file as a whole.
const downloadTimeout = 30 * time.Second

// download fetches the .torrent file at a URL. The server may return a magnet link
// instead, as a redirect or as its whole answer. Proxies are not taken from the
// environment: that would leak without the user's word.
func download(ctx context.Context, from string) (source, error) {
	what := quoteSource(from)
	u, err := weburl.Parse(from)
	if err != nil || u.Host == "" {
		return source{}, fail(exitInput, what, errors.New("not a URL"))
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	// Redirects never lead to hosts nearer than the one that sent them, or away from
	// https.
	web := guard.New(guard.Config{UserAgent: "swarmnode/" + swarmnode.Version})
	defer web.Close()
	response, err := web.Get(ctx, guard.Target{URL: u}, guard.Any, guard.Compressed())
	if leads, ok := errors.AsType[*guard.SchemeError](err); ok && isMagnet(leads.Location) {
		return parseMagnet(what, leads.Location)
	}
	if err != nil {
		return source{}, fail(exitNetwork, what, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return source{}, fail(exitInput, what,
			fmt.Errorf("the server answered %s", response.Status))
	}
	reader := guard.BodyReader{Max: metainfo.TorrentBytesMax, Whole: isDocument, GiveUp: cancel}
	b, cut := reader.Read(&response)
	if errors.Is(cut, guard.ErrTooLong) {
		return source{}, fail(exitInput, what, fmt.Errorf("longer than %s",
			formatBytes(metainfo.TorrentBytesMax)))
	}
	read := parseTorrent
	if link, ok := magnetIn(b); ok {
		read, b = func(what string, b []byte) (source, error) {
			return parseMagnet(what, string(b))
		}, link
	}
	src, err := read(what, b)
	if err != nil && cut != nil { // a whole file arrived before the connection was cut
		err = fail(exitNetwork, what, cut)
	}
	return src, err
}

// isDocument reports whether b holds a whole dictionary, or a magnet link. It is cheap if
// not, because most truncated data does not end like one.
func isDocument(b []byte) bool {
	if link, ok := magnetIn(b); ok {
		_, err := metainfo.ParseMagnet(string(link))
		return err == nil
	}
	if b = bytes.TrimSpace(b); !bytes.HasSuffix(b, []byte("e")) {
		return false
	}
	r := bencode.NewLenient(b, bencode.Limits{DepthMax: 128})
	r.Skip()
	return r.Err() == nil
}

func isMagnet(s string) bool { return weburl.Scheme(s) == "magnet" }

// parseMagnet reads a magnet link.
func parseMagnet(what, link string) (source, error) {
	m, err := metainfo.ParseMagnet(link)
	if err != nil {
		return source{}, fail(exitInput, what, err)
	}
	return source{magnet: m}, nil
}

// magnetIn returns the magnet link that an answer consists of, if it is one.
func magnetIn(b []byte) ([]byte, bool) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line, len(line) <= metainfo.MagnetBytesMax && isMagnet(string(line))
}
