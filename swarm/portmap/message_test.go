package portmap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The messages of PCP are those of RFC 6887, sections 7 and 11.
func TestPCPMessages(t *testing.T) {
	w := &Want{Proto: TCP, Port: 6881}
	n := nonce([]byte("abcdefghijkl"))
	got := appendPCPMap(nil, local4, w, n, netip.MustParseAddrPort("0.0.0.0:7000"), 3600)
	want := unhex(t, "02010000 00000e10 00000000 00000000 0000ffff c0a80102"+
		"61626364 65666768 696a6b6c 06000000 1ae1 1b58 00000000 00000000 0000ffff 00000000")
	if !bytes.Equal(got, want) {
		t.Errorf("request:\n%x, want\n%x", got, want)
	}
	answer := unhex(t, "02810000 00000708 00015180 00000000 00000000 00000000"+
		"61626364 65666768 696a6b6c 06000000 1ae1 1b58 00000000 00000000 0000ffff 09090907")
	r, err := parsePCP(answer)
	if err != nil || r != (pcpResponse{opcode: pcpMap, lifetime: 1800, epoch: 86400, mapped: true,
		nonce: n, proto: TCP, internal: 6881, external: netip.MustParseAddrPort("9.9.9.7:7000")}) {
		t.Errorf("got %+v, %v", r, err)
	}
	for name, b := range map[string][]byte{
		"cut off": answer[:20], "a request": want, "odd length": answer[:59],
		"too long": make([]byte, 1104), "version 1": append([]byte{1}, answer[1:]...),
	} {
		if _, err := parsePCP(b); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if r, err := parsePCP(answer[:24]); err != nil || r.mapped {
		t.Errorf("a header alone: %+v, %v", r, err)
	}
}

// The messages of NAT-PMP are those of RFC 6886, section 3.
func TestPMPMessages(t *testing.T) {
	got := appendPMPMap(nil, &Want{Proto: UDP, Port: 6881}, 7000, 3600)
	if want := unhex(t, "00010000 1ae1 1b58 00000e10"); !bytes.Equal(got, want) {
		t.Errorf("request: %x, want %x", got, want)
	}
	r, err := parsePMP(unhex(t, "00820000 00000064 1ae1 1b58 00000708"))
	if err != nil || r != (pmpResponse{opcode: pmpMapTCP, epoch: 100, internal: 6881,
		external: 7000, lifetime: 1800}) {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = parsePMP(unhex(t, "00800000 00000064 09090907"))
	if err != nil || r.address != public4 {
		t.Errorf("got %+v, %v", r, err)
	}
	// The answer to another version may be short.
	if r, err := parsePMP(unhex(t, "00800001")); err != nil || r.result != pmpUnsupportedVersion {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, text := range []string{"", "00", "00800000", "0080000000000064", "000100001ae11b58",
		"0081000000000064", "0083000000000064 1ae1 1b58 00000708"} {
		if r, err := parsePMP(unhex(t, text)); err == nil {
			t.Errorf("%s is accepted: %+v", text, r)
		}
	}
}

// The clock of a router that has lost its mappings is behind, or does not fit.
func TestEpoch(t *testing.T) {
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name     string
		after    time.Duration
		seconds  uint32 // 1000 at first
		pcp, pmp bool
	}{
		{name: "as expected", after: time.Minute, seconds: 1060},
		{name: "a second back", after: 0, seconds: 999},
		{name: "from the start", after: time.Minute, seconds: 3, pcp: true, pmp: true},
		{name: "stands still", after: time.Minute, seconds: 1000, pcp: true, pmp: true},
		{name: "slow by a tenth", after: 1000 * time.Second, seconds: 1900, pcp: true},
		{name: "fast", after: 1000 * time.Second, seconds: 2100, pcp: true},
		{name: "we have slept", after: time.Minute, seconds: 9000, pcp: true, pmp: true},
		{name: "fast by a percent", after: 1000 * time.Second, seconds: 2010},
	} {
		for _, drift := range []bool{false, true} {
			var e epoch
			if e.observe(start, 1000, drift) {
				t.Error("lost at first sight")
			}
			want := c.pcp
			if drift {
				want = c.pmp
			}
			if got := e.observe(start.Add(c.after), c.seconds, drift); got != want {
				t.Errorf("%s, drift %v: lost is %v, want %v", c.name, drift, got, want)
			}
		}
	}
}

// An answer to a search counts if it is from a gateway, and names a literal address.
func TestParseFound(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n" +
		"location :  http://192.168.1.1:5000/rootDesc.xml?x=1 \r\nEXT:\r\n\r\n"
	location, ok := parseFound([]byte(good))
	if a, valid := parseAddress(location); !ok || !valid ||
		a != (address{netip.MustParseAddrPort("192.168.1.1:5000"), "/rootDesc.xml?x=1"}) {
		t.Errorf("got %q, %v", location, ok)
	}
	if _, ok := parseFound([]byte(strings.ReplaceAll(good, "\r", ""))); !ok {
		t.Error("lines without a carriage return are refused")
	}
	for name, s := range map[string]string{
		"empty": "", "a search": "M-SEARCH * HTTP/1.1\r\n",
		"an error":         "HTTP/1.1 404 No\r\n" + good,
		"another device":   strings.ReplaceAll(good, "InternetGatewayDevice", "MediaServer"),
		"without location": strings.ReplaceAll(good, "location", "place"),
		"too long":         good + strings.Repeat("X: y\r\n", 1000),
	} {
		if location, ok := parseFound([]byte(s)); ok {
			t.Errorf("%s: got %q", name, location)
		}
	}
	for _, s := range []string{"https://192.168.1.1/", "http://router/", "http://192.168.1.1:0/",
		"http://192.168.1.1:99999/", "http://user@192.168.1.1/", "file:///etc/passwd", "http://",
		"//192.168.1.1/x", "http:192.168.1.1", "http://0x7f.1/", "http://192.168.1.1 /"} {
		if a, ok := parseAddress(s); ok {
			t.Errorf("%s: got %+v", s, a)
		}
	}
	if a, ok := parseAddress("http://192.168.1.1"); !ok || a.path != "/" || a.server.Port() != 80 {
		t.Errorf("without a path: %+v, %v", a, ok)
	}
}

// A notice counts if it is that of a gateway that is there.
func TestNotice(t *testing.T) {
	const good = "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: " +
		"urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nNTS: ssdp:alive\r\n\r\n"
	if !isNotice([]byte(good)) {
		t.Error("a notice is not seen")
	}
	for _, s := range []string{"", strings.Replace(good, "alive", "byebye", 1),
		strings.Replace(good, "InternetGatewayDevice", "MediaServer", 1),
		strings.Replace(good, "NOTIFY", "M-SEARCH", 1), good + strings.Repeat("x", ssdpBytesMax)} {
		if isNotice([]byte(s)) {
			t.Errorf("a notice: %q", s)
		}
	}
}

// A device may name nothing but itself, on the network of the gateway.
func TestLocate(t *testing.T) {
	now := time.Unix(1e9, 0)
	v4 := newGateway(now, place{index: 2, router: router4, local: local4}, onLink4,
		new(Config), zero)
	v6 := newGateway(now, place{index: 2, router: router6, local: local6}, onLink6,
		new(Config), zero)
	for _, c := range []struct {
		g              *gateway
		from, location string
		want           string // the server, or empty
	}{
		{v4, "192.168.1.1", "http://192.168.1.1:5000/x", "192.168.1.1:5000"},
		{v4, "192.168.1.9", "http://192.168.1.9/x", "192.168.1.9:80"},
		{v4, "192.168.1.1", "http://192.168.1.9/x", ""},    // another machine of the network
		{v4, "192.168.1.1", "http://9.9.9.9/x", ""},        // outward
		{v4, "192.168.1.1", "http://127.0.0.1/x", ""},      // inward
		{v4, "192.168.1.2", "http://192.168.1.2/x", ""},    // this machine
		{v4, "9.9.9.9", "http://9.9.9.9/x", ""},            // not of our network
		{v4, "192.168.1.1", "http://169.254.169.254/", ""}, // where clouds have their secrets
		{v4, "192.168.1.1", "http://[::1]/x", ""},
		{v6, "fe80::1%eth0", "http://[2001:db8:2::1]:5000/x", "[2001:db8:2::1]:5000"},
		{v6, "fe80::1%eth0", "http://[fe80::1]:5000/x", "[fe80::1%eth0]:5000"},
		{v6, "fe80::1%eth0", "http://[fe80::1%25other]:5000/x", "[fe80::1%eth0]:5000"},
		{v6, "2001:db8:2::1", "http://[fe80::1]:5000/x", "[fe80::1%eth0]:5000"},
		{v6, "fe80::1%eth0", "http://[2001:db8:3::1]:5000/x", ""},
		{v6, "fe80::1%eth0", "http://[2001:db8:2::2]:5000/x", ""}, // this machine
		{v6, "fe80::1%eth0", "http://[::1]/x", ""},
		{v6, "fe80::1%eth0", "http://[ff02::1]/x", ""},
		{v6, "fe80::1%eth0", "http://[::ffff:127.0.0.1]/x", ""},
		{v6, "fe80::1%eth0", "http://192.168.1.1/x", ""},
		{v6, "2001:db8:9::9", "http://[2001:db8:2::1]/x", ""},
	} {
		got := ""
		if a, ok := c.g.locate(netip.MustParseAddr(c.from), c.location); ok {
			got = a.server.String()
		}
		if got != c.want {
			t.Errorf("%s from %s: got %q, want %q", c.location, c.from, got, c.want)
		}
	}
}

func zero() uint64 { return 0 }

// A description names the services of its own device alone.
func TestParseDescription(t *testing.T) {
	from := address{netip.MustParseAddrPort("192.168.1.1:5000"), "/dir/rootDesc.xml"}
	service := func(kind, control string) string {
		return "<service><serviceType>urn:schemas-upnp-org:service:" + kind +
			"</serviceType><controlURL>" + control + "</controlURL></service>"
	}
	for _, c := range []struct {
		name, body, want string
	}{
		{"relative", service("WANIPConnection:1", "ctl"), "192.168.1.1:5000/dir/ctl"},
		{"absolute", service("WANPPPConnection:1", "/ctl"), "192.168.1.1:5000/ctl"},
		{"another port", service("WANIPConnection:2", "http://192.168.1.1:80/c?d=1&e=2"),
			"192.168.1.1:80/c?d=1&e=2"},
		{"another host", service("WANIPConnection:2", "http://192.168.1.9/c"), ""},
		{"another host, without scheme", service("WANIPConnection:2", "//9.9.9.9/c"), ""},
		{"another scheme", service("WANIPConnection:2", "https://192.168.1.1/c"), ""},
		{"another service", service("Layer3Forwarding:1", "/c"), ""},
		{"a base", "<URLBase>http://192.168.1.1:81/b/</URLBase>" +
			service("WANIPConnection:1", "c"), "192.168.1.1:81/b/c"},
		{"a base elsewhere", "<URLBase>http://9.9.9.9/</URLBase>" +
			service("WANIPConnection:1", "/c"), "192.168.1.1:5000/c"},
		{"a type that goes on", service("WANIPConnection:1\r\nX: y", "/c"), ""},
		{"a version that is not", service("WANIPConnection:x", "/c"), ""},
		{"the firewall", service("WANIPv6FirewallControl:1", "/f"), "192.168.1.1:5000/f"},
		{"another encoding", `<?xml version="1.0" encoding="windows-1252"?><name>` + "\xe9</name>" +
			service("WANIPConnection:1", "/c"), "192.168.1.1:5000/c"},
	} {
		services, err := parseDescription([]byte("<root>"+c.body+"</root>"), from)
		if strings.HasPrefix(c.body, "<?") {
			services, err = parseDescription([]byte(c.body), from)
		}
		got := ""
		if len(services) > 0 {
			got = services[0].at.server.String() + services[0].at.path
		}
		if got != c.want || err != nil || len(services) > 1 {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	many, err := parseDescription([]byte("<root>"+strings.Repeat(service("WANIPConnection:1", "/c"),
		1000)+"</root>"), from)
	if err != nil || len(many) != servicesMax {
		t.Errorf("%d services, %v", len(many), err)
	}
}

// Documents that are made to cost much cost little.
func TestHostileXML(t *testing.T) {
	bomb := `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>` +
		`<r><errorCode>&b;&b;&b;&b;</errorCode></r>`
	for name, body := range map[string]string{
		"entities":   bomb,
		"deep":       strings.Repeat("<a>", 60000),
		"never ends": "<a>" + strings.Repeat("x", 200000),
		"ends only":  strings.Repeat("</a>", 1000),
		"no XML":     strings.Repeat("\xff\x00", 10000),
		"empty":      "",
	} {
		longest := 0
		walk([]byte(body), func(name, text string) { longest = max(longest, len(name), len(text)) })
		if longest > textBytesMax {
			t.Errorf("%s: a text of %d bytes", name, longest)
		}
		if answer, err := parseAnswer([]byte(body)); err == nil {
			t.Errorf("%s: %v", name, answer)
		}
	}
	if err := walk([]byte(strings.Repeat("<a>", 100)), nil); err != errDepth {
		t.Errorf("a deep document: %v", err)
	}
}

// Actions are XML, and faults are errors with their code.
func TestActions(t *testing.T) {
	body := appendAction(nil, "urn:x:1", "Do", []argument{{"NewA", `<&">`}, {"NewB", ""}})
	args := argumentsOf(body)
	if args["NewA"] != `<&">` || args["NewB"] != "" {
		t.Errorf("got %q from %s", args, body)
	}
	answer, err := parseAnswer(answerWith("<NewExternalIPAddress> 9.9.9.7 </NewExternalIPAddress>"))
	if err != nil || answer["NewExternalIPAddress"] != "9.9.9.7" {
		t.Errorf("got %v, %v", answer, err)
	}
	_, err = parseAnswer(fault(718))
	var refused *RouterError
	if !errors.As(err, &refused) || refused.Code != 718 || !errors.Is(err, ErrRefused) ||
		err.Error() != "the router refused the UPnP request: No (code 718)" {
		t.Errorf("got %v", err)
	}
	for _, body := range []string{"<html><body>login</body></html>", "<s:Envelope>", "login"} {
		if answer, err := parseAnswer([]byte(body)); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, %v", body, answer, err)
		}
	}
	if got := printable("\x1b[31mno\u202e" + strings.Repeat("x", 100)); len(got) > 80 ||
		strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("got %q", got)
	}
	long := &RouterError{By: NATPMP, Code: 99}
	if long.Error() != "the router refused the NAT-PMP request (code 99)" {
		t.Errorf("got %v", long)
	}
}

// Searches of all say how long to wait, and those of one device do not.
func TestSearches(t *testing.T) {
	got := string(appendSearch(nil, netip.AddrPortFrom(ssdpGroup6.WithZone("eth0"), ssdpPort), "x"))
	if want := "M-SEARCH * HTTP/1.1\r\nHOST: [ff02::c]:1900\r\nMAN: \"ssdp:discover\"\r\n" +
		"MX: 1\r\nST: x\r\n\r\n"; got != want {
		t.Errorf("got %q", got)
	}
	got = string(appendSearch(nil, netip.AddrPortFrom(router4, ssdpPort), "x"))
	if strings.Contains(got, "MX") || !strings.Contains(got, "HOST: 192.168.1.1:1900\r\n") {
		t.Errorf("got %q", got)
	}
}
