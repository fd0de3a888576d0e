package house

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	functionLinesMax = 80
	fileLinesMax     = 500
	columnsMax       = 100 // a tab counts as four
	literalColumns   = 60  // a string so long may make its line longer
)

// inspect calls f for each call of a selector such as time.Now in a file. Names
// are those of the import, so that a renamed import is still seen.
func inspectCalls(s *source, importPath string, names []string, f func(call *ast.SelectorExpr)) {
	local := ""
	for _, spec := range s.ast.Imports {
		if strings.Trim(spec.Path.Value, `"`) != importPath {
			continue
		}
		local = importPath[strings.LastIndexByte(importPath, '/')+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local &&
			slices.Contains(names, sel.Sel.Name) {
			f(sel)
		}
		return true
	})
}

// The core, the policies below it and the simulator are told what time it is.
func TestNoClockInPurePackages(t *testing.T) {
	clocks := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker",
		"Tick", "Sleep"}
	timeless := []string{"swarm/core", "swarm/picker", "swarm/choke", "swarm/book", "swarm/hashes",
		"swarm/metadata", "swarm/sim", "daemon/queue"}
	for _, s := range sources(t, false) {
		if !slices.Contains(timeless, s.dir) {
			continue
		}
		inspectCalls(s, "time", clocks, func(sel *ast.SelectorExpr) {
			t.Errorf("%s: time.%s: time is an argument here", position(sel), sel.Sel.Name)
		})
	}
}

