package tracker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/guard"
)

// This file decides which trackers on this machine or network we ask for a stranger.
// We ask one if its URL looks like that of a tracker, since other services are then
// unlikely to act on the request.

// keyNames are the names that trackers use for the parameter with the user's key.
var keyNames = []string{
	"apikey", "api_key", "auth", "authkey", "auth_key", "credential", "hash", "id", "key", "pass",
	"passkey", "pass_key",
	"pid", "pk", "private", "secret", "secure", "sid", "token", "torrentpass", "torrent_pass",
	"uid", "uk", "user", "userid",
}

// keyBytesMin is the least length of a value that counts as a key under any name.
const keyBytesMin = 16

// unlike returns how a URL differs from that of a tracker, or "". In the URL of a
// tracker an element of the path begins with "announce" or "scrape", the query holds
// only keys, and there is no password.
func unlike(u *url.URL) string {
	switch {
	case u.Scheme == "udp":
		return ""
	case u.User != nil:
		return "its URL holds a password"
	case !announces(u):
		return "no element of its path begins with announce or scrape"
	case !keysOnly(u.RawQuery):
		return "its query holds more than a key"
	}
	return ""
}

// announces reports whether an element of the URL's path begins with "announce" or
// "scrape". It rejects paths with elements that some server reads as "..", which lead
// to another path.
func announces(u *url.URL) bool {
	elements := strings.FieldsFunc(u.Path, func(c rune) bool { return c == '/' || c == '\\' })
	found := false
	for _, e := range elements {
		e, _, _ = strings.Cut(strings.ToLower(e), ";")
		if e == "." || e == ".." || strings.Contains(e, "%2e") || strings.Contains(e, "%2f") ||
			strings.Contains(e, "%5c") {
			return false
		}
		found = found || strings.HasPrefix(e, "announce") || strings.HasPrefix(e, "scrape")
	}
	return found
}

// keysOnly reports whether a query holds only keys.
func keysOnly(query string) bool {
	if query == "" {
		return true
	}
	for param := range strings.SplitSeq(query, "&") {
		name, value, named := strings.Cut(param, "=")
		switch {
		case !named && isKey(name): // "announce.php?0123456789abcdef"
		case named && (slices.Contains(keyNames, strings.ToLower(name)) && isWord(value) ||
			isKey(value) && isWord(name)):
		default:
			return false
		}
	}
	return true
}

// isKey reports whether s looks like a key under any name: one long word with digits.
func isKey(s string) bool {
	return len(s) >= keyBytesMin && isWord(s) && strings.ContainsAny(s, "0123456789")
}

// isWord reports whether s is one word.
func isWord(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c|0x20 < 'a' ||
			c|0x20 > 'z') && c != '-' && c != '_' && c != '.' && c != '~'
	}) < 0
}

// A NotAskedError says why a tracker that a stranger named is not asked.
type NotAskedError struct {
	Tracker Tracker
	Why     string
}

func (e *NotAskedError) Error() string { return e.Why }

// Unwrap returns guard.ErrRefused.
func (e *NotAskedError) Unwrap() error { return guard.ErrRefused }

// explain rewords a refusal of guard for trackers. It returns other errors as they
// are.
func (t Tracker) explain(err error) error {
	var named *guard.NameRefusal
	if errors.As(err, &named) && t.stranger && !named.Unusable {
		return &NotAskedError{t, fmt.Sprintf("it leads to the %v host %s, where only you may "+
			"send the proxy", named.Reach, named.Host)}
	}
	var refusal *guard.Refusal
	if !errors.As(err, &refusal) || refusal.Unusable {
		return err
	}
	where := fmt.Sprintf("it leads to the %v address %v", refusal.Reach, refusal.Addr)
	switch form := unlike(t.url); {
	case !t.stranger: // a redirect
	case refusal.Reach == guard.LinkLocal:
		return &NotAskedError{t, where + ", where only you may send a node"}
	case refusal.Port:
		return &NotAskedError{t,
			where + ", and of the ports below 1024 only 80 and 443 are allowed there"}
	case form != "":
		return &NotAskedError{t, where + ", and " + form}
	}
	return &NotAskedError{t, where + ", where a redirect may not lead"}
}

// lookupTimeout bounds the name lookup of CheckLink.
const lookupTimeout = 2 * time.Second

// CheckLink returns an error if nodes that find the tracker in a torrent or a link
// would not ask it, as far as this machine can tell. The error says why not. Unless
// every node would ask the tracker, CheckLink looks up its name, for up to two
// seconds, by n, which may be nil.
func (t Tracker) CheckLink(ctx context.Context, n *egress.Net) error {
	t.stranger = true
	port, err := strconv.ParseUint(t.port(), 10, 16)
	if err != nil {
		return fmt.Errorf("%w: port %q", ErrURL, t.url.Port())
	}
	ip, err := netip.ParseAddr(t.url.Hostname())
	ips := []netip.Addr{ip}
	if err != nil {
		if unlike(t.url) == "" && (port > 1023 || port == 80 || port == 443) {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if ips, err = n.LookupNetIP(ctx, egress.Any, t.url.Hostname()); err != nil {
			return nil // others may know the name
		}
	}
	target := t.target(t.url)
	var refused error
	for _, ip := range ips {
		if refused = target.Check(netip.AddrPortFrom(ip.Unmap().WithZone(""),
			uint16(port))); refused == nil {
			return nil
		}
	}
	return t.explain(refused)
}

// port returns the port of the tracker.
func (t Tracker) port() string {
	switch port := t.url.Port(); {
	case port != "":
		return port
	case t.url.Scheme == "https":
		return "443"
	}
	return "80"
}

const (
	// refusalsMax bounds the warnings about trackers that are not asked, for one
	// torrent.
	refusalsMax = 8
	// refusalsKept bounds the warnings that are remembered for all torrents.
	refusalsKept = 1024
)

// refusals remembers the warnings about trackers that are not asked, so that the same
// tracker in a thousand torrents causes one warning. It is safe for concurrent use.
type refusals struct {
	mu   sync.Mutex
	told map[string]bool
}

// first reports whether this is the first warning about a tracker, and records it.
func (r *refusals) first(t Tracker) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := t.url.String()
	if r.told[key] || len(r.told) >= refusalsKept {
		return false
	}
	if r.told == nil {
		r.told = make(map[string]bool)
	}
	r.told[key] = true
	return true
}
