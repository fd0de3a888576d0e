package tracker

import (
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

// paramsMax bounds the parameters of a request that are read: enough for a scrape of
// ScrapeMax torrents, and three times the parameters of an announce.
const paramsMax = 96

// A page is the kind of request that a path asks for.
type page int

const (
	pageNone page = iota
	pageAnnounce
	pageScrape
)

// pageOf returns the page of a path. The last element that begins with announce or
// scrape decides, and the root is an announce: torrents name trackers as /announce/,
// /PASSKEY/announce, /announce.php or by the host alone, and clients derive the scrape
// path from the announce path (BEP 48).
func pageOf(path string) page {
	found := pageNone
	if strings.Trim(path, "/") == "" {
		found = pageAnnounce
	}
	for element := range strings.SplitSeq(path, "/") {
		switch {
		case strings.HasPrefix(element, "scrape"):
			found = pageScrape
		case strings.HasPrefix(element, "announce"):
			found = pageAnnounce
		}
	}
	return found
}

// ServeHTTP answers announces (BEP 3, 7, 23, 24) and scrapes (BEP 48).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	onComplete(r)
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "no address", http.StatusBadRequest)
		return
	}
	now := time.Now()
	var body []byte
	switch {
	case !s.rate.Allow(now, from.Addr()):
		s.limited.Add(1)
		w.Header().Set("Retry-After", "60")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusTooManyRequests)
		w.Write(refusal("too many requests from your address"))
		return
	case r.Method != http.MethodGet:
		s.refused.Add(1)
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	case pageOf(r.URL.Path) == pageAnnounce && (r.URL.Path != "/" || r.URL.RawQuery != ""):
		body = s.answerAnnounce(now, r.URL.RawQuery, from.Addr().Unmap().WithZone(""))
	case pageOf(r.URL.Path) == pageScrape:
		body = s.answerScrape(r.URL.RawQuery)
	default:
		s.refused.Add(1)
		http.Error(w, "this is a tracker: /announce and /scrape", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=iso-8859-1")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// params yields the parameters of a query with their values still escaped.
func params(query string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for range paramsMax {
			if query == "" {
				return
			}
			var pair string
			pair, query, _ = strings.Cut(query, "&")
			name, value, _ := strings.Cut(pair, "=")
			if !yield(name, value) {
				return
			}
		}
	}
}

// unescape decodes a value. All known clients escape a "+" as %2B, so a bare "+" is a
// blank, as the form encoders of many languages write it. A value that also holds a
// %20 comes from another encoder, so its "+" stands for itself (RFC 3986).
func unescape(value string) (string, error) {
	if strings.Contains(value, "%20") {
		return url.PathUnescape(value)
	}
	return url.QueryUnescape(value)
}

// hashOf decodes an info-hash. If a bare "+" makes it ambiguous and only one of the
// two hashes has a swarm, it returns that one.
func (s *Server) hashOf(value string) (h metainfo.Hash, ok bool) {
	text, err := unescape(value)
	if err != nil || len(text) != hashSize {
		return h, false
	}
	h = metainfo.Hash([]byte(text))
	if !strings.Contains(value, "+") {
		return h, true
	}
	if literal, err := url.PathUnescape(value); err == nil && literal != text {
		other := metainfo.Hash([]byte(literal))
		if _, known := s.store.scrape(h); !known {
			if _, known = s.store.scrape(other); known {
				return other, true
			}
		}
	}
	return h, true
}

// refusal returns an answer with a failure reason.
func refusal(reason string) []byte {
	return bencode.AppendDict(nil, func(b []byte) []byte {
		b = bencode.AppendString(b, "failure reason")
		return bencode.AppendString(b, reason)
	})
}

// A query is an announce over HTTP.
type query struct {
	announcement
	compact bool
	fault   string // the failure reason of an invalid query
}

