package metainfo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/multiformats/go-multihash"

	"swarmnode/metainfo/weburl"
)

const (
	// MagnetBytesMax bounds a link. No program makes longer links.
	MagnetBytesMax = 64 << 10
	// magnetParamsMax bounds the parameters of a link.
	magnetParamsMax = 1000
	// selectRangesMax bounds the ranges of "so".
	selectRangesMax = 1000
)

// Magnet is a magnet link (BEP 9, "magnet URI format", and BEP 53).
type Magnet struct {
	V1       Hash
	V2       Hash256
	HasV1    bool     // V1 is set; at least one of V1 and V2 is
	HasV2    bool     // V2 is set
	Name     string   // "dn": for display until the info dictionary is known; "" if none
	Peers    []string // "x.pe": host:port of peers
	Trackers []string // "tr"
	WebSeeds []string // "ws"
	Select   []Range  // "so": the files to fetch; all if empty
	// Unusable are URLs of trackers and web seeds that cannot be used, at most
	// UnusableMax.
	Unusable []Unusable
}

// Range is a run of file indices of BEP 53, both ends included. Padding files
// count.
type Range struct{ First, Last int }

// Hash returns the info-hash of the swarm: v1 if the link has one, or the
// first 20 bytes of v2 (BEP 52, "infohash").
func (m Magnet) Hash() Hash {
	if m.HasV1 {
		return m.V1
	}
	return m.V2.Short()
}

// Selected yields the indices below files that Select names, in ascending
// order and each once.
func (m Magnet) Selected(files int) iter.Seq[int] {
	ranges := slices.Clone(m.Select)
	slices.SortFunc(ranges, func(a, b Range) int { return a.First - b.First })
	return func(yield func(int) bool) {
		next := 0
		for _, r := range ranges {
			for next = max(next, r.First); next <= r.Last && next < files; next++ {
				if !yield(next) {
					return
				}
			}
		}
	}
}

// ParseMagnet reads a magnet link. It is strict about the info-hashes and
// lenient about the rest: a parameter that cannot be used is ignored.
// Parameter names may have any case, and a dot and a number at the end; values may be
// percent-encoded.
func ParseMagnet(s string) (Magnet, error) {
	m, err := parseMagnet(s)
	if err != nil {
		return Magnet{}, fmt.Errorf("magnet link: %w", err)
	}
	return m, nil
}

func parseMagnet(s string) (Magnet, error) {
	const scheme = "magnet:"
	var m Magnet
	s = strings.TrimSpace(s)
	switch {
	case len(s) > MagnetBytesMax:
		return m, fmt.Errorf("is longer than %d bytes", MagnetBytesMax)
	case len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme):
		return m, errors.New(`does not start with "magnet:"`)
	}
	query, _, _ := strings.Cut(strings.TrimPrefix(s[len(scheme):], "?"), "#")
	query = strings.ReplaceAll(query, "&amp;", "&") // as copied from a web page
	params, other := 0, ""
	for param := range strings.SplitSeq(query, "&") {
		if params++; params > magnetParamsMax {
			return m, fmt.Errorf("has more than %d parameters", magnetParamsMax)
		}
		key, value, _ := strings.Cut(param, "=")
		key = strings.ToLower(key)
		if base, number, ok := cutLast(key, "."); ok && isDigits(number) {
			key = base
		}
		if key != "xt" {
			m.setParam(key, value)
			continue
		}
		known, err := m.addTopic(value)
		if err != nil {
			return m, err
		}
		if !known {
			other = DisplayName(value)
		}
	}
	switch {
	case m.HasV1 || m.HasV2:
		return m, nil
	case other != "":
		return m, fmt.Errorf("the topic %.40q is not a BitTorrent topic", other)
	}
	return m, errors.New("has no exact topic (xt)")
}

// addTopic takes the value of an "xt". It reports whether the topic is one of
// BitTorrent.
func (m *Magnet) addTopic(value string) (known bool, err error) {
	topic, err := url.PathUnescape(value)
	if err != nil {
		return false, errors.New("the topic has a broken percent-escape")
	}
	const btih, btmh = "urn:btih:", "urn:btmh:"
	switch {
	case hasPrefixFold(topic, btih):
		h, err := ParseHash(topic[len(btih):])
		if err != nil {
			return true, fmt.Errorf("urn:btih: %w", err)
		}
		if m.HasV1 && m.V1 != h {
			return true, errors.New("has two different urn:btih topics")
		}
		m.V1, m.HasV1 = h, true
		return true, nil
	case hasPrefixFold(topic, btmh):
		h, err := parseMultihash(topic[len(btmh):])
		if err != nil {
			return true, fmt.Errorf("urn:btmh: %w", err)
		}
		if m.HasV2 && m.V2 != h {
			return true, errors.New("has two different urn:btmh topics")
		}
		m.V2, m.HasV2 = h, true
		return true, nil
	}
	return false, nil
}

