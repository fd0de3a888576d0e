package tracker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
	"swarmnode/swarm/guard"
)

const (
	// BodyMax bounds the body of an answer after decompression, in bytes. Several
	// thousand peers in the longest form fit.
	BodyMax = 1 << 20
	// httpTimeout bounds one whole announce or scrape over HTTP, including redirects
	// and the last byte of the body.
	httpTimeout = 30 * time.Second
	// ScrapeMax bounds the torrents of one scrape: as many as fit a datagram
	// (BEP 15, "scrape").
	ScrapeMax = 74
)

// answerLimits bound the work of parsing one answer: PeersMax dictionaries of a few
// values each, and ample room for unknown fields.
var answerLimits = bencode.Limits{DepthMax: 8, ValuesMax: 100_000}

// appendEscaped appends s with all but the unreserved bytes escaped (RFC 3986,
// section 2.3). A space becomes %20, since some trackers do not decode "+".
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// announceURL returns base with the parameters of r (BEP 3).
func announceURL(base *url.URL, r *Request) *url.URL {
	q := []byte(base.RawQuery)
	if len(q) > 0 {
		q = append(q, '&')
	}
	q = append(q, "info_hash="...)
	q = appendEscaped(q, string(r.InfoHash[:]))
	q = append(q, "&peer_id="...)
	q = appendEscaped(q, string(r.PeerID[:]))
	for _, p := range [...]struct {
		name  string
		value int64
	}{
		{"port", int64(r.Port)}, {"uploaded", r.Uploaded}, {"downloaded", r.Downloaded},
		{"left", r.Left},
	} {
		q = fmt.Appendf(q, "&%s=%d", p.name, p.value)
	}
	q = fmt.Appendf(q, "&key=%08X&compact=1&no_peer_id=1", r.Key)
	if r.Want >= 0 {
		q = fmt.Appendf(q, "&numwant=%d", r.Want)
	}
	if r.Event != None {
		q = fmt.Appendf(q, "&event=%v", r.Event)
	}
	if r.TrackerID != "" {
		q = append(q, "&trackerid="...)
		q = appendEscaped(q, r.TrackerID)
	}
	u := *base
	u.RawQuery, u.Fragment = string(q), ""
	return &u
}

// ErrNoScrape means that the tracker's URL allows no scrape (BEP 48).
var ErrNoScrape = errors.New("the tracker has no scrape URL")

// scrapeURL returns the scrape URL for the announce URL base: "scrape" replaces
// "announce" at the start of the last element of the path (BEP 48).
func scrapeURL(base *url.URL, hashes []metainfo.Hash) (*url.URL, error) {
	dir, last := path.Split(base.Path)
	rest, ok := strings.CutPrefix(last, "announce")
	if !ok {
		return nil, ErrNoScrape
	}
	u := *base
	u.Path, u.RawPath, u.Fragment = dir+"scrape"+rest, "", ""
	q := []byte(base.RawQuery)
	for _, h := range hashes {
		if len(q) > 0 {
			q = append(q, '&')
		}
		q = append(q, "info_hash="...)
		q = appendEscaped(q, string(h[:]))
	}
	u.RawQuery = string(q)
	return &u, nil
}

// get fetches u and returns the body and the address of the server. A body that was
// cut off after a whole bencoded document is complete: trackers send wrong lengths,
// or close the connection without the end of a chunked body.
func (c *Client) get(ctx context.Context, t Tracker, u *url.URL,
	family guard.Family) ([]byte, netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, httpTimeout)
	defer cancel()
	a, err := c.web.Get(ctx, t.target(u), family, guard.Compressed())
	if err != nil {
		return nil, netip.Addr{}, err
	}
	defer a.Body.Close()
	reader := guard.BodyReader{Max: BodyMax, Whole: isWhole, GiveUp: cancel}
	body, err := reader.Read(&a)
	switch {
	case errors.Is(err, guard.ErrTooLong):
		return nil, netip.Addr{}, fmt.Errorf("%w: more than %d bytes", ErrAnswer, BodyMax)
	case err != nil && !isWhole(body):
		return nil, netip.Addr{}, fmt.Errorf("reading the answer: %w", err)
	case a.StatusCode != http.StatusOK && !refuses(body):
		return nil, netip.Addr{}, fmt.Errorf("%w: HTTP status %d", ErrAnswer, a.StatusCode)
	}
	return body, a.From.Addr(), nil
}

