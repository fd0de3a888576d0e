package portmap

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// servicesMax bounds the services of one device that are looked at.
const servicesMax = 8

// A kind is what a service of UPnP does for us.
type kind uint8

const (
	kindIP1  kind = iota + 1 // WANIPConnection or WANPPPConnection, version 1
	kindIP2                  // WANIPConnection, version 2: chooses ports itself
	kindWall                 // WANIPv6FirewallControl
)

// A service of a device, which takes actions at an address.
type service struct {
	kind kind
	urn  string // its type, as requests name it
	at   address
}

// kindOf returns the kind of a type of service. It is not ok for other services. A version
// that is newer than 2 has all that version 2 has.
func kindOf(urn string) (k kind, ok bool) {
	rest, standard := strings.CutPrefix(urn, "urn:schemas-upnp-org:service:")
	name, version, _ := strings.Cut(rest, ":")
	// A number, since the type becomes a part of our requests.
	if n, err := strconv.ParseUint(version, 10, 8); err != nil || n == 0 || !standard {
		return 0, false
	}
	switch {
	case name == "WANIPv6FirewallControl":
		return kindWall, true
	case name == "WANPPPConnection", name == "WANIPConnection" && version == "1":
		return kindIP1, true
	case name == "WANIPConnection":
		return kindIP2, true
	}
	return 0, false
}

// parseDescription parses the description of a device that was fetched from an address (UPnP
// Device Architecture 1.1, section 2.3), and returns its services that map ports, or make
// pinholes. Services that are elsewhere than at the address of the device are left out.
func parseDescription(body []byte, from address) (services []service, err error) {
	base := &url.URL{Scheme: "http", Host: from.server.String(), Path: "/"}
	if u, err := base.Parse(from.path); err == nil {
		base = u
	}
	var urn, control string
	err = walk(body, func(name, text string) {
		switch name {
		case "URLBase":
			if u, err := url.Parse(text); err == nil {
				if a, ok := addressOf(u); ok && same(a.server.Addr(), from.server.Addr()) {
					base = u
				}
			}
		case "serviceType":
			urn = text
		case "controlURL":
			control = text
		case "service":
			if s, ok := newService(urn, control, base, from); ok && len(services) < servicesMax {
				services = append(services, s)
			}
			urn, control = "", ""
		}
	})
	return services, err
}

// newService returns the service whose control URL is relative to base. It is not ok for one
// of another kind, and for one that is not on the device at from.
func newService(urn, control string, base *url.URL, from address) (s service, ok bool) {
	k, ok := kindOf(urn)
	if !ok {
		return s, false
	}
	u, err := base.Parse(control)
	if err != nil {
		return s, false
	}
	at, ok := addressOf(u)
	if !ok || !same(at.server.Addr(), from.server.Addr()) {
		return s, false
	}
	// The zone of a link-local address is that of our interface.
	at.server = netip.AddrPortFrom(from.server.Addr(), at.server.Port())
	return service{k, urn, at}, true
}

// same reports whether two addresses are equal but for their zones.
func same(a, b netip.Addr) bool { return a.Unmap().WithZone("") == b.Unmap().WithZone("") }
