package control

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

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
	return r.Header.Get("Sec-Fetch-Mode") != "navigate"
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
	browser := r.Header.Get("Accept-Language") != ""
	return !browser || strings.Contains(accept, "text/html")
}
