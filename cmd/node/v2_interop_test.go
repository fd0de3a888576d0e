//go:build linux

package main_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

// v2InteropTimeout bounds TestV2Interop: libtorrent tries uTP and encryption first, which
// takes some seconds for each connection.
const v2InteropTimeout = 6 * time.Minute

// makeByLibtorrent makes a torrent with libtorrent; flags are 1<<5 for v2 alone and 1<<9
// for a hybrid without padding behind the last file. It prints the info-hashes.
const makeByLibtorrent = `
import libtorrent as lt, os, sys
path, out, flags = sys.argv[1], sys.argv[2], int(sys.argv[3])
fs = lt.file_storage()
lt.add_files(fs, path)
ct = lt.create_torrent(fs, 32768, flags=flags)
lt.set_piece_hashes(ct, os.path.dirname(path))
with open(out, "wb") as f:
    f.write(lt.bencode(ct.generate()))
h = lt.torrent_info(out).info_hashes()
print(h.v1 if h.has_v1() else "-", h.v2)
`

// TestV2Interop exchanges v2 and hybrid torrents with libtorrent in both
// directions by magnet link: the metadata and the piece layers come over the
// wire (BEP 52).
func TestV2Interop(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	binary, inside := nodeInNamespace(t, realclient.Libtorrent)
	if !inside {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), v2InteropTimeout)
	t.Cleanup(cancel)
	for i, tt := range []struct{ name, flags, create string }{
		{"v2", "32", "--v2"},
		{"hybrid", "0", "--hybrid"},
		{"hybrid without tail padding", "512", "--hybrid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v2Exchange(t, ctx, binary, byte(40+i), tt.flags, tt.create)
		})
	}
}

func v2Exchange(t *testing.T, ctx context.Context, binary string, group byte, flags,
	create string) {
	dir := t.TempDir()
	content := filepath.Join(dir, "content")
	writeContent(t, filepath.Join(content, "first.bin"), 3<<20+77)
	writeContent(t, filepath.Join(content, "folder", "second.bin"), 1<<20+40_000)
	writeContent(t, filepath.Join(content, "folder", "piece.bin"), 20_000)
	writeContent(t, filepath.Join(content, "folder", "small"), 5)
	for name, twin := range map[string]string{"first.bin": "second.copy",
		"folder/small": "small.copy"} {
		// files of equal content have one hash tree
		b, err := os.ReadFile(filepath.Join(content, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(content, twin), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "content.torrent")
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-c", makeByLibtorrent, content, file,
		flags)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("libtorrent makes no torrent: %v", err)
	}
	v1, v2, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	magnets := map[string]string{"btmh alone": "magnet:?xt=urn:btmh:1220" + v2}
	if v1 != "-" {
		magnets["btih alone"] = "magnet:?xt=urn:btih:" + v1
		magnets["both topics"] = magnets["btih alone"] + "&xt=urn:btmh:1220" + v2
	}
	ip := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, group, 0, n}) }
	run := func(t *testing.T, n byte, command string, args ...string) *nodeproc.Node {
		t.Helper()
		all := append([]string{command, "--verbose", "--no-dht", "--listen",
			netip.AddrPortFrom(ip(n), 0).String()}, args...)
		p, err := nodeproc.Start(binary, t.TempDir(), all...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			p.Stop()
			if t.Failed() {
				t.Logf("node %s:\n%s", command, p.Log())
			}
		})
		return p
	}
	seed := realclient.Start(t, realclient.Libtorrent, realclient.Options{IP: ip(1)})
	if err := seed.Seed(ctx, file, dir); err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	ours := run(t, 2, "seed", create, "--piece-length", "32K", content)
	e, err := ours.WaitEvent(ctx, "seeding")
	if err != nil {
		t.Fatal(err)
	}
	if flags != "512" && e.Torrent != v1 && !strings.HasPrefix(v2, e.Torrent) {
		t.Errorf("node names the torrent %s, libtorrent %s and %s", e.Torrent, v1, v2)
	}
	if flags == "512" && e.Torrent == v1 {
		t.Error("libtorrent made padding behind the last file all the same")
	}
	addr, err := ours.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := byte(10)
	for name, magnet := range magnets {
		n++
		t.Run("node fetches by "+name, func(t *testing.T) {
			got := t.TempDir()
			waitNode(t, ctx, run(t, n, "add", "--dir", got, "--peer", seed.Addr.String(), magnet))
			sameContent(t, content, filepath.Join(got, "content"))
		})
		t.Run("node fetches a part by "+name, func(t *testing.T) {
			fetchPart(t, ctx, file, func(args ...string) *nodeproc.Node {
				return run(t, n+80, "add", append(args, "--peer", seed.Addr.String())...)
			}, magnet, content)
		})
		t.Run("metainfo by "+name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "fetched.torrent")
			waitNode(t, ctx, run(t, n+40, "metainfo", "-o", out, "--peer", seed.Addr.String(),
				magnet))
			loadByLibtorrent(t, ctx, out, file, dir)
		})
		if flags == "512" {
			continue // our own has the other habit, so another hash
		}
		t.Run("libtorrent fetches by "+name, func(t *testing.T) {
			got := t.TempDir()
			settings := realclient.Libtorrent.WritesFirst()
			maps.Copy(settings, map[string]any{"enable_outgoing_utp": false, "out_enc_policy": 2})
			client := realclient.Start(t, realclient.Libtorrent,
				realclient.Options{IP: ip(n + 100), Settings: settings})
			if err := client.Add(ctx, magnet, got); err != nil {
				t.Fatal(err)
			}
			if err := client.Connect(ctx, addr); err != nil {
				t.Fatal(err)
			}
			if err := client.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			sameContent(t, content, filepath.Join(got, "content"))
		})
	}
}