// goroutines are the files that start goroutines, with what these are. Whoever
// starts one waits for it.
var goroutines = map[string]string{
	"bench/ceiling/subscribe.go": "a reader of the feed, waited for by its stop",
	"bench/create/limit.go":      "hashes on all cores, waited for in the same function",
	"bench/discovery/post.go":    "the listener of a post and its connections, until close",
	"bench/discovery/sources.go": "a search and a tracker, waited for at the end of a " +
		"measurement",
	"bench/daemon/ask.go":     "front ends that poll, waited for in the same function",
	"bench/daemon/content.go": "adders of torrents, waited for in the same function",
	"bench/web/main.go": "adders of torrents, and the changes while the page is measured, both " +
		"waited for",
	"bench/publicdht/network.go":   "look-ups, waited for in the same function",
	"bench/transfer/contenders.go": "samples the memory of a process until the transfer ends",
	"bench/transfer/limit.go": "hashes and writes beside the receiving, waited for at " +
		"its end",
	"internal/lightpeer/lightpeer.go": "one connection, until Close",
	"internal/realclient/tracker.go":  "serves announces until Close",
	"daemon/daemon.go":                "the saver, the follower of the engine, the hands, until Close",
	"daemon/follow.go":                "the end of a torrent that has failed, waited for by Close",
	"daemon/folders.go": "movers of complete content, the watch of folders and the retry of " +
		"moves, until Close",
	"daemon/records_load.go": "readers and writers of records, waited for in the same function",
	"daemon/steer_place.go":  "a move of content, waited for by Close",
	"swarm/lsd/link.go": "one reader per interface and family, until it goes or " +
		"the service is closed",
	"swarm/lsd/lsd.go":       "the loop of the service, until Close",
	"swarm/storage/check.go": "checking workers, waited for in the same function",
	"swarm/tracker/announcer.go": "one ladder per tier of trackers, until Close, and the " +
		"farewells that Close waits for",
	"swarm/tracker/groups.go": "replaces groups and tells trackers that are left, waited for " +
		"by Close",
	"swarm/tracker/tier.go": "one request per address family, waited for in the same " +
		"function",
	"swarm/tracker/server.go": "the tracker's listeners and its sweep, waited for by Serve",
	"swarm/tracker/udp.go": "one reader per UDP tracker in use, until a minute after " +
		"its last use or Close",
	"swarm/webseed/conn.go": "fetchers of one web seed, waited for by Run",
	"cmd/node/autostart.go": "waits for the end of a daemon that was started, which outlives the " +
		"command",
	"cmd/node/top.go": "reads keys, which ends with the process; follows the feed and sends " +
		"requests, waited for by the view",
	"cmd/node/blocklist.go": "reads blocklists again at SIGHUP, until the command ends",
	"cmd/node/bootstrap.go": "saves the table from time to time until the command ends",
	"cmd/node/cat_output.go": "writes to standard output, abandoned after a signal: whoever " +
		"reads may pause for ever",
	"cmd/node/daemon.go": "says what happens to torrents, until the daemon stops",
	"cmd/node/daemonpassword.go": "reads a password, abandoned after a signal: nothing else ends " +
		"the reading",
	"cmd/node/debug.go":   "writes dumps when a signal asks for it, until the command ends",
	"cmd/node/metrics.go": "serves metrics, waited for by the end of the command",
	"cmd/node/hashing.go": "shows how far a check has come, until it is stopped",
	"hosts.go": "look-ups of bootstrap hosts, abandoned when their context " +
		"ends: the resolver takes no other no",
	"blocklist.go": "asks servers for newer blocklists, until the node is closed",
	"device.go":    "watches the interface of a network, until the node closes",
	"dht.go":       "saves the DHT nodes from time to time, until the DHT node is stopped",
	"cmd/node/signals.go": "waits for signals while a command runs; writes the last " +
		"words of a process that dies",
	"cmd/node/supervisor.go": "asks the daemon for the watchdog of the service manager, until " +
		"it is stopped",
	"cmd/node/watch.go":   "follows a torrent until the command ends",
	"cmd/node/tracker.go": "the tracker's ports and metrics, waited for by the command",
	"cmd/node/tracker_ports.go": "one tracker port each, waited for before others take its " +
		"place",
	"swarm/webseeds.go": "one connection to each web seed, waited for by the " +
		"torrent loop",
	"daemon/stream/handler.go": "looks at viewers, until Close",
	"daemon/tally/tally.go":    "reads the feed of a daemon, until Close",
	"daemon/control/server.go": "one listener each, until Close",
	"daemon/hook/runner.go":    "workers that run commands, until Close",
	"daemon/hook/execute.go":   "waits for a command, waited for by the runner's Close",
	"dht/bootstrap.go":         "look-ups of host names, waited for in the same function",
	"dht/node.go": "the node's loop, its socket reader and its resolver, " +
		"until Close",
	"internal/capped/capped.go": "waits for one member of a swarm, waited for in the same " +
		"function",
	"bench/lab/events.go":           "the event, waited for at the end of its measurement",
	"bench/moves/main.go":           "the event, waited for at the end of its measurement",
	"internal/lab/flows.go":         "the ends of a flow and a sender of pings, waited for",
	"internal/lab/forwarder.go":     "moves the packets of modelled links, until the lab is closed",
	"internal/lab/modelled.go":      "makes sockets in a host's namespace, waited for",
	"internal/lab/tracker.go":       "serves announces until Close",
	"internal/nodeproc/nodeproc.go": "reads the events of the command, until it is stopped",
	"internal/proc/proc.go":         "waits for the child on the thread that started it",
	"metainfo/hashing.go":           "hashing workers, waited for in the same function",
	"metainfo/info.go":              "the info-hashes, waited for by whoever starts them",
	"metainfo/parts.go":             "parts of one task, waited for in the same function",
	"swarm/egress/dial.go":          "attempts to connect to one host, waited for in the same function",
	"swarm/egress/lookup.go":        "look-ups in both families, waited for in the same function",
	"swarm/engine.go": "watches the addresses of the machine and the memory, and polls the " +
		"DHT, until the engine closes",
	"swarm/accept.go":     "the accept loop, and one handshake per connection with a deadline",
	"swarm/discovery.go":  "one per source of peers and torrent, until its round ends",
	"swarm/dial_race.go":  "one for each way to a peer, waited for by the race",
	"swarm/loop.go":       "dials and connections, waited for by the torrent loop",
	"swarm/peercache.go":  "the file of known peers, read and written, waited for by the torrent loop",
	"swarm/totals.go":     "the writing of a record, waited for by the torrent loop",
	"swarm/torrent.go":    "the torrent loop, until the torrent is closed",
	"swarm/content.go":    "the opening of storage, and its repair, waited for by the torrent loop",
	"swarm/recheck.go":    "hashes all content again, waited for by the torrent loop",
	"swarm/files_wish.go": "a choice of files that came early, waited for by the torrent loop",
	"swarm/evict.go":      "waits for the place of a connection, waited for by the torrent loop",
	"swarm/sourceless.go": "looks at files without a source, waited for by the torrent loop",
	"swarm/peer/conn.go":  "the writer of a connection, waited for by its reader",
	"swarm/ports.go": "waits for the last uTP connection of a port that was given up, waited " +
		"for by the engine",
	"swarm/relayed_keeper.go": "asks servers for allocations, searches for servers, and looks " +
		"after each allocation, waited for by the keeper, which the engine waits for",
	"swarm/transport/utp/alarms.go": "wakes connections at their deadlines, waited for by the " +
		"socket's Close",
	"swarm/transport/udpmux/mux.go":   "the reader of a UDP socket, waited for by Close",
	"swarm/uploads.go":                "readers of blocks for peers, until the engine closes",
	"swarm/transport/relay/client.go": "keeps an allocation, until Close",
	"swarm/transport/relay/leg.go": "the reader of a leg, and the writer of one over TCP, " +
		"waited for by Close",
	"swarm/transport/relay/relayed.go": "sends what waits for the rate of an allocation, until " +
		"its socket is closed",
	"swarm/transport/relay/server.go": "ends allocations whose time is over, until Close",
	"swarm/transport/socks/packetconn.go": "asks a proxy for one relay after the other, " +
		"until Close",
	"swarm/transport/socks/relay.go": "watches the control connection of a relay, until " +
		"it ends",
	"swarm/transport/socks/watch.go":      "follows whether a proxy can be used, until Close",
	"relays.go":                           "asks relays for credentials, waited for in the same function",
	"relayserver.go":                      "follows whether a relay is public, and announces it, until Close",
	"proxy.go":                            "says what becomes of the proxy, until the node closes",
	"internal/socksserver/socksserver.go": "accepts clients and serves them, until Stop",

	"swarm/portmap/mapper.go": "the loop of the mapper, until Close",
	"swarm/portmap/path.go": "readers of sockets and requests to a router, waited for by the " +
		"mapper's loop",
	"swarm/storage/workers.go": "workers that write and hash, until the engine closes",
}

