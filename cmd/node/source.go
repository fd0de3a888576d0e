package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"swarmnode"
	"swarmnode/metainfo"
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
// is one of these is ./NAME. A URL is fetched by the way that by describes. If that is a proxy
// which is away, it is waited for as long as timeout says, 0 for ever.
func parseSource(ctx context.Context, c *console, by *listenFlags, timeout timeValue,
	s string) (source, error) {
	scheme, _, _ := strings.Cut(strings.ToLower(s[:min(len(s), 8)]), ":")
	switch scheme {
	case "magnet":
		return parseMagnet(quoteSource(s), s)
	case "http", "https":
		n, err := by.open()
		if err != nil {
			return source{}, err
		}
		if err := awaitProxy(ctx, c, n, timeout, quoteSource(s)); err != nil {
			return source{}, err
		}
		return download(ctx, n, s)
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

// download fetches through n what a SOURCE that is a URL leads to.
func download(ctx context.Context, n *swarmnode.Network, from string) (source, error) {
	what := quoteSource(from)
	found, err := n.Download(ctx, from)
	if err == nil {
		return source{torrent: found.Torrent, magnet: found.Magnet}, nil
	}
	wrong, ok := errors.AsType[*swarmnode.DownloadError](err)
	switch {
	case errors.Is(err, swarmnode.ErrTooLong):
		err = fmt.Errorf("longer than %s", formatBytes(metainfo.TorrentBytesMax))
		return source{}, fail(exitInput, what, err)
	case ok && wrong.Network:
		return source{}, fail(exitNetwork, what, wrong.Err)
	case ok:
		return source{}, fail(exitInput, what, wrong.Err)
	}
	return source{}, addFailure(what, err)
}

// parseMagnet reads a magnet link.
func parseMagnet(what, link string) (source, error) {
	m, err := metainfo.ParseMagnet(link)
	if err != nil {
		return source{}, fail(exitInput, what, err)
	}
	return source{magnet: m}, nil
}
