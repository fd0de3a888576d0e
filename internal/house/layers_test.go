package house

import (
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
	{"L1, nothing of the module", []string{"metainfo/bencode", "metainfo/lanes", "metainfo/weburl",
		"swarm/bits", "swarm/block", "swarm/endpoint", "swarm/limit", "swarm/simnet",
		"swarm/statefile",
		"swarm/transport/mse"}},
	{"L2", []string{"metainfo", "swarm/guard", "swarm/transport"}},
	{"L3", []string{"swarm/wire", "swarm/picker", "swarm/storage", "swarm/tracker", "swarm/lsd"}},
	{"L4", []string{"swarm/core", "swarm/peer", "swarm/webseed"}},
	{"L5", []string{"swarm", "swarm/sim", "dht"}},
	{"L6", []string{"", "cmd/node"}},
}

// tools are packages outside the product: it must not import them, they may
// import anything.
var tools = []string{"internal/", "bench/", "demo/"}

// thirdParty says which modules a product package may import besides the
// standard library, and why.
var thirdParty = map[string]map[string]string{
	"github.com/anacrolix/dht/v2": {
		"dht": "KRPC messages, node identifiers and BEP 42, BEP 44 helpers",
	},
	"github.com/anacrolix/torrent": {
		"dht": "the bencode type that appears in the KRPC messages",
	},
	"github.com/multiformats/go-multihash": {
		"metainfo": "urn:btmh info-hashes of magnet links",
	},
	"github.com/spf13/pflag": {
		"cmd/node": "GNU style flags",
	},
	"golang.org/x/sys": {
		"metainfo/lanes":  "what the processor can do",
		"swarm/lsd":       "multicast options of sockets",
		"swarm/storage":   "preadv, pwritev, fallocate",
		"swarm/transport": "socket options",
		"cmd/node":        "terminal and process",
	},
	"golang.org/x/term": {
		"cmd/node": "the width of the terminal for the progress line",
	},
	"golang.org/x/text": {
		"metainfo": "file names in other encodings than UTF-8",
	},
}

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
				if !thirdPartyAllowed(pkg, imported) {
					t.Errorf("%s imports %s: give %s a reason in thirdParty, or do without", s.path,
						imported, pkg)
				}
			case isTool(imported):
				t.Errorf("%s imports %s, which is for tests and tools", s.path, imported)
			case imported == module:
				// The root package holds embedded data: the commands use it.
				if from != len(layers)-1 {
					t.Errorf("%s imports the root package, which is for commands", s.path)
				}
			case layerOf(imported) >= from:
				t.Errorf("%s (%s) imports %s (%s): a package imports lower layers only",
					s.path, layers[from].name, imported, layers[max(0, layerOf(imported))].name)
			}
		}
	}
}

func thirdPartyAllowed(pkg, imported string) bool {
	for mod, users := range thirdParty {
		if imported == mod || strings.HasPrefix(imported, mod+"/") {
			_, ok := users[strings.TrimPrefix(pkg, module+"/")]
			return ok
		}
	}
	return false
}

// The packages that everything hangs on know neither sockets nor files nor
// goroutines' tools: what they decide depends on their arguments alone.
func TestPurePackages(t *testing.T) {
	pure := []string{"swarm/core", "swarm/picker"}
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
