package house

import (
	"go/ast"
	"slices"
	"testing"
)

// outward are the names of the standard library and of x/sys by which a program makes
// sockets, looks up names, or learns which interfaces there are.
var outward = map[string][]string{
	"net": {"Dial", "DialIP", "DialTCP", "DialTimeout", "DialUDP", "DialUnix", "Dialer",
		"FileConn", "FileListener", "FilePacketConn",
		"DefaultResolver", "InterfaceAddrs", "Interfaces",
		"Listen", "ListenConfig", "ListenIP", "ListenMulticastUDP", "ListenPacket", "ListenTCP",
		"ListenUDP", "ListenUnix", "ListenUnixgram",
		"LookupAddr", "LookupCNAME", "LookupHost", "LookupIP", "LookupMX", "LookupNS",
		"LookupPort", "LookupSRV", "LookupTXT", "ResolveIPAddr", "ResolveTCPAddr",
		"ResolveUDPAddr", "Resolver"},
	"net/http": {"Client", "DefaultClient", "DefaultTransport", "Get", "Head",
		"ListenAndServe", "ListenAndServeTLS", "Post", "PostForm", "ProxyFromEnvironment",
		"Transport"},
	"net/rpc":               {"Dial", "DialHTTP"},
	"crypto/tls":            {"Dial", "DialWithDialer", "Dialer", "Listen"},
	"syscall":               {"Bind", "Connect", "Listen", "Socket"},
	"golang.org/x/sys/unix": {"Bind", "BindToDevice", "Connect", "Listen", "Socket"},
}

// outwardFiles are the files outside swarm/egress that use names of outward, with what for.
var outwardFiles = map[string]string{
	"dht/bootstrap.go":                "DefaultResolver, for programs that give dht.Config no Resolve",
	"swarm/transport/socks/client.go": "net.Dialer, for programs that give Config no Dial",
	"swarm/transport/socks/relay.go":  "net.Dialer, for programs that give Config no DialUDP",
	"swarm/guard/client.go":           "http.Transport, which dials by egress",
}

// One room makes all sockets and looks up all names. A socket that another package made would
// leave by any interface, and past the proxy.
func TestOneWayOut(t *testing.T) {
	allowed := except(outwardFiles)
	for _, s := range sources(t, false) {
		if isTool(s.pkg()) || s.dir == "swarm/egress" {
			continue
		}
		for path, names := range outward {
			inspectCalls(s, path, names, func(sel *ast.SelectorExpr) {
				if !allowed.allow(s.path) {
					t.Errorf("%s: %s.%s: sockets and look-ups are for swarm/egress",
						position(sel), path, sel.Sel.Name)
				}
			})
		}
	}
	allowed.check(t)
}

// The command's sources of flags and the root package hand their Network on: without it, the
// DHT would look up names by the system's resolver.
func TestDHTLooksUpByEgress(t *testing.T) {
	for _, s := range sources(t, false) {
		if isTool(s.pkg()) || !slices.Contains(s.imports(), module+"/dht") {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			sel, ok := lit.Type.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Config" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); !ok || x.Name != "dht" {
				return true
			}
			for _, e := range lit.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Resolve" {
					return true
				}
			}
			t.Errorf("%s: a dht.Config without Resolve", position(lit))
			return true
		})
	}
}
