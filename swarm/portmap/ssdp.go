package portmap

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ssdpPort is the port of SSDP.
const ssdpPort = 1900

// The groups of SSDP (UPnP Device Architecture 2.0, sections 1.3 and A.2).
var (
	ssdpGroup4 = netip.AddrFrom4([4]byte{239, 255, 255, 250})
	ssdpGroup6 = netip.MustParseAddr("ff02::c")
)

const (
	// searchSeconds is how long devices may wait with their answer to a search of all. More
	// would only delay us: few devices are searched for.
	searchSeconds = "1"
	// ssdpBytesMax bounds an answer. The usual ones have 500 bytes.
	ssdpBytesMax = 4096
)

const (
	deviceGateway = "urn:schemas-upnp-org:device:InternetGatewayDevice:"
	serviceIP     = "urn:schemas-upnp-org:service:WANIPConnection:"
	servicePPP    = "urn:schemas-upnp-org:service:WANPPPConnection:"
	serviceWall   = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:"
)

// searched4 and searched6 are what is searched for in each family. Devices of version 2 must
// answer for version 1 as well, and some know only their own version.
var (
	searched4 = []string{deviceGateway + "1", deviceGateway + "2", serviceIP + "1",
		serviceIP + "2", servicePPP + "1"}
	searched6 = []string{deviceGateway + "2", deviceGateway + "1", serviceWall + "1"}
)

// appendSearch appends a search for a target. The search of one host has no MX header (UPnP
// Device Architecture 1.1, section 1.3.2).
func appendSearch(b []byte, to netip.AddrPort, target string) []byte {
	host := netip.AddrPortFrom(to.Addr().WithZone(""), to.Port())
	b = append(b, "M-SEARCH * HTTP/1.1\r\nHOST: "+host.String()+"\r\nMAN: \"ssdp:discover\"\r\n"...)
	if to.Addr().IsMulticast() {
		b = append(b, "MX: "+searchSeconds+"\r\n"...)
	}
	return append(b, "ST: "+target+"\r\n\r\n"...)
}

// parseFound parses an answer to a search, and returns where the description of the device
// is. It is not ok for other messages, and for devices that nobody searched for.
func parseFound(b []byte) (location string, ok bool) {
	if len(b) > ssdpBytesMax {
		return "", false
	}
	status, headers, _ := strings.Cut(string(b), "\n")
	words := strings.Fields(status)
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") || words[1] != "200" {
		return "", false
	}
	gateway := false
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "LOCATION":
			location = value
		case "ST":
			for _, prefix := range []string{deviceGateway, serviceIP, servicePPP, serviceWall} {
				gateway = gateway || strings.HasPrefix(value, prefix)
			}
		}
	}
	return location, gateway && location != ""
}

// isNotice reports whether a message says that a gateway has started, or is still there (UPnP
// Device Architecture 2.0, section 1.2.2).
func isNotice(b []byte) bool {
	if len(b) > ssdpBytesMax || !strings.HasPrefix(string(b), "NOTIFY * HTTP/1.") {
		return false
	}
	alive, gateway := false, false
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "NTS":
			alive = value == "ssdp:alive"
		case "NT":
			gateway = strings.HasPrefix(value, deviceGateway)
		}
	}
	return alive && gateway
}

// An address is where a document or a service of a device is: a server, and the rest of the
// URL.
type address struct {
	server netip.AddrPort
	path   string // with the query, from the slash on
}

// parseAddress parses a URL of a device. Only http and literal addresses are valid, since a
// name may lead anywhere.
func parseAddress(s string) (a address, ok bool) {
	u, err := url.Parse(s)
	if err != nil {
		return a, false
	}
	return addressOf(u)
}

// addressOf returns the address that a URL stands for.
func addressOf(u *url.URL) (a address, ok bool) {
	if !strings.EqualFold(u.Scheme, "http") || u.User != nil || u.Opaque != "" {
		return a, false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return a, false
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	a = address{netip.AddrPortFrom(ip.Unmap(), uint16(number)), u.RequestURI()}
	return a, err == nil && number != 0 && strings.HasPrefix(a.path, "/")
}
