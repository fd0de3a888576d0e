package swarmnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm"
	"swarmnode/swarm/guard"
)

// downloadTimeout bounds a Download as a whole.
const downloadTimeout = 30 * time.Second

// A Downloaded is what Download found: a torrent, or else a magnet link.
type Downloaded struct {
	Torrent *metainfo.Torrent // nil if it is a link
	Magnet  metainfo.Magnet
}

// A DownloadError says why there is no torrent at a URL.
type DownloadError struct {
	// Network says that the server could not be reached, or that the connection was cut.
	// Otherwise it answered something that is no torrent.
	Network bool
	Err     error
}

func (e *DownloadError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DownloadError) Unwrap() error { return e.Err }

// ErrTooLong says that an answer is longer than any torrent, metainfo.TorrentBytesMax.
var ErrTooLong = errors.New("longer than a torrent may be")

// Download fetches the .torrent file at an http or https URL. The server may return a magnet
// link instead, as a redirect or as its whole answer. Redirects never lead to hosts nearer
// than the one that sent them, or away from https. Proxies are not taken from the
// environment: that would leak without the user's word. The error is a *DownloadError, wraps
// swarm.ErrMemory, or is that of ctx.
func (w *Network) Download(ctx context.Context, from string) (Downloaded, error) {
	return w.DownloadWith(ctx, from, DownloadOptions{})
}

// DownloadOptions are what DownloadWith sends besides a URL.
type DownloadOptions struct {
	// Cookies are sent to the host of the URL and to no other one: NAME=VALUE, separated by
	// semicolons.
	Cookies string
}

// DownloadWith is Download with options. Cookies that nobody can send lead to a
// *DownloadError.
func (w *Network) DownloadWith(ctx context.Context, from string, opt DownloadOptions) (
	Downloaded, error) {
	u, err := weburl.Parse(from)
	if err != nil || u.Host == "" {
		return Downloaded{}, &DownloadError{Err: errors.New("not a URL")}
	}
	cookies, err := parseCookies(opt.Cookies)
	if err != nil {
		return Downloaded{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	web := guard.New(guard.Config{UserAgent: "swarmnode/" + Version, Net: w.Egress()})
	defer web.Close()
	response, err := web.Get(ctx, guard.Target{URL: u, Cookies: cookies}, guard.Any,
		guard.Compressed())
	if leads, ok := errors.AsType[*guard.SchemeError](err); ok && isMagnet(leads.Location) {
		return downloadedMagnet(leads.Location)
	}
	if err != nil {
		return Downloaded{}, &DownloadError{true, err}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Downloaded{}, &DownloadError{Err: fmt.Errorf("the server answered %s",
			response.Status)}
	}
	reader := guard.BodyReader{Max: metainfo.TorrentBytesMax, Whole: isDocument, GiveUp: cancel}
	doc, cut := reader.Read(&response)
	if errors.Is(cut, guard.ErrTooLong) {
		return Downloaded{}, &DownloadError{Err: ErrTooLong}
	}
	found, err := parseDownload(doc)
	if err != nil && cut != nil { // otherwise the file was whole before the connection was cut
		err = &DownloadError{true, cut}
	}
	return found, err
}

// parseCookies reads cookies as a user writes them.
func parseCookies(line string) ([]*http.Cookie, error) {
	line = strings.Trim(line, "; \t")
	if line == "" {
		return nil, nil
	}
	cookies, err := http.ParseCookie(line)
	if err != nil {
		return nil, &DownloadError{Err: errors.New("the cookies are not NAME=VALUE")}
	}
	return cookies, nil
}

// parseDownload reads what a server sent.
func parseDownload(doc []byte) (Downloaded, error) {
	if link, ok := magnetIn(doc); ok {
		return downloadedMagnet(string(link))
	}
	if !swarm.MemoryRoom(metainfo.ParseCost(doc)) {
		return Downloaded{}, swarm.ErrMemory
	}
	t, err := metainfo.ParseTorrent(doc)
	if err != nil {
		return Downloaded{}, &DownloadError{Err: err}
	}
	return Downloaded{Torrent: t}, nil
}

func downloadedMagnet(link string) (Downloaded, error) {
	m, err := metainfo.ParseMagnet(link)
	if err != nil {
		return Downloaded{}, &DownloadError{Err: err}
	}
	return Downloaded{Magnet: m}, nil
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

// magnetIn returns the magnet link that an answer consists of, if it is one.
func magnetIn(b []byte) ([]byte, bool) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line, len(line) <= metainfo.MagnetBytesMax && isMagnet(string(line))
}
