package webseed

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"swarmnode/metainfo"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/guard"
)

// ErrURL is wrapped by the errors for URLs that cannot be those of a web seed.
var ErrURL = errors.New("not the URL of a web seed")

// A locator knows where the files of a torrent are on a server.
type locator struct {
	base   *url.URL
	layout *metainfo.Layout
	// raw maps the names of renamed files to the names that the torrent gives them.
	raw map[string]string
}

// parseURL reads the URL of a web seed.
func parseURL(raw string) (*url.URL, error) {
	u, err := weburl.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: scheme %q", ErrURL, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: no host", ErrURL)
	}
	return u, nil
}

// CheckURL returns why a URL cannot be that of a web seed, or nil. The error wraps ErrURL.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

func newLocator(info *metainfo.Info, raw string) (locator, error) {
	u, err := parseURL(raw)
	if err != nil {
		return locator{}, err
	}
	l := locator{base: u, layout: info.Layout(), raw: make(map[string]string)}
	for _, r := range info.Renamed(metainfo.NamesNative) {
		// What could leave the folder on the server is not asked for as such.
		if !slices.ContainsFunc(strings.Split(r.From, "/"), func(e string) bool {
			return e == "" || e == "." || e == ".."
		}) {
			l.raw[r.To] = r.From
		}
	}
	return l, nil
}

// file returns the URL of file i (BEP 19). The base is the URL of the file itself, unless
// it ends in a slash or the torrent has a folder. In these cases the path of the file is
// appended, the torrent's name in front.
func (l *locator) file(i int) *url.URL {
	escaped := l.base.EscapedPath()
	if escaped == "" {
		escaped = "/"
	}
	if l.layout.Multi || strings.HasSuffix(escaped, "/") {
		name := l.layout.FilePath(i)
		if raw, ok := l.raw[name]; ok {
			name = raw
		}
		escaped = strings.TrimSuffix(escaped, "/")
		for element := range strings.SplitSeq(name, "/") {
			escaped += "/" + url.PathEscape(element)
		}
	}
	u := *l.base
	u.Fragment = ""
	u.RawPath = escaped
	// It is escaped as it should be: the base was parsed, the rest is ours.
	u.Path, _ = url.PathUnescape(escaped)
	return &u
}

// target returns what guard judges about a request for u.
func (l *locator) target(u *url.URL, stranger bool) guard.Target {
	return guard.Target{URL: u, Stranger: stranger, Harmless: func(u *url.URL) bool {
		return u.RawQuery == "" && u.User == nil
	}}
}
