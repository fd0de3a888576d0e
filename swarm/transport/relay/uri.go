package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A Transport is how a client reaches its server.
type Transport uint8

// The transports.
const (
	Auto Transport = iota // UDP, and TCP if that gets no answer
	UDP
	TCP
)

// DefaultPort is the port of TURN servers (RFC 8656, section 17).
const DefaultPort = 3478

// nameLetters are what names of hosts consist of, and addresses of IPv4.
const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// strange reports whether a letter is none of names.
func strange(r rune) bool { return !strings.ContainsRune(nameLetters, r) }

// errURI means that text does not name a server.
var errURI = errors.New("not turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp]")

// A URI says where a TURN server can be reached, and as who.
type URI struct {
	Host      string // a name or an address
	Port      uint16
	Transport Transport
	// User and Password are the long-term credential (RFC 8489, section 9.2).
	User, Password string
}

// ParseURI parses a turn URI (RFC 7065). Unlike in the RFC, it may hold user and
// password, percent-encoded as in URLs.
func ParseURI(uri string) (URI, error) {
	fail := func() (URI, error) {
		return URI{}, fmt.Errorf("relay %q: %w", withoutPassword(uri), errURI)
	}
	rest, ok := strings.CutPrefix(uri, "turn:")
	if !ok || len(uri) > 1024 || strings.HasPrefix(rest, "/") {
		return fail()
	}
	u, err := url.Parse("turn://" + rest)
	if err != nil || u.Host == "" || u.Path != "" || u.Fragment != "" || u.Hostname() == "" {
		return fail()
	}
	s := URI{Host: u.Hostname(), Port: DefaultPort, User: u.User.Username()}
	s.Password, _ = u.User.Password()
	if u.User != nil && (s.User == "" || s.Password == "") {
		return fail()
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fail()
		}
		s.Port = uint16(n)
	}
	if strings.Contains(s.Host, ":") {
		if ip, err := netip.ParseAddr(s.Host); err != nil || !ip.Is6() || ip.Zone() != "" {
			return fail()
		}
	} else if strings.ContainsFunc(s.Host, strange) {
		return fail()
	}
	switch u.RawQuery {
	case "":
	case "transport=udp":
		s.Transport = UDP
	case "transport=tcp":
		s.Transport = TCP
	default:
		return fail()
	}
	return s, nil
}

// withoutPassword returns a URI without what is before the last @, for messages.
func withoutPassword(uri string) string {
	if at := strings.LastIndexByte(uri, '@'); at >= 0 {
		uri = "turn:...@" + uri[at+1:]
	}
	return uri[:min(len(uri), 256)]
}

// String returns the URI without user and password.
func (s URI) String() string {
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	uri := "turn:" + host
	if s.Port != DefaultPort {
		uri += ":" + strconv.Itoa(int(s.Port))
	}
	switch s.Transport {
	case UDP:
		uri += "?transport=udp"
	case TCP:
		uri += "?transport=tcp"
	}
	return uri
}
