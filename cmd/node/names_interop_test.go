//go:build linux

package main_test

import (
	"context"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

// sameNames are odd names that libtorrent 2.0.8 and the node give the same files on
// Linux. libtorrent has other names for those that differ in case, with a backslash, with
// marks that reverse text, or of more than 240 bytes; the node has other names for those
// with DEL or control characters beyond ASCII.
var sameNames = []string{
	"What?.bin", "a:b", "con", "aux.txt", "dot.", "blank ", " lead", "\u00e9", "e\u0301", `"q"`,
	"*", "<", ">", "|",
	"tab\tx", "C:/x", "d?/in.", strings.Repeat("n", 236) + ".bin",
}

// TestLibtorrentSeedsOddNames: libtorrent seeds in place what the node has fetched, and
// the node seeds in place what libtorrent has fetched, whatever the names.
func TestLibtorrentSeedsOddNames(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts other clients")
	}
	binary, inside := nodeInNamespace(t, realclient.Libtorrent)
	if !inside {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), hintsTimeout)
	t.Cleanup(cancel)
	base := t.TempDir()
	for i, name := range sameNames {
		writeContent(t, filepath.Join(base, "made", "t?", name), 20_000+i)
	}
	file := filepath.Join(base, "t.torrent")
	create := exec.Command(binary, "create", "--v1", "--piece-length", "16K", "-o", file,
		filepath.Join(base, "made", "t?"))
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	number := byte(0)
	node := func(args ...string) (*nodeproc.Node, netip.AddrPort) {
		number++
		at := netip.AddrPortFrom(host(90, number), 7000)
		return (&interop{binary: binary}).startNode(t, at.Addr(), at.Port(), "add",
			append(args, "--no-dht", "--no-lsd", file)...), at
	}
	libtorrent := func() (*realclient.Client, netip.AddrPort) {
		number++
		at := netip.AddrPortFrom(host(90, number), 7000)
		return realclient.Start(t, realclient.Libtorrent,
			realclient.Options{IP: at.Addr(), Port: at.Port()}), at
	}
	fetched := func(dir string) {
		t.Helper()
		for _, name := range sameNames {
			sameContent(t, filepath.Join(base, "made", "t?", name),
				filepath.Join(dir, "t?", strings.ReplaceAll(name, "\t", "_")))
		}
	}

	first, at := node("--seed", "--dir", filepath.Join(base, "made"))
	if _, err := first.WaitEvent(ctx, "seeding"); err != nil {
		t.Fatal(err)
	}
	second, _ := node("--dir", filepath.Join(base, "fetched"), "--peer", at.String())
	waitNode(t, ctx, second)
	fetched(filepath.Join(base, "fetched"))

	// In the place of the node, and with nobody to fetch from.
	seed, at := libtorrent()
	if err := seed.Seed(ctx, file, filepath.Join(base, "fetched")); err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	// And the other way: the node seeds what libtorrent has fetched.
	leech, _ := libtorrent()
	if err := leech.Seed(ctx, file, filepath.Join(base, "theirs")); err != nil {
		t.Fatal(err)
	}
	if err := leech.Connect(ctx, at); err != nil {
		t.Fatal(err)
	}
	if err := leech.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	leech.Close() // so that all is written
	fetched(filepath.Join(base, "theirs"))
	third, _ := node("--seed", "--dir", filepath.Join(base, "theirs"))
	if _, err := third.WaitEvent(ctx, "complete"); err != nil { // it knows nobody to fetch from
		t.Fatal(err)
	}
}
