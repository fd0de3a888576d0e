//go:build linux

package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

// acceptTimeout bounds TestClientsTakeTorrents.
const acceptTimeout = 8 * time.Minute

// A taking is one torrent for the clients: as a .torrent file beside its content, and as
// a magnet link.
type taking struct {
	name   string
	hybrid bool
	group  byte // of addresses, see host
	dir    string
	file   string
	magnet string
	hash   string
}

// TestClientsTakeTorrents records what the clients that people run do with torrents of
// the node and with hybrids of libtorrent: given the file and the content, given the file
// alone, and given a magnet link. The other side is the node. All of them take v1.
// Transmission 3.00 parses neither the file of a hybrid nor the metadata, although it
// finds the hash right, and aria2 1.36 computes another info-hash. That is why "node
// seed", whose link is for every client, makes v1 by default.
func TestClientsTakeTorrents(t *testing.T) {
	if testing.Short() {
		t.Skip("starts dozens of clients")
	}
	t.Parallel()
	binary, inside := nodeInNamespace(t, realclient.Libtorrent)
	if !inside {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), acceptTimeout)
	t.Cleanup(cancel)
	for i, tt := range []struct{ name, create, flags string }{
		{"v1", "--v1", ""},
		{"hybrid", "--hybrid", ""},
		{"hybrid of libtorrent without tail padding", "", "512"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := taking{name: tt.name, hybrid: tt.create != "--v1", group: byte(60 + i),
				dir: t.TempDir()}
			k.make(t, ctx, binary, tt.create, tt.flags)
			k.seed(t, ctx, binary)
			for n, kind := range realclient.Kinds() {
				t.Run(string(kind), func(t *testing.T) {
					t.Parallel()
					k.give(t, ctx, kind, byte(10+10*n))
				})
			}
		})
	}
}

// make writes the content and makes the torrent: with the node, or with libtorrent if
// create is empty.
func (k *taking) make(t *testing.T, ctx context.Context, binary, create, flags string) {
	t.Helper()
	content := filepath.Join(k.dir, "content")
	writeContent(t, filepath.Join(content, "first.bin"), 3<<20+77)
	writeContent(t, filepath.Join(content, "folder", "second.bin"), 1<<20+40_000)
	writeContent(t, filepath.Join(content, "folder", "small"), 5)
	k.file = filepath.Join(k.dir, "content.torrent")
	cmd := exec.CommandContext(ctx, binary, "create", create, "--piece-length", "32K", "-o", k.file,
		content)
	if create == "" {
		cmd = exec.CommandContext(ctx, "/usr/bin/python3", "-c", makeByLibtorrent, content, k.file,
			flags)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// seed seeds the torrent with the node, and names the node to a tracker, which is the
// only way to tell all clients of it.
func (k *taking) seed(t *testing.T, ctx context.Context, binary string) {
	t.Helper()
	at := netip.AddrPortFrom(host(k.group, 1), 6881) // the namespace is ours alone
	n, err := nodeproc.Start(binary, t.TempDir(), "add", "--seed", "--verbose", "--no-dht",
		"--no-lsd",
		"--listen", at.String(), "--dir", k.dir, k.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("the node:\n%s", n.Log())
		}
	})
	if _, err := n.WaitEvent(ctx, "seeding"); err != nil {
		t.Fatal(err)
	}
	tracker, err := realclient.NewTracker(host(k.group, 2), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tracker.Close)
	raw, err := os.ReadFile(k.file)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.ParseTorrent(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := torrent.Info().Kind() == metainfo.Hybrid; got != k.hybrid {
		t.Fatalf("hybrid: %v, want %v", got, k.hybrid)
	}
	torrent.Trackers = [][]string{{tracker.URL}}
	if err := os.WriteFile(k.file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	h, _ := torrent.Info().HashV1()
	k.hash = h.String()
	k.magnet = "magnet:?xt=urn:btih:" + k.hash + "&tr=" + tracker.URL
}

// give gives the torrent to a client in the three ways.
func (k *taking) give(t *testing.T, ctx context.Context, kind realclient.Kind, number byte) {
	for i, way := range []string{"file and content", "file", "magnet"} {
		if !k.hybrid && (way == "magnet" || way == "file" && kind == realclient.Transmission) {
			continue // TestInterop has that, and Transmission takes its time
		}
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			opts := realclient.Options{IP: host(k.group, number+byte(i)),
				Settings: kind.WritesFirst()}
			if kind == realclient.Transmission {
				opts.Settings = map[string]any{"utp-enabled": false}
			}
			client := realclient.Start(t, kind, opts)
			out := t.TempDir()
			var err error
			switch way {
			case "file and content":
				if err := os.CopyFS(filepath.Join(out, "content"),
					os.DirFS(filepath.Join(k.dir, "content"))); err != nil {
					t.Fatal(err)
				}
				err = client.Seed(ctx, k.file, out)
			case "file":
				err = client.Seed(ctx, k.file, out)
			default:
				err = client.Add(ctx, k.magnet, out)
			}
			switch {
			case k.hybrid && kind == realclient.Transmission:
				k.notParsed(t, ctx, client, way, err)
			case err != nil:
				t.Fatal(err)
			case k.hybrid && kind == realclient.Aria2:
				k.otherHash(t, ctx, client)
			default:
				if err := client.Wait(ctx); err != nil {
					t.Fatal(err)
				}
				sameContent(t, filepath.Join(k.dir, "content"), filepath.Join(out, "content"))
			}
		})
	}
}