// isWhole reports whether a body begins with a whole bencoded document.
func isWhole(body []byte) bool {
	b := bencode.NewLenient(body, answerLimits)
	b.Skip()
	return b.Err() == nil
}

// refuses reports whether a body holds a failure reason. Some trackers send one with
// an HTTP status other than 200.
func refuses(body []byte) bool {
	var f *Failure
	_, err := parseAnnounce(body)
	return errors.As(err, &f)
}

func (c *Client) announceHTTP(ctx context.Context, t Tracker, r *Request,
	family guard.Family) (Response, error) {
	body, from, err := c.get(ctx, t, announceURL(t.url, r), family)
	if err != nil {
		return Response{}, err
	}
	response, err := parseAnnounce(body)
	response.Peers = sift(response.Peers, from)
	return response, err
}

func (c *Client) scrapeHTTP(ctx context.Context, t Tracker, hashes []metainfo.Hash,
	family guard.Family) ([]Counts, error) {
	u, err := scrapeURL(t.url, hashes)
	if err != nil {
		return nil, err
	}
	body, _, err := c.get(ctx, t, u, family)
	if err != nil {
		return nil, err
	}
	return parseScrape(body, hashes)
}

// seconds converts an interval of an answer. An interval that is not positive counts
// as not given. The schedule has its own bounds.
func seconds(n int64) time.Duration {
	if n <= 0 {
		return 0
	}
	return time.Duration(min(n, int64(intervalMax/time.Second))) * time.Second
}

// count converts a number of peers, -1 for an invalid one.
func count(n int64, ok bool) int {
	if !ok || n < 0 || n > 1<<31-1 {
		return -1
	}
	return int(n)
}

// parseAnnounce reads the answer to an announce over HTTP (BEP 3, 7, 23, 24,
// 31), leniently, since no hash covers the answer. It ignores invalid fields and
// bytes after the dictionary. The error is a *Failure if the tracker refuses.
func parseAnnounce(body []byte) (Response, error) {
	r := Response{Seeds: -1, Leeches: -1, Completed: -1}
	var failure *Failure
	var retry Failure
	b := bencode.NewLenient(body, answerLimits)
	for key := range b.Dict() {
		switch string(key) {
		case "failure reason":
			if s, ok := b.TryBytes(); ok {
				failure = &Failure{Reason: text(s)}
			}
		case "retry in": // minutes, or "never"
			retry = parseRetry(b)
		case "warning message":
			if s, ok := b.TryBytes(); ok {
				r.Warning = text(s)
			}
		case "interval":
			n, _ := b.TryNumber()
			r.Interval = seconds(n)
		case "min interval":
			n, _ := b.TryNumber()
			r.MinInterval = seconds(n)
		case "tracker id":
			if s, _ := b.TryBytes(); len(s) <= trackerIDMax {
				r.TrackerID = string(s)
			}
		case "complete":
			r.Seeds = count(b.TryNumber())
		case "incomplete":
			r.Leeches = count(b.TryNumber())
		case "downloaded":
			r.Completed = count(b.TryNumber())
		case "external ip":
			r.ExternalIP = parseIP(b)
		case "peers":
			r.Peers = parsePeers(r.Peers, b, compact4)
		case "peers6":
			r.Peers = parsePeers(r.Peers, b, compact6)
		}
	}
	switch {
	case b.Err() != nil:
		return Response{}, fmt.Errorf("%w: %w", ErrAnswer, b.Err())
	case failure != nil:
		failure.Retry, failure.Never = retry.Retry, retry.Never
		return Response{}, failure
	}
	return r, nil
}

