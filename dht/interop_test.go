package dht

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// pythonPath is the system's Python, which has Debian's libtorrent module.
const pythonPath = "/usr/bin/python3"

// missing skips a test for lack of a client, or fails it where the clients are
// required.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("SWARM_REQUIRE_CLIENTS") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// libtorrents is a process with libtorrent sessions.
type libtorrents struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

func startLibtorrents(t testing.TB) *libtorrents {
	t.Helper()
	if exec.Command(pythonPath, "-c", "import libtorrent").Run() != nil {
		missing(t, "python3-libtorrent is not installed")
	}
	cmd := exec.Command(pythonPath, filepath.Join("testdata", "libtorrent_dht.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		stopped := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		stopped.Stop()
	})
	return &libtorrents{t, in, bufio.NewReader(out)}
}

// ltAnswer holds the fields of all answers of the script.
type ltAnswer struct {
	Error   string
	Session int
	Port    uint16
	Nodes   int
	Peers   []string
	First   *float64
	Done    *float64
	Asked   int
	Target  string
	Stored  int
	Value   string
	Seq     int64
	Samples []string
	Num     int
}

func (l *libtorrents) do(what string, args map[string]any) (a ltAnswer) {
	l.t.Helper()
	if args == nil {
		args = make(map[string]any)
	}
	args["do"] = what
	line, _ := json.Marshal(args)
	if _, err := l.in.Write(append(line, '\n')); err != nil {
		l.t.Fatal(err)
	}
	answer, err := l.out.ReadBytes('\n')
	if err != nil {
		l.t.Fatalf("%s: the libtorrent process: %v", what, err)
	}
	if err := json.Unmarshal(answer, &a); err != nil || a.Error != "" {
		l.t.Fatalf("%s: %v %s", what, err, a.Error)
	}
	return a
}

// add starts a session and waits until it knows a few nodes.
func (l *libtorrents) add(host string, bootstrap netip.AddrPort) (session int,
	addr netip.AddrPort) {
	l.t.Helper()
	a := l.do("start", map[string]any{"listen": host + ":0", "bootstrap": bootstrap.String()})
	waitFor(l.t, func() bool {
		return l.do("nodes", map[string]any{"session": a.Session}).Nodes >= 3
	})
	return a.Session, netip.AddrPortFrom(netip.MustParseAddr(host), a.Port)
}

// interopNetwork starts a network of our nodes, each on an address of its own.
func interopNetwork(t testing.TB, prefix string, size int) (nodes []*Node, addrs []netip.AddrPort) {
	t.Helper()
	for i := range size {
		cfg := Config{}
		if i > 0 {
			cfg.Bootstrap = []string{addrs[0].String()}
		}
		n, addr := startNodeOn(t, listen(t, fmt.Sprintf("%s.%d.1", prefix, i+1)), cfg)
		nodes, addrs = append(nodes, n), append(addrs, addr)
	}
	for _, n := range nodes {
		waitFor(t, func() bool { return n.Stats().Good[v4] >= min(k, size-1) })
	}
	return nodes, addrs
}

func interopContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestLibtorrent runs libtorrent in a network of our nodes. It joins, and both sides
// find each other's peers, items of both kinds, and samples.
func TestLibtorrent(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	ctx := interopContext(t)
	lt := startLibtorrents(t)
	ours, addrs := interopNetwork(t, "127.71", 12)
	session, theirs := lt.add("127.71.101.1", addrs[0])
	node := ours[5]

	t.Run("ping", func(t *testing.T) {
		pong, err := node.Ping(ctx, theirs)
		if err != nil || pong.External != addrs[5] || !strings.HasPrefix(pong.Version, "LT") {
			t.Errorf("%+v, %v", pong, err)
		}
	})
	t.Run("peers of theirs", func(t *testing.T) {
		ih := metainfo.Hash{0x71, 1}
		lt.do("announce", map[string]any{"session": session, "hash": ih.String()})
		want := theirs
		for p := range node.Peers(ctx, ih, 9999, false) {
			if p == want {
				return
			}
		}
		t.Error("not found")
	})
	t.Run("peers of ours", func(t *testing.T) {
		ih := metainfo.Hash{0x71, 2}
		if l, err := node.Announce(ctx, ih, 5678, true, nil); err != nil || l.Stored < k/2 {
			t.Fatalf("stored by %d, %v", l.Stored, err)
		}
		a := lt.do("get_peers", map[string]any{"session": session, "hash": ih.String(),
			"seconds": 20})
		if want := fmt.Sprintf("%s:5678", addrs[5].Addr()); !slices.Contains(a.Peers, want) {
			t.Errorf("libtorrent found %v, want %s", a.Peers, want)
		}
	})
	t.Run("immutable of theirs", func(t *testing.T) {
		a := lt.do("put_immutable", map[string]any{"session": session,
			"value": hex.EncodeToString([]byte("from libtorrent"))})
		id, ok := ParseID(a.Target)
		if !ok || a.Stored == 0 {
			t.Fatalf("target %q, stored by %d", a.Target, a.Stored)
		}
		item, _, err := node.GetImmutable(ctx, id)
		if err != nil || string(item.Value) != "15:from libtorrent" {
			t.Errorf("%q, %v", item.Value, err)
		}
	})
	t.Run("immutable of ours", func(t *testing.T) {
		id, l, err := node.PutImmutable(ctx, []byte("9:from ours"))
		if err != nil || l.Stored < k/2 {
			t.Fatalf("stored by %d, %v", l.Stored, err)
		}
		a := lt.do("get_immutable", map[string]any{"session": session, "target": id.String()})
		if b, _ := hex.DecodeString(a.Value); string(b) != "from ours" {
			t.Errorf("libtorrent has %q", b)
		}
	})
	t.Run("mutable of theirs", func(t *testing.T) {
		seed := bytes.Repeat([]byte{0x42}, 32)
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		put := map[string]any{"session": session, "seed": hex.EncodeToString(seed),
			"public": hex.EncodeToString(public),
			"value":  hex.EncodeToString([]byte("version one")),
			"salt":   hex.EncodeToString([]byte("pepper"))}
		if a := lt.do("put_mutable", put); a.Stored == 0 {
			t.Fatal("not stored")
		}
		item, _, err := node.GetMutable(ctx, public, []byte("pepper"))
		if err != nil || string(item.Value) != "11:version one" {
			t.Fatalf("%q, %v", item.Value, err)
		}
		// We store the next version of the item that they stored first.
		next, l, err := node.PutMutable(ctx, ed25519.NewKeyFromSeed(seed), []byte("pepper"),
			func(old Item) []byte {
				return []byte("11:version two")
			})
		if err != nil || next.Seq != item.Seq+1 || l.Stored < k/2 {
			t.Fatalf("seq %d, stored by %d, %v", next.Seq, l.Stored, err)
		}
		a := lt.do("get_mutable", map[string]any{"session": session,
			"public": hex.EncodeToString(public), "salt": hex.EncodeToString([]byte("pepper"))})
		if b, _ := hex.DecodeString(a.Value); string(b) != "version two" || a.Seq != next.Seq {
			t.Errorf("libtorrent has %q, seq %d", b, a.Seq)
		}
	})
	t.Run("samples of theirs", func(t *testing.T) {
		// Our own announces make libtorrent store something.
		for i := range 5 {
			if _, err := ours[i].Announce(ctx, metainfo.Hash{0x71, 3, byte(i)}, 1000, false,
				nil); err != nil {
				t.Fatal(err)
			}
		}
		s, err := node.Sample(ctx, theirs, ID{0x71})
		if err != nil || len(s.Nodes) == 0 {
			t.Errorf("%+v, %v", s, err)
		}
		t.Logf("libtorrent gave %d of %d info-hashes and %d nodes", len(s.Hashes), s.Num,
			len(s.Nodes))
	})
	t.Run("samples of ours", func(t *testing.T) {
		for i, n := range ours {
			if n.Stats().Hashes == 0 {
				continue
			}
			a := lt.do("sample", map[string]any{"session": session,
				"host": addrs[i].Addr().String(), "port": int(addrs[i].Port()),
				"target": ID{0x71}.String()})
			if len(a.Samples) == 0 || a.Num != n.Stats().Hashes {
				t.Errorf("libtorrent got %d of %d samples, we have %d", len(a.Samples), a.Num,
					n.Stats().Hashes)
			}
			return
		}
		t.Error("none of ours stores anything")
	})
}

// TestInLibtorrentNetwork runs a node of ours among libtorrent nodes.
func TestInLibtorrentNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	ctx := interopContext(t)
	lt := startLibtorrents(t)
	router, first := startNodeOn(t, listen(t, "127.72.1.1"), Config{Router: true})
	const size = 8
	var sessions [size]int
	for i := range size {
		a := lt.do("start", map[string]any{"listen": fmt.Sprintf("127.72.%d.1:0", 100+i),
			"bootstrap": first.String()})
		sessions[i] = a.Session
	}
	waitFor(t, func() bool { return router.Stats().Good[v4] >= size })
	node, addr := startNodeOn(t, listen(t, "127.72.2.1"),
		Config{Bootstrap: []string{first.String()}})
	waitFor(t, func() bool { return node.Stats().Good[v4] >= size })

	ih := metainfo.Hash{0x72, 1}
	l, err := node.Announce(ctx, ih, 5678, false, nil)
	if err != nil || l.Stored < size-1 {
		t.Fatalf("stored by %d, %v", l.Stored, err)
	}
	a := lt.do("get_peers", map[string]any{"session": sessions[3], "hash": ih.String(),
		"seconds": 20})
	if want := fmt.Sprintf("%s:5678", addr.Addr()); !slices.Contains(a.Peers, want) {
		t.Errorf("libtorrent found %v, want %s", a.Peers, want)
	}
	seeds, peers, _, err := node.Scrape(ctx, ih)
	if err != nil || seeds+peers < 0.5 || seeds+peers > 1.5 {
		t.Errorf("scrape: %.1f seeds, %.1f others, %v; want one in all", seeds, peers, err)
	}
	var some Sample
	for _, c := range node.Table() {
		if c.Addr != first {
			if some, err = node.Sample(ctx, c.Addr, ID(ih)); err == nil && len(some.Hashes) > 0 {
				break
			}
		}
	}
	if !slices.Contains(some.Hashes, ID(ih)) {
		t.Errorf("samples %v, %v; want %v among them", some.Hashes, err, ih)
	}
	value := []byte("5:hello")
	id, l, err := node.PutImmutable(ctx, value)
	if err != nil || l.Stored < size-1 {
		t.Fatalf("item stored by %d, %v", l.Stored, err)
	}
	if a := lt.do("get_immutable", map[string]any{"session": sessions[5],
		"target": id.String()}); a.Value != hex.EncodeToString(value[2:]) {
		t.Errorf("libtorrent has %q", a.Value)
	}
}