// notParsed checks that Transmission refuses a hybrid: the file at once, the
// metadata after having found that its hash is right.
func (k *taking) notParsed(t *testing.T, ctx context.Context, client *realclient.Client, way string,
	err error) {
	t.Helper()
	if way != "magnet" {
		if err == nil || !strings.Contains(err.Error(), "invalid or corrupt torrent file") {
			t.Errorf("given the %s: %v, want that it is no torrent to it", way, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, func() error {
		if !strings.Contains(client.TailLog(), "checksum passed 1, metainfo parsed 0") {
			return errors.New("it does not say that the metadata is right and cannot be parsed")
		}
		return nil
	})
}

// otherHash checks that aria2 computes another info-hash, so that nobody knows the
// torrent that it asks for. With a magnet link, it fetches the metadata and then asks for
// the wrong info-hash.
func (k *taking) otherHash(t *testing.T, ctx context.Context, client *realclient.Client) {
	t.Helper()
	waitFor(t, ctx, func() error {
		p, err := client.Progress(ctx)
		switch {
		case err != nil:
			return err
		// of a magnet link, that of the metadata first
		case p.Total == 0 || p.Hash == "" || p.Hash == k.hash:
			return fmt.Errorf("its info-hash is %q, want another than %s: %v", p.Hash, k.hash, p)
		}
		return nil
	})
}

// waitFor repeats until there is no error.
func waitFor(t *testing.T, ctx context.Context, ask func() error) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

// TestForeignTorrents seeds and fetches torrents that other programs made.
func TestForeignTorrents(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	t.Parallel()
	binary := buildNode(t)
	dir := t.TempDir()
	content := filepath.Join(dir, "content")
	writeContent(t, filepath.Join(content, "first.bin"), 1<<20+77)
	writeContent(t, filepath.Join(content, "folder", "second.bin"), 40_000)
	writeContent(t, filepath.Join(content, "folder", "small"), 5)
	for i, tt := range []struct {
		name string
		tool string
		args []string // in which FILE is the one to write
	}{
		{"mktorrent", "mktorrent", []string{"-l", "16", "-a", "http://127.0.0.1:1/a", "-o", "FILE",
			content}},
		{"transmission-create", "transmission-create", []string{"-s", "64", "-o", "FILE", content}},
		{"libtorrent v1", "/usr/bin/python3", []string{"-c", makeByLibtorrent, content, "FILE",
			"64"}},
		{"libtorrent v2", "/usr/bin/python3", []string{"-c", makeByLibtorrent, content, "FILE",
			"32"}},
		{"libtorrent hybrid", "/usr/bin/python3", []string{"-c", makeByLibtorrent, content, "FILE",
			"0"}},
		{"libtorrent hybrid without tail padding", "/usr/bin/python3",
			[]string{"-c", makeByLibtorrent, content, "FILE", "512"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(tt.name, "libtorrent") {
				realclient.Require(t, realclient.Libtorrent)
			} else if _, err := exec.LookPath(tt.tool); err != nil {
				if os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
					t.Fatal(tt.tool, "is not installed, but required:", err)
				}
				t.Skip(tt.tool, "is not installed:", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), acceptTimeout)
			defer cancel()
			file := filepath.Join(t.TempDir(), "foreign.torrent")
			args := make([]string, len(tt.args))
			for i, a := range tt.args {
				args[i] = strings.ReplaceAll(a, "FILE", file)
			}
			for _, cmd := range []*exec.Cmd{
				exec.CommandContext(ctx, tt.tool, args...),
				exec.CommandContext(ctx, binary, "verify", file, dir),
			} {
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
				}
			}
			listen := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 48, byte(i), 1}), 0).String()
			common := []string{"--no-dht", "--no-lsd", "--no-trackers", "--ephemeral", "--listen",
				listen}
			seed, err := nodeproc.Start(binary, t.TempDir(),
				append([]string{"add", "--seed", "--dir", dir, file}, common...)...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(seed.Stop)
			addr, err := seed.Addr(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := seed.WaitEvent(ctx, "seeding"); err != nil {
				t.Fatal(err)
			}
			got := t.TempDir()
			add, err := nodeproc.Start(binary, t.TempDir(),
				append([]string{"add", "--dir", got, "--peer", addr.String(), file}, common...)...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(add.Stop)
			waitNode(t, ctx, add)
			sameContent(t, content, filepath.Join(got, "content"))
			if left, err := filepath.Glob(filepath.Join(got, "content", ".pad*")); err != nil ||
				len(left) > 0 {
				t.Errorf("padding was written: %v, %v", left, err)
			}
		})
	}
}
