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
	"daemon/client/client.go":         "http.Client and http.Transport, which dial by dial.go",
	"daemon/client/dial.go":           "a Unix socket, which is a file of this machine",
	"daemon/control/socket.go":        "a Unix socket, which is a file of this machine",
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

// throughEgress are the configurations by which packages are told how to reach others, with
// the fields that say so. Left out, the system decides, and whatever the user wants of the
// network is ignored.
var throughEgress = map[string]string{
	"dht.Config": "Resolve", "guard.Config": "Net", "lsd.Config": "Net",
	"portmap.Config": "Net", "relay.Config": "Net", "relay.ServerConfig": "Net",
	"socks.Config": "Dial", "swarm.Config": "Net",
	"tracker.ClientConfig": "Net", "transport.TCP": "Net",
}

// The product tells every package how to reach others.
func TestNetworkIsHandedOn(t *testing.T) {
	for _, s := range sources(t, false) {
		if isTool(s.pkg()) || s.dir == "examples/embed" {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			sel, ok := lit.Type.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + sel.Sel.Name
			if field := throughEgress[name]; field != "" && !names(lit, field) {
				t.Errorf("%s: a %s without %s", position(lit), name, field)
			}
			return true
		})
	}
}

// names reports whether a literal of a struct names a field.
func names(lit *ast.CompositeLit, field string) bool {
	return slices.ContainsFunc(lit.Elts, func(e ast.Expr) bool {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := kv.Key.(*ast.Ident)
		return ok && key.Name == field
	})
}
