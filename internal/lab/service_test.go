//go:build linux

package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// TestOffers: miniupnpd maps ports of the NAT of the kernel, by the protocols that a router
// offers and by no others.
func TestOffers(t *testing.T) {
	realclient.RequireServer(t, realclient.Miniupnpd)
	if !realclient.InNamespace(t) {
		return
	}
	l := OpenModelled(t)
	far := must(l.Modelled("far", Way{}, Way{}))(t)
	for name, o := range map[string]Offers{
		"pcp": {PCP: true}, "natpmp": {NATPMP: true}, "upnp": {UPnP: true, OldIGD: true},
	} {
		t.Run(name, func(t *testing.T) {
			router := must(l.Router(name, RouterConfig{Offers: o, IPv6: name == "pcp"}))(t)
			in := must(router.Inside(name + "-in"))(t)
			offers(t, in, far, o)
		})
	}
}

func offers(t *testing.T, in, far *Host, o Offers) {
	router := in.home
	served := udp(t, in, 0)
	c := udp(t, in, 0)
	at := netip.AddrPortFrom(in.gateway, mappingPort)
	pcp, pmp := pcpRequest(endpoint(served)), pmpRequest(endpoint(served).Port())
	switch {
	case o.PCP:
		send(t, c, at, string(pmp))
		send(t, c, at, string(pcp))
		// The answer to the first would have come first.
		if text, _ := receive(t, c); text[0] != 2 || text[3] != 0 {
			t.Errorf("the answer of PCP is %x", text)
		}
	case o.NATPMP:
		send(t, c, at, string(pcp))
		send(t, c, at, string(pmp))
		if text, _ := receive(t, c); text[0] != 0 || text[3] != 0 {
			t.Errorf("the answer of NAT-PMP is %x", text)
		}
	case o.UPnP:
		send(t, c, netip.MustParseAddrPort("239.255.255.250:1900"), strings.Join([]string{
			"M-SEARCH * HTTP/1.1", "HOST: 239.255.255.250:1900", `MAN: "ssdp:discover"`, "MX: 1",
			"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1", "", ""}, "\r\n"))
		if text, from := receive(t, c); !strings.Contains(text, "InternetGatewayDevice:1") {
			t.Errorf("the answer of %v is %q", from, text)
		}
		return // the rest of UPnP is for its client
	}
	outside := udp(t, far, 0)
	send(t, outside, netip.AddrPortFrom(router.Addr, endpoint(served).Port()), "unasked")
	if text, from := receive(t, served); text != "unasked" || from != endpoint(outside) {
		t.Errorf("%q from %v by the mapping", text, from)
	}
	if _, err := router.NAT(); err == nil {
		t.Error("the NAT of the kernel has a tally")
	}
	moved := router.Addr.Next()
	if err := in.Readdress(moved); err != nil {
		t.Fatal(err)
	}
	if at := seen(t, served, outside); at.Addr() != moved {
		t.Errorf("the router is seen as %v, want %v", at, moved)
	}
	router.Miniupnpd().Kill()
	if err := router.Offer(t.Context(), Offers{PCP: true, NATPMP: true}); err != nil {
		t.Error(err)
	}
	for version, request := range [][]byte{0: pmp, 2: pcp} {
		if request == nil {
			continue
		}
		send(t, c, at, string(request))
		if text, _ := receive(t, c); int(text[0]) != version {
			t.Errorf("the answer to version %d is %x", version, text)
		}
	}
}

// pmpRequest maps a port of UDP to the same one outside (RFC 6886, section 3.3).
func pmpRequest(port uint16) []byte {
	b := []byte{0, 1, 0, 0}
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, port)
	return binary.BigEndian.AppendUint32(b, 3600)
}

// pcpRequest is the same of PCP (RFC 6887, sections 7.1 and 11.1).
func pcpRequest(at netip.AddrPort) []byte {
	client := at.Addr().As16()
	b := []byte{2, 1, 0, 0, 0, 0, 14, 16} // version, MAP, lifetime
	b = append(b, client[:]...)
	b = append(b, []byte("nonce of lab")...)
	b = append(b, 17, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, at.Port())
	b = binary.BigEndian.AppendUint16(b, at.Port())
	any4 := netip.IPv4Unspecified().As16()
	return append(b, any4[:]...)
}

// TestTURN: coturn answers a binding request (RFC 8489, section 6).
func TestTURN(t *testing.T) {
	realclient.RequireServer(t, realclient.Turnserver)
	if !realclient.InNamespace(t) {
		return
	}
	l := OpenModelled(t)
	relay := must(l.Modelled("relay", Way{}, Way{}))(t)
	home := must(l.Router("home", RouterConfig{}))(t)
	in := must(home.Inside("in"))(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	service := must(relay.TURN(ctx, "user", "secret"))(t)
	c := udp(t, in, 0)
	request := []byte("\x00\x01\x00\x00\x21\x12\xa4\x42transaction!")
	send(t, c, netip.AddrPortFrom(relay.Addr, TURNPort), string(request))
	if text, _ := receive(t, c); !bytes.HasPrefix([]byte(text), []byte{1, 1}) {
		t.Errorf("the answer is %x", text)
	}
	service.Kill()
	var again net.Conn
	if err := in.Do(func() (err error) {
		again, err = net.Dial("tcp", netip.AddrPortFrom(relay.Addr, TURNPort).String())
		return err
	}); err == nil {
		again.Close()
		t.Error("a killed server takes connections")
	}
}
