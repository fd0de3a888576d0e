//go:build linux

package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	// interopTimeout bounds the whole of TestInterop. Transmission needs up to
	// 200 s for a magnet link, whoever seeds; everything runs at once.
	interopTimeout = 15 * time.Minute
	// interopBinary hands the path of the built command over to the inside of
	// the namespace.
	interopBinary = "SWARM_TEST_NODE"
	// interopDHTNodes is the size of the private DHT, besides those of the
	// seeds and downloaders.
	interopDHTNodes = 8
)

// buildFlags are those of the command under test.
var buildFlags []string

// interop is a private network: addresses, a DHT of "node bootstrap" alone, and
// the command under test.
type interop struct {
	binary string
	nodes  []netip.AddrPort // of the DHT; the first is the bootstrap node of the others
}

// TestInterop puts the command beside the clients that people already run, in a
// private network where a DHT of "node bootstrap" is the only way to find
// anyone: magnet links carry nothing but the info-hash, and all local discovery
// is off. Each client fetches what "node seed" seeds, "node add" fetches what
// each of them seeds, also when only encrypted connections are taken, and a mixed
// swarm completes.
func TestInterop(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: Transmission finds nobody for the first one or two")
	}
	if !realclient.Inside() {
		missing := 0
		for _, kind := range realclient.Kinds() {
			if err := realclient.Installed(kind); err != nil {
				t.Log(err)
				missing++
			}
		}
		if missing == len(realclient.Kinds()) {
			realclient.Require(t, realclient.Libtorrent, realclient.Transmission, realclient.Aria2)
		}
	}
	binary, inside := nodeInNamespace(t)
	if !inside {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), interopTimeout)
	t.Cleanup(cancel)
	n := &interop{binary: binary}
	n.startDHT(t, ctx)
	for i, kind := range realclient.Kinds() {
		t.Run(fmt.Sprintf("%s fetches from node", kind), func(t *testing.T) {
			t.Parallel()
			n.clientFetches(t, ctx, kind, byte(10+i))
		})
		t.Run(fmt.Sprintf("node fetches from %s", kind), func(t *testing.T) {
			t.Parallel()
			n.nodeFetches(t, ctx, kind, byte(20+i))
		})
	}
	n.encrypted(t, ctx)
	t.Run("mixed swarm", func(t *testing.T) {
		t.Parallel()
		n.mixedSwarm(t, ctx, 30)
	})
	for i, s := range swarms {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.test(n, t, ctx, byte(1+i))
		})
	}
}

// buildNode compiles the command.
func buildNode(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node")
	args := slices.Concat([]string{"build"}, buildFlags, []string{"-o", path, "."})
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// host returns the address of a host of the private network. Each group has a second byte
// of its own, so no two hosts share an address.
func host(group, number byte) netip.Addr { return netip.AddrFrom4([4]byte{10, group, number, 1}) }

// startNode runs the command until the test ends, and shows its log when the test fails.
func (n *interop) startNode(t *testing.T, ip netip.Addr, port uint16, command string,
	args ...string) *nodeproc.Node {
	t.Helper()
	all := []string{command, "--listen", netip.AddrPortFrom(ip, port).String(), "--verbose",
		"--bootstrap"}
	if len(n.nodes) > 0 {
		all = append(all, n.nodes[0].String())
	} else {
		all = append(all, "none")
	}
	p, err := nodeproc.Start(n.binary, t.TempDir(), append(all, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("node %s on %v:\n%s", command, ip, p.Log())
		}
	})
	return p
}