func TestGoroutinesAreOwned(t *testing.T) {
	allowed := except(goroutines)
	for _, s := range sources(t, false) {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			// sync.WaitGroup.Go and errgroup's start goroutines as well.
			switch n := n.(type) {
			case *ast.GoStmt:
				if !allowed.allow(s.path) {
					t.Errorf("%s: a go statement in a file that owns no goroutines", position(n))
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if ok && sel.Sel.Name == "Go" && len(n.Args) == 1 && !allowed.allow(s.path) {
					t.Errorf("%s: a goroutine started in a file that owns none", position(n))
				}
			}
			return true
		})
	}
	allowed.check(t)
}

// A choice between two values is an if: a function in its place evaluates both, and its
// arguments do not say which one is for yes.
func TestNoHomeMadeTernary(t *testing.T) {
	for _, s := range sources(t, true) {
		for _, decl := range s.ast.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && isTernary(f) {
				t.Errorf("%s: %s is a home-made ternary: write an if", position(f), f.Name.Name)
			}
		}
	}
}

// isTernary reports whether a function takes a bool and two values of a type of its own,
// and returns one of that type.
func isTernary(f *ast.FuncDecl) bool {
	if f.Type.TypeParams == nil || f.Type.Results.NumFields() != 1 {
		return false
	}
	var params []string
	for _, field := range f.Type.Params.List {
		typ, ok := field.Type.(*ast.Ident)
		if !ok {
			return false
		}
		for range max(1, len(field.Names)) {
			params = append(params, typ.Name)
		}
	}
	result, ok := f.Type.Results.List[0].Type.(*ast.Ident)
	return ok && len(params) == 3 && params[0] == "bool" && params[1] == params[2] &&
		result.Name == params[2]
}