// parseQuery reads the announce of a peer at ip.
func (s *Server) parseQuery(raw string, ip netip.Addr) query {
	q := query{compact: true, announcement: announcement{want: serverWant, both: true}}
	var hashed bool
	var port uint64
	left := int64(-1)
	for name, raw := range params(raw) {
		if name == "info_hash" {
			if q.hash, hashed = s.hashOf(raw); !hashed {
				q.fault = "info_hash is not 20 bytes long"
				return q
			}
			continue
		}
		value, err := unescape(raw)
		if err != nil {
			continue
		}
		switch name {
		case "port":
			if n, err := strconv.ParseUint(value, 10, 16); err == nil {
				port = n
			}
		case "left":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				left = n
			}
		case "numwant":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil {
				q.want = wanted(n)
			}
		case "compact":
			q.compact = value != "0"
		case "event":
			q.event = parseEvent(value)
		}
	}
	switch {
	case !hashed:
		q.fault = "no info_hash"
	case port == 0:
		q.fault = "no port"
	}
	q.addr = netip.AddrPortFrom(ip, uint16(port))
	q.seed = left == 0
	return q
}

// parseEvent reads an event. It accepts any other word than the events of BEP 3, such
// as "paused" or "empty", as no event.
func parseEvent(s string) Event {
	switch s {
	case "completed":
		return Completed
	case "started":
		return Started
	case "stopped":
		return Stopped
	}
	return None
}

func (s *Server) answerAnnounce(now time.Time, raw string, ip netip.Addr) []byte {
	q := s.parseQuery(raw, ip)
	if q.fault != "" {
		s.refused.Add(1)
		return refusal(q.fault)
	}
	s.announcesHTTP.Add(1)
	counts, v4, v6 := s.store.announce(now, &q.announcement, nil, nil)
	return bencode.AppendDict(make([]byte, 0, 256+len(v4)+len(v6)), func(b []byte) []byte {
		integer := func(name string, n int) {
			b = bencode.AppendString(b, name)
			b = bencode.AppendInt(b, int64(n))
		}
		integer("complete", counts.Seeds)
		b = bencode.AppendString(b, "external ip")
		b = bencode.AppendString(b, ip.AsSlice())
		integer("incomplete", counts.Leeches)
		integer("interval", int(s.cfg.Interval/time.Second))
		integer("min interval", int(s.minInterval()/time.Second))
		b = bencode.AppendString(b, "peers")
		if !q.compact {
			return appendLong(b, v4, v6)
		}
		b = bencode.AppendString(b, v4)
		if len(v6) > 0 {
			b = bencode.AppendString(b, "peers6")
			b = bencode.AppendString(b, v6)
		}
		return b
	})
}

// appendLong appends peers as the list of dictionaries of BEP 3, for clients that ask
// for it. The store keeps no peer ids, so there are none.
func appendLong(b, v4, v6 []byte) []byte {
	peers := parseCompact(parseCompact(nil, v4, compact4), v6, compact6)
	return bencode.AppendList(b, func(b []byte) []byte {
		for _, p := range peers {
			b = bencode.AppendDict(b, func(b []byte) []byte {
				b = bencode.AppendString(b, "ip")
				b = bencode.AppendString(b, p.Addr().String())
				b = bencode.AppendString(b, "port")
				return bencode.AppendInt(b, int64(p.Port()))
			})
		}
		return b
	})
}

func (s *Server) answerScrape(raw string) []byte {
	var hashes []metainfo.Hash
	for name, value := range params(raw) {
		if name != "info_hash" || len(hashes) >= ScrapeMax {
			continue
		}
		if h, ok := s.hashOf(value); ok {
			hashes = append(hashes, h)
		}
	}
	if len(hashes) == 0 {
		// A scrape of all swarms would reveal what everybody here downloads.
		s.refused.Add(1)
		return refusal("scrapes have to name their torrents by info_hash")
	}
	s.scrapesHTTP.Add(1)
	slices.SortFunc(hashes, func(a, b metainfo.Hash) int { return slices.Compare(a[:], b[:]) })
	hashes = slices.Compact(hashes)
	return bencode.AppendDict(nil, func(b []byte) []byte {
		b = bencode.AppendString(b, "files")
		return bencode.AppendDict(b, func(b []byte) []byte {
			for _, h := range hashes {
				counts, known := s.store.scrape(h)
				if !known {
					continue
				}
				b = bencode.AppendString(b, h[:])
				b = fmt.Appendf(b, "d8:completei%de10:downloadedi%de10:incompletei%dee",
					counts.Seeds, counts.Completed, counts.Leeches)
			}
			return b
		})
	})
}