// startDHT starts the bootstrap node and some more. The first has the port on
// which qBittorrent looks for one.
func (n *interop) startDHT(t *testing.T, ctx context.Context) {
	t.Helper()
	for i := range byte(interopDHTNodes) {
		port := uint16(0)
		if i == 0 {
			port = 6881
		}
		addr, err := n.startNode(t, host(1, i+1), port, "bootstrap").Addr(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n.nodes = append(n.nodes, addr)
	}
}

// nodeInNamespace builds the command and runs the test once more in a network namespace;
// inside reports whether this is that run. Outside, the clients must be installed.
func nodeInNamespace(t *testing.T, clients ...realclient.Kind) (binary string, inside bool) {
	t.Helper()
	if !realclient.Inside() {
		realclient.Require(t, clients...)
	}
	if binary = os.Getenv(interopBinary); binary == "" {
		binary = buildNode(t)
	}
	return binary, realclient.InNamespace(t, interopBinary+"="+binary)
}

// startClient starts another client, which joins the DHT through "node bootstrap". It
// gets several nodes, as from the public DHT: Transmission does not trust a DHT in which
// it has met fewer than four nodes, and it meets one every 5 to 25 s, or every 2 s if it
// remembers them.
func (n *interop) startClient(t *testing.T, kind realclient.Kind,
	ip netip.Addr) *realclient.Client {
	t.Helper()
	opts := realclient.Options{IP: ip, Bootstrap: n.nodes, Remembered: n.nodes}
	if kind == realclient.Transmission {
		// It tries uTP first, which the node does not speak yet, and needs 20 to
		// 200 s to give that up; more than the time that there is here.
		opts.Settings = map[string]any{"utp-enabled": false}
	}
	return realclient.Start(t, kind, opts)
}

// startSeed starts "node seed" and returns the magnet link with the info-hash
// alone.
func (n *interop) startSeed(t *testing.T, ctx context.Context, ip netip.Addr, path string) string {
	t.Helper()
	seed := n.startNode(t, ip, 0, "seed", "--no-lsd", path)
	e, err := seed.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	return "magnet:?xt=urn:btih:" + e.Torrent
}

// waitNode waits until "node add" has ended successfully.
func waitNode(t *testing.T, ctx context.Context, add *nodeproc.Node) {
	t.Helper()
	e, err := add.WaitEvent(ctx, "exit")
	if err != nil {
		t.Fatal(err)
	}
	if e.Code != 0 {
		t.Fatalf("node add: exit code %d, %s", e.Code, e.Reason)
	}
	if err := add.Wait(); err != nil {
		t.Fatalf("node add: %v", err)
	}
}

func (n *interop) clientFetches(t *testing.T, ctx context.Context, kind realclient.Kind,
	group byte) {
	content := filepath.Join(t.TempDir(), "content")
	writeContent(t, filepath.Join(content, "first.bin"), 3<<20+77)
	writeContent(t, filepath.Join(content, "folder", "second.bin"), 1<<20)
	writeContent(t, filepath.Join(content, "folder", "small"), 5)
	magnet := n.startSeed(t, ctx, host(group, 2), content)
	out := t.TempDir()
	start := time.Now()
	if err := n.fetch(t, ctx, kind, host(group, 1), magnet, out); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s fetched from node in %.1f s", kind, time.Since(start).Seconds())
	sameContent(t, content, filepath.Join(out, "content"))
}

// fetch makes a client fetch a magnet link into out. A client that crashes is started
// again, as its user would do.
func (n *interop) fetch(t *testing.T, ctx context.Context, kind realclient.Kind, ip netip.Addr,
	magnet, out string) error {
	t.Helper()
	const crashesMax = 3
	for crashes := 0; ; crashes++ {
		client := n.startClient(t, kind, ip)
		err := client.Add(ctx, magnet, out)
		if err == nil {
			err = client.Wait(ctx)
		}
		if !errors.Is(err, realclient.ErrCrashed) || crashes == crashesMax {
			return err
		}
		t.Logf("%v; once more", err)
	}
}

// clientSeeds makes a client seed a new file, and returns the file and the magnet link.
func clientSeeds(t *testing.T, ctx context.Context, client *realclient.Client,
	size int) (content, magnet string) {
	t.Helper()
	dir := t.TempDir()
	content = filepath.Join(dir, "content.bin")
	writeContent(t, content, size)
	torrent, err := realclient.MakeTorrent(content, 64<<10, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Seed(ctx, torrent.File, dir); err != nil {
		t.Fatal(err)
	}
	if err := client.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return content, torrent.Magnet
}

func (n *interop) nodeFetches(t *testing.T, ctx context.Context, kind realclient.Kind, group byte) {
	client := n.startClient(t, kind, host(group, 1))
	content, magnet := clientSeeds(t, ctx, client, 4<<20+77)
	out := t.TempDir()
	start := time.Now()
	waitNode(t, ctx, n.startNode(t, host(group, 2), 0, "add", "--no-lsd", "--dir", out, magnet))
	t.Logf("node fetched from %s in %.1f s", kind, time.Since(start).Seconds())
	sameContent(t, content, filepath.Join(out, "content.bin"))
}

// mixedSwarm runs one "node seed" and one downloader of each kind; another "node add"
// stands in for each of the last two that is not installed.
func (n *interop) mixedSwarm(t *testing.T, ctx context.Context, group byte) {
	realclient.Require(t, realclient.Libtorrent, realclient.Transmission, realclient.Aria2)
	content := filepath.Join(t.TempDir(), "content.bin")
	writeContent(t, content, 8<<20+77)
	magnet := n.startSeed(t, ctx, host(group, 1), content)
	download := func(name string, wait func(out string)) {
		out := t.TempDir() // kept while any of the swarm runs, since all of them seed
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			wait(out)
			t.Logf("%s completed in %.1f s", name, time.Since(start).Seconds())
			sameContent(t, content, filepath.Join(out, "content.bin"))
		})
	}
	download("node", func(out string) {
		waitNode(t, ctx, n.startNode(t, host(group, 2), 0, "add", "--no-lsd", "--dir", out, magnet))
	})
	for i, kind := range realclient.Kinds() {
		ip := host(group, byte(10+i))
		if realclient.Installed(kind) != nil {
			download(fmt.Sprintf("node instead of %s", kind), func(out string) {
				waitNode(t, ctx, n.startNode(t, ip, 0, "add", "--no-lsd", "--dir", out, magnet))
			})
			continue
		}
		download(string(kind), func(out string) {
			if err := n.fetch(t, ctx, kind, ip, magnet, out); err != nil {
				t.Error(err)
			}
		})
	}
}

// writeContent writes size random bytes to path, different ones for each path, so that no
// two tests share a torrent.
func writeContent(t *testing.T, path string, size int) {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(path))).Read(content) // it does not fail
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// sameContent compares a file or all files of a folder with what was fetched.
func sameContent(t *testing.T, want, got string) {
	t.Helper()
	err := filepath.WalkDir(want, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(want, path)
		if err != nil {
			return err
		}
		a, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(got, rel))
		if err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from what was seeded", filepath.Join(got, rel))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
