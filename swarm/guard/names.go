package guard

import (
	"fmt"
	"net/netip"
	"strings"
)

// This file judges hosts by their names, for requests through a proxy: the proxy looks up
// names, so nobody here learns the address. Names whose form says that they lead into a
// machine or network are known. A name of the public DNS that leads inward is not: only the
// proxy could see that.

// innerNames are the top-level names, and one domain, that have a meaning in one network
// only: RFC 6762, RFC 8375, the name that ICANN reserved, and those in use that the public
// DNS does not delegate.
var innerNames = []string{"local", "home.arpa", "internal", "lan", "home", "corp", "mail",
	"private", "intranet", "localdomain", "workgroup"}

// ReachOfName returns how far away a host is, as far as its name says. A host that is an
// address has the reach of ReachOf. It is not ok for names that nobody should connect to:
// empty ones, and addresses in other notations, such as 0x7f.1, which look like names.
func ReachOfName(host string) (reach Reach, ok bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ReachOf(ip)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "", isNumber(last):
		return LinkLocal, false
	case last == "localhost":
		return Loopback, true // RFC 6761, section 6.3
	case last == name:
		return Private, true // searched for in the domain of the proxy
	}
	for _, inner := range innerNames {
		if strings.HasSuffix(name, "."+inner) {
			return Private, true
		}
	}
	return Public, true
}

// isNumber reports whether the last label of a name makes it an address: programs take
// numbers of several notations for parts of an IPv4 address.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// A NameRefusal is the error for a host that must not be connected to through a proxy. It
// wraps ErrRefused.
type NameRefusal struct {
	Host  string
	Reach Reach
	// Unusable says that nobody should connect to the host.
	Unusable bool
}

func (r *NameRefusal) Error() string {
	if r.Unusable {
		return fmt.Sprintf("connecting to %q through the proxy: %v", r.Host, ErrRefused)
	}
	return fmt.Sprintf("connecting to the %v host %q through the proxy: %v", r.Reach, r.Host,
		ErrRefused)
}

// Unwrap returns ErrRefused.
func (r *NameRefusal) Unwrap() error { return ErrRefused }

// CheckHost reports why the proxy may not be asked for a connection to a host, a name or an
// address, for t, before any redirect. The error is a *NameRefusal.
func (t *Target) CheckHost(host string) error { return t.rule(t.URL, LinkLocal).checkHost(host) }

// checkHost returns an error for a host that must not be connected to through a proxy. What
// is near the proxy is somebody else's machine or network, so a stranger may name public
// hosts only, however harmless the URL looks.
func (r rule) checkHost(host string) error {
	nearest := r.nearest
	if r.stranger {
		nearest = Public
	}
	reach, ok := ReachOfName(host)
	if !ok {
		return &NameRefusal{Host: host, Unusable: true}
	}
	if reach < nearest {
		return &NameRefusal{Host: host, Reach: reach}
	}
	return nil
}
