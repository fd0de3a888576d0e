package house

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// layers is the import order: a package imports packages of lower layers only,
// never one of its own. Test files may import what they like.
var layers = []struct {
	name     string
	packages []string
}{
	{"L1, nothing of the module", []string{"conffile", "daemon/queue", "metainfo/bencode",
		"metainfo/lanes", "metainfo/weburl", "swarm/bits", "swarm/block", "swarm/blocklist",
		"swarm/egress", "swarm/endpoint", "swarm/feed",
		"swarm/limit", "swarm/simnet",
		"swarm/statefile",
		"swarm/transport/mse", "swarm/transport/socks", "swarm/transport/udpmux",
		"daemon/confine", "daemon/hook"}},
	{"L2", []string{"daemon/watch", "metainfo", "swarm/guard", "swarm/portmap", "swarm/transport",
		"swarm/transport/relay", "swarm/transport/utp"}},
	{"L3", []string{"swarm/wire", "swarm/picker", "swarm/choke", "swarm/book",
		"swarm/hashes", "swarm/metadata", "swarm/stream", "swarm/storage", "swarm/tracker",
		"swarm/lsd", "swarm/reach"}},
	{"L4", []string{"swarm/core", "swarm/peer", "swarm/webseed"}},
	{"L5", []string{"swarm", "swarm/sim", "dht"}},
	{"L6, the face", []string{"", "daemon/stuck"}},
	{"L7", []string{"daemon", "examples/embed"}},
	{"L8", []string{"daemon/control", "daemon/tally"}},
	{"L9", []string{"daemon/api", "daemon/metrics", "daemon/stream", "daemon/transmission",
		"daemon/web"}},
	{"L10", []string{"daemon/client"}},
	{"L11, the command", []string{"cmd/node"}},
}

// tools are packages outside the product: it must not import them, they may
// import anything.
var tools = []string{"internal/", "bench/", "demo/"}

func isTool(pkg string) bool {
	return slices.ContainsFunc(tools, func(prefix string) bool {
		return strings.HasPrefix(pkg+"/", module+"/"+prefix)
	})
}

// layerOf returns the layer of a package of the module, -1 for one unknown.
func layerOf(pkg string) int {
	name := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
	for i, layer := range layers {
		if slices.Contains(layer.packages, name) {
			return i
		}
	}
	return -1
}

func inModule(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// standard reports whether a path is of the standard library: those have no dot
// in their first element.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && !inModule(path)
}

func TestImportsGoDownward(t *testing.T) {
	for _, s := range sources(t, false) {
		pkg := s.pkg()
		if isTool(pkg) {
			continue
		}
		from := layerOf(pkg)
		if from < 0 {
			t.Errorf("%s: package %s has no layer: give it one in layers", s.path, pkg)
			continue
		}
		for _, imported := range s.imports() {
			switch {
			case standard(imported):
			case !inModule(imported):
				// TestDependenciesAreDocumented looks at these.
			case isTool(imported):
				t.Errorf("%s imports %s, which is for tests and tools", s.path, imported)
			case imported == module:
				// The root package is the face of the library: the commands use it.
				if from <= layerOf(module) {
					t.Errorf("%s imports the root package, which is for programs", s.path)
				}
			case layerOf(imported) >= from:
				t.Errorf("%s (%s) imports %s (%s): a package imports lower layers only",
					s.path, layers[from].name, imported, layers[max(0, layerOf(imported))].name)
			}
		}
	}
}

// What the command uses of the library is what any program has: the face, and the packages
// of torrents, of the DHT, of peers, of the daemon and of configuration files. A command that
// is a program of its own has a room of its own, which only the files of its name enter.
func TestCommandHasAFace(t *testing.T) {
	own := map[string]string{"swarm/sim": "sim", "swarm/tracker": "tracker"}
	public := []string{"", "swarm", "dht", "metainfo", "daemon", "conffile"}
	for _, s := range sources(t, false) {
		if s.dir != "cmd/node" {
			continue
		}
		for _, imported := range s.imports() {
			if !inModule(imported) {
				continue
			}
			name := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			command := own[name]
			if slices.Contains(public, name) || strings.HasPrefix(name, "metainfo/") ||
				strings.HasPrefix(name, "daemon/") ||
				command != "" && strings.HasPrefix(path.Base(s.path), command) {
				continue
			}
			t.Errorf("%s imports %s: a command uses the root package, swarm, dht, metainfo, daemon and "+
				"conffile. What it needs of an inner room belongs there, for every program", s.path, imported)
		}
	}
}

// The packages that everything hangs on know neither sockets nor files nor
// goroutines' tools: what they decide depends on their arguments alone.
func TestPurePackages(t *testing.T) {
	pure := []string{"swarm/core", "swarm/picker", "swarm/choke", "swarm/book",
		"swarm/hashes", "swarm/metadata", "swarm/stream", "swarm/reach", "daemon/queue"}
	forbidden := []string{"net", "os", "io/fs", "sync", "sync/atomic", "log", "log/slog", "context",
		"crypto/rand", "path/filepath", "runtime"}
	for _, s := range sources(t, false) {
		if !slices.Contains(pure, s.dir) {
			continue
		}
		for _, imported := range s.imports() {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%s imports %s: %s is pure", s.path, imported, s.dir)
			}
		}
	}
}