// fetchPart makes a node fetch some of the files by --files, and others by the "so" of
// the link (BEP 53), which counts padding as well.
func fetchPart(t *testing.T, ctx context.Context, file string, add func(...string) *nodeproc.Node,
	magnet, content string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.ParseTorrent(raw)
	if err != nil {
		t.Fatal(err)
	}
	l := torrent.Info().Layout()
	index := slices.IndexFunc(l.Files, func(f metainfo.File) bool {
		return slices.Equal(f.Path, []string{"second.copy"})
	})
	for _, c := range []struct {
		args  []string
		names []string
	}{
		{[]string{"--files", "content/folder/piece.bin", "--files", "*.copy", magnet},
			[]string{"folder/piece.bin", "second.copy", "small.copy"}},
		{[]string{fmt.Sprintf("%s&so=%d", magnet, index)}, []string{"second.copy"}},
	} {
		got := t.TempDir()
		waitNode(t, ctx, add(append([]string{"--dir", got}, c.args...)...))
		var names []string
		err := filepath.WalkDir(filepath.Join(got, "content"),
			func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				name, err := filepath.Rel(filepath.Join(got, "content"), path)
				names = append(names, filepath.ToSlash(name))
				sameContent(t, filepath.Join(content, name), path)
				return err
			})
		if err != nil || !slices.Equal(names, c.names) {
			t.Errorf("%v: fetched %v (%v), want %v", c.args, names, err, c.names)
		}
	}
}

// loadTorrents makes libtorrent load two .torrent files and check the content in a folder
// with the first, which fails if that lacks the piece layers.
const loadTorrents = `
import libtorrent as lt, sys, time
a, b, folder = sys.argv[1:]
mine, theirs = lt.torrent_info(a), lt.torrent_info(b)
assert mine.info_hashes() == theirs.info_hashes(), "other info-hashes"
layers = [lt.bdecode(open(f, "rb").read()).get(b"piece layers", {}) for f in (a, b)]
assert layers[0] == layers[1], "other piece layers"
s = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False})
h = s.add_torrent({"ti": mine, "save_path": folder, "flags": lt.torrent_flags.upload_mode})
for _ in range(300):
    st = h.status()
    assert st.errc.value() == 0, st.errc.message()
    if st.progress == 1 and st.state == lt.torrent_status.seeding:
        sys.exit(0)
    time.sleep(0.1)
sys.exit("not a seed: %s %f" % (st.state, st.progress))
`

// loadByLibtorrent fails unless libtorrent accepts the .torrent file got in place of
// want, and finds the content in dir whole.
func loadByLibtorrent(t *testing.T, ctx context.Context, got, want, dir string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, "/usr/bin/python3", "-c", loadTorrents, got, want,
		dir).CombinedOutput()
	if err != nil {
		t.Errorf("libtorrent: %v\n%s", err, out)
	}
}