// parseMultihash reads the hexadecimal multihash of a v2 info-hash: code 0x12,
// SHA-256, of full length (BEP 52, "magnet links").
func parseMultihash(s string) (h Hash256, err error) {
	if len(s) > 2*multihashBytesMax {
		return h, errors.New("the multihash is too long")
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return h, errors.New("the multihash is not hexadecimal")
	}
	mh, err := multihash.Decode(b)
	switch {
	case err != nil:
		return h, errors.New("the multihash is malformed")
	case mh.Code != multihash.SHA2_256 || len(mh.Digest) != len(h):
		return h, errors.New("the multihash is not a full SHA2-256")
	}
	return Hash256(mh.Digest), nil
}

// multihashBytesMax bounds a multihash: two varints and the longest digest in
// use.
const multihashBytesMax = 128

// setParam takes a parameter other than "xt".
func (m *Magnet) setParam(key, value string) {
	switch key {
	case "tr":
		m.Trackers = m.addURL(m.Trackers, value, TrackersMax)
		return
	case "ws":
		m.WebSeeds = m.addURL(m.WebSeeds, value, WebSeedsMax)
		return
	}
	text, err := url.QueryUnescape(value)
	if err != nil {
		if key != "dn" {
			return
		}
		text = value // "100% legal", not escaped
	}
	switch key {
	case "dn":
		if m.Name == "" {
			m.Name = DisplayName(text)
		}
	case "x.pe":
		host, port, err := splitEndpoint(text)
		if err == nil {
			m.Peers = addString(m.Peers, joinEndpoint(host, port), PeersMax)
		}
	case "so":
		m.addSelection(text)
	}
}

// addURL appends a URL to list, as addString does. The URL, which may have been encoded
// once or not at all, is escaped where it must be.
func (m *Magnet) addURL(list []string, value string, limit int) []string {
	// A plus is a plus in a URL that was not encoded for a form.
	raw, err := url.PathUnescape(value)
	if err != nil {
		raw = unescapeLoosely(value)
	}
	if strings.TrimSpace(raw) == "" {
		return list
	}
	u, err := weburl.Clean(raw)
	if err != nil {
		m.Unusable = addUnusable(m.Unusable, raw, err)
		return list
	}
	return addString(list, u, limit)
}

// unescapeLoosely undoes percent-escapes, and leaves percent signs that escape
// nothing.
func unescapeLoosely(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if s[0] == '%' && len(s) >= len("%00") {
			if c, err := hex.DecodeString(s[1:3]); err == nil {
				b.Write(c)
				s = s[3:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// addSelection takes the value of "so" (BEP 53): indices and ranges between
// commas. Malformed parts are skipped.
func (m *Magnet) addSelection(text string) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 31)
		b, errB := strconv.ParseUint(last, 10, 31)
		if errA != nil || errB != nil || a > b || a >= FilesMax ||
			len(m.Select) == selectRangesMax {
			continue
		}
		m.Select = append(m.Select, Range{int(a), int(min(b, FilesMax-1))})
	}
}

// String returns the link. Peers that a link cannot carry are left out.
func (m Magnet) String() string {
	var b strings.Builder
	b.WriteString("magnet:")
	separator := byte('?')
	add := func(key, value string) {
		b.WriteByte(separator)
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(value)
		separator = '&'
	}
	if m.HasV1 {
		add("xt", "urn:btih:"+m.V1.String())
	}
	if m.HasV2 {
		mh, err := multihash.Encode(m.V2[:], multihash.SHA2_256)
		if err == nil {
			add("xt", "urn:btmh:"+hex.EncodeToString(mh))
		}
	}
	if m.Name != "" {
		add("dn", escape(m.Name))
	}
	for _, tracker := range m.Trackers {
		add("tr", escape(tracker))
	}
	for _, seed := range m.WebSeeds {
		add("ws", escape(seed))
	}
	for _, peer := range m.Peers {
		if host, port, err := splitEndpoint(peer); err == nil {
			add("x.pe", joinEndpoint(host, port)) // not escaped: common readers do not decode it
		}
	}
	if len(m.Select) > 0 {
		add("so", formatSelection(m.Select))
	}
	return b.String()
}

func formatSelection(ranges []Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = strconv.Itoa(r.First)
		if r.Last != r.First {
			parts[i] += "-" + strconv.Itoa(r.Last)
		}
	}
	return strings.Join(parts, ",")
}

// escape encodes a value so that readers of forms and of URLs agree on it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

var errEndpoint = errors.New("expected HOST:PORT")

// splitEndpoint splits a host:port, [v6]:port included, and checks both.
func splitEndpoint(s string) (host string, port uint16, err error) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil || !isHost(host) {
		return "", 0, errEndpoint
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errEndpoint
	}
	return host, uint16(n), nil
}

func joinEndpoint(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// hostBytesMax is the longest name of the DNS.
const hostBytesMax = 253

// isHost reports whether s is an IP address without a zone, or may be the name of a host.
func isHost(s string) bool {
	if s == "" || len(s) > hostBytesMax {
		return false
	}
	if strings.Contains(s, ":") {
		ip, err := netip.ParseAddr(s)
		return err == nil && ip.Zone() == ""
	}
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && !isLetter(c) {
			return false
		}
	}
	return true
}

// addString appends s unless list has it already or is full.
func addString(list []string, s string, limit int) []string {
	if len(list) >= limit || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