// parseRetry reads a "retry in": minutes, or "never" (BEP 31).
func parseRetry(b *bencode.Reader) (f Failure) {
	if b.Kind() == bencode.String {
		s := strings.TrimSpace(string(b.Bytes()))
		minutes, _ := strconv.ParseInt(s, 10, 32)
		return Failure{Retry: seconds(minutes * 60), Never: strings.EqualFold(s, "never")}
	}
	minutes, _ := b.TryInt()
	return Failure{Retry: seconds(min(minutes, 1<<31) * 60)}
}

// parsePeers reads peers in all forms that trackers use: a compact string, or a list
// of dictionaries. Some trackers send a dictionary of numbered elements instead of
// the list, or compact peers as elements. dst may hold peers of the other key; both
// together are bounded.
func parsePeers(dst []netip.AddrPort, b *bencode.Reader, size int) []netip.AddrPort {
	switch b.Kind() {
	case bencode.List:
		for range b.List() {
			dst = parsePeer(dst, b)
		}
	case bencode.Dict:
		for range b.Dict() {
			dst = parsePeer(dst, b)
		}
	default:
		s, _ := b.TryBytes()
		dst = parseCompact(dst, s, size)
	}
	return dst
}

// parsePeer appends one peer to dst if it is valid and there is room.
func parsePeer(dst []netip.AddrPort, b *bencode.Reader) []netip.AddrPort {
	switch b.Kind() {
	case bencode.Dict:
	case bencode.String:
		if s := b.Bytes(); len(s) == compact4 || len(s) == compact6 {
			dst = parseCompact(dst, s, len(s))
		}
		return dst
	default:
		b.Skip()
		return dst
	}
	var ip netip.Addr
	var port int64
	for key := range b.Dict() {
		switch string(key) {
		case "ip":
			ip = parseIP(b)
		case "port":
			port, _ = b.TryNumber()
		}
	}
	if ip.IsValid() && port > 0 && port <= 65535 && len(dst) < PeersMax {
		dst = append(dst, netip.AddrPortFrom(ip, uint16(port)))
	}
	return dst
}

// parseIP reads an IP address: as text, with or without brackets, or as raw bytes. It
// does not look up names, since a tracker could make us send queries to anybody.
func parseIP(b *bencode.Reader) netip.Addr {
	s, _ := b.TryBytes()
	text := strings.TrimSpace(string(s[:min(len(s), textMax)]))
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		ip, _ = netip.AddrFromSlice(s)
	}
	if ip.Zone() != "" {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// parseScrape reads the answer to a scrape over HTTP (BEP 48), in the order of
// hashes.
func parseScrape(body []byte, hashes []metainfo.Hash) ([]Counts, error) {
	counts := make([]Counts, len(hashes))
	for i := range counts {
		counts[i] = Counts{-1, -1, -1}
	}
	var failure *Failure
	b := bencode.NewLenient(body, answerLimits)
	for key := range b.Dict() {
		switch string(key) {
		case "failure reason":
			if s, ok := b.TryBytes(); ok {
				failure = &Failure{Reason: text(s)}
			}
		case "files":
			if b.Kind() == bencode.Dict {
				parseFiles(b, hashes, counts)
			}
		}
	}
	switch {
	case b.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrAnswer, b.Err())
	case failure != nil:
		return nil, failure
	}
	return counts, nil
}

// parseFiles reads the "files" of a scrape into counts, in the order of hashes.
func parseFiles(b *bencode.Reader, hashes []metainfo.Hash, counts []Counts) {
	for key := range b.Dict() {
		if b.Kind() != bencode.Dict {
			continue
		}
		c := Counts{-1, -1, -1}
		for field := range b.Dict() {
			switch string(field) {
			case "complete":
				c.Seeds = count(b.TryNumber())
			case "incomplete":
				c.Leeches = count(b.TryNumber())
			case "downloaded":
				c.Completed = count(b.TryNumber())
			}
		}
		for i, h := range hashes {
			if string(h[:]) == string(key) {
				counts[i] = c
			}
		}
	}
}