func TestFunctionsAreShort(t *testing.T) {
	long := except(map[string]string{})
	for _, s := range sources(t, false) {
		for _, decl := range s.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1
			if lines > functionLinesMax && !long.allow(s.path+" "+f.Name.Name) {
				t.Errorf("%s: %s has %d lines, want at most %d", position(f), f.Name.Name, lines,
					functionLinesMax)
			}
		}
	}
	long.check(t)
}

func TestFilesAreShort(t *testing.T) {
	long := except(map[string]string{})
	for _, s := range sources(t, false) {
		lines := bytes.Count(s.text, []byte("\n"))
		if lines > fileLinesMax && !long.allow(s.path) {
			t.Errorf("%s has %d lines, want at most %d", s.path, lines, fileLinesMax)
		}
	}
	long.check(t)
}

// Lines fit side by side on a screen. A line may be longer for a long string
// literal, such as a packet or a command, which would be harder to read cut.
func TestLinesAreShort(t *testing.T) {
	for _, s := range sources(t, true) {
		long := literalLines(s)
		for i, line := range strings.Split(string(s.text), "\n") {
			indent := len(line) - len(strings.TrimLeft(line, "\t"))
			columns := utf8.RuneCountInString(line) + 3*indent
			if columns > columnsMax && !long[i+1] {
				t.Errorf("%s:%d has %d columns, want at most %d", s.path, i+1, columns, columnsMax)
			}
		}
	}
}

// literalLines returns the lines with a string literal that is long, or that
// goes over several lines.
func literalLines(s *source) map[int]bool {
	lines := make(map[int]bool)
	ast.Inspect(s.ast, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		first, last := fset.Position(lit.Pos()).Line, fset.Position(lit.End()).Line
		if first != last || len(lit.Value) >= literalColumns {
			for line := first; line <= last; line++ {
				lines[line] = true
			}
		}
		return true
	})
	return lines
}

func TestFormatted(t *testing.T) {
	for _, s := range sources(t, true) {
		formatted, err := format.Source(s.text)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if !bytes.Equal(formatted, s.text) {
			t.Errorf("%s is not formatted: run gofmt", s.path)
		}
	}
}

// Sleeping in a test is a flake in waiting, except in the virtual time of a
// synctest bubble, where it is exact. A test that sleeps does so inside the
// function that it hands to synctest.Test; a helper or a fake may sleep where
// the tests of its package use bubbles.
func TestNoSleepInTests(t *testing.T) {
	bubbles := make(map[string]bool) // by package
	for _, s := range sources(t, true) {
		if slices.Contains(s.imports(), "testing/synctest") {
			bubbles[s.dir] = true
		}
	}
	for _, s := range sources(t, true) {
		if !s.test {
			continue
		}
		inspectCalls(s, "time", []string{"Sleep"}, func(sel *ast.SelectorExpr) {
			if !bubbles[s.dir] || !inBubble(s, sel) {
				t.Errorf("%s: time.Sleep outside a synctest bubble", position(sel))
			}
		})
	}
}

// inBubble reports whether a node is inside an argument of synctest.Test, or in a
// function that is no test itself.
func inBubble(s *source, node ast.Node) bool {
	var inside, helper bool
	for _, decl := range s.ast.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || node.Pos() < f.Pos() || node.End() > f.End() {
			continue
		}
		helper = !strings.HasPrefix(f.Name.Name, "Test") &&
			!strings.HasPrefix(f.Name.Name, "Fuzz") && !strings.HasPrefix(f.Name.Name, "Benchmark")
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Test" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "synctest" &&
				call.Pos() <= node.Pos() && node.End() <= call.End() {
				inside = true
			}
			return true
		})
	}
	return inside || helper
}

// Unfinished work is not left behind in the code.
func TestNothingUnfinished(t *testing.T) {
	// Put together here, so that this file does not find itself.
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}
	for _, s := range sources(t, true) {
		for _, group := range s.ast.Comments {
			for _, comment := range group.List {
				for _, mark := range marks {
					if strings.Contains(comment.Text, mark) {
						t.Errorf("%s: a comment says %s", position(comment), mark)
					}
				}
			}
		}
	}
}
