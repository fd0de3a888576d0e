package control

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// CheckHost refuses a request that a page whose name leads to this machine may have sent (DNS
// rebinding): one with a name in its Host that is not ours. Requests that need a password,
// which a browser would not add, may have any. The error is nil or a *Refusal.
func (g *Gate) CheckHost(r *http.Request) error {
	switch {
	case goodHost(r.Host, g.hosts), onSocket(r) && madeUp(r), !onSocket(r) && g.NeedsLogin():
		return nil
	}
	return refuse(http.StatusMisdirectedRequest,
		"the host %q is not known here (try: an IP address, localhost, or --host %s)", r.Host,
		r.Host)
}

// CheckSite refuses a request that a browser sends for a page of another site. The error is
// nil or a *Refusal.
func (g *Gate) CheckSite(r *http.Request) error {
	if crossSite(r, g.posts) {
		return refuse(http.StatusForbidden, "a page of another site may not ask")
	}
	return nil
}

// CheckSame refuses a GET that a page of another site may have sent, be it by a link that the
// user follows, which CheckSite lets in. Handlers ask it before a GET changes something. The
// request is one that Protect let in. The error is nil or a *Refusal.
func (g *Gate) CheckSame(r *http.Request) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return nil
	case "":
		// A browser that does not say where a request comes from adds a cookie to those of our
		// own pages alone, but a password that it knows to those of all pages.
		if !fromBrowser(r) || From(r.Context()).session != nil {
			return nil
		}
	}
	return refuse(http.StatusForbidden, "a page of another site may not do this by a link")
}

// goodHost reports whether the Host of a request can be meant for us: an IP address,
// localhost, or one of names. A page of a stranger whose name leads to this machine (DNS
// rebinding) has the stranger's name.
func goodHost(host string, names []string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return slices.ContainsFunc(names, func(good string) bool {
		return strings.EqualFold(strings.TrimSuffix(good, "."), name)
	})
}

// crossSite reports whether a browser says that a page of another site sends a request. A link
// that the user follows is none.
func crossSite(r *http.Request, posts *http.CrossOriginProtection) bool {
	if posts.Check(r) != nil {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	// A frame or an object in a page of another site says that it navigates, too.
	dest := r.Header.Get("Sec-Fetch-Dest")
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || dest != "" && dest != "document"
}

// madeUp reports whether the Host of a request on the socket is one that a program made up,
// since a socket has no name: a single word, or nothing. A browser reaches a socket through a
// tunnel, and then has the name of a page; no page has a single word for its name unless the
// resolver of this machine says so.
func madeUp(r *http.Request) bool {
	if strings.Contains(strings.TrimSuffix(r.Host, "."), ".") {
		return false
	}
	for _, sign := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode",
		"Accept-Language"} {
		if r.Header.Get(sign) != "" {
			return false
		}
	}
	return !fromBrowser(r)
}

// fromBrowser reports whether a browser sends a request. No page can hide that.
func fromBrowser(r *http.Request) bool {
	return strings.HasPrefix(r.UserAgent(), "Mozilla/") && r.Header.Get("Accept-Language") != ""
}

// challenged reports whether a refusal may ask for a login in the header Authorization: not if
// a page sends the request, since its browser would open a dialog of its own over it. Browsers
// say what a request is for over TLS and to this machine alone; elsewhere what they accept
// shows it.
func challenged(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "application/problem+json"),
		strings.Contains(accept, "text/event-stream"):
		return false
	}
	return !fromBrowser(r) || strings.Contains(accept, "text/html")
}
