package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/dht"
	"swarmnode/metainfo"
	"swarmnode/swarm/storage"
)

// codeOf returns the exit code of an error, exitDone for none.
func codeOf(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	if err != nil {
		return exitOther
	}
	return exitDone
}

func TestParseSwarm(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	for _, s := range []string{hash, strings.ToUpper(hash), "magnet:?xt=urn:btih:" + hash,
		"MAGNET:?xt=urn:btih:" + hash + "&dn=name"} {
		h, err := parseSwarm(s)
		if err != nil || h.String() != hash {
			t.Errorf("%s: %v, %v", s, h, err)
		}
		id, err := parseTarget(s)
		if err != nil || id != dht.ID(h) {
			t.Errorf("%s as a target: %v, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "0123", hash + "0", "magnet:", "magnet:?dn=x",
		"http://a.example/",
		"magnet:?xt=urn:sha1:" + hash} {
		if _, err := parseSwarm(s); codeOf(err) != exitInput {
			t.Errorf("%q: %v, want exit code %d", s, err, exitInput)
		}
	}
}

func TestResolveAddr(t *testing.T) {
	for s, want := range map[string]string{"192.0.2.7:6881": "192.0.2.7:6881",
		"[2001:db8::1]:7": "[2001:db8::1]:7", "localhost:80": ":80"} {
		got, err := new(listenFlags).resolveAddr(t.Context(), s)
		if s == "localhost:80" { // of either family
			if err == nil && (!got.Addr().IsLoopback() || got.Port() != 80) {
				t.Errorf("%s: %v", s, got)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "a.example", "a.example:x", "[::1]", "192.0.2.7:70000"} {
		if _, err := new(listenFlags).resolveAddr(t.Context(), s); codeOf(err) != exitInput {
			t.Errorf("%q: %v, want exit code %d", s, err, exitInput)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(listenFlags).resolveAddr(ctx, "a.invalid:1"); codeOf(err) != exitNetwork {
		t.Errorf("a name without a look-up: %v, want exit code %d", err, exitNetwork)
	}
}

func TestSmallerInfo(t *testing.T) {
	for _, c := range []struct {
		err  metainfo.InfoSizeError
		want string
	}{
		{metainfo.InfoSizeError{}, "fewer files in each of several torrents"},
		{metainfo.InfoSizeError{OtherKind: true, Kind: metainfo.V2}, "--v2"},
		{metainfo.InfoSizeError{OtherKind: true, Kind: metainfo.V1, LargerPieces: true,
			PieceLength: 4 << 20}, "--v1 --piece-length 4M"},
		{metainfo.InfoSizeError{LargerPieces: true, PieceLength: 512 << 10}, "--piece-length 512K"},
	} {
		if got := smallerInfo(&c.err); got != c.want {
			t.Errorf("%+v: %q, want %q", c.err, got, c.want)
		}
	}
	for n, want := range map[int]string{16 << 10: "16K", 1 << 20: "1M", 32 << 20: "32M"} {
		got := formatPieceLength(n)
		var v pieceValue
		if err := v.Set(got); got != want || err != nil || int(v) != n {
			t.Errorf("%d: %q, which is read as %d, %v", n, got, v, err)
		}
	}
}

func TestContentFailure(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("read: input/output error"), exitDisk},
		{fmt.Errorf("a: %w", fs.ErrNotExist), exitMismatch},
		{fmt.Errorf("a: %w", storage.ErrConflict), exitInput},
		{fs.ErrPermission, exitDisk},
	} {
		if got := codeOf(contentFailure(c.err)); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestDefaultStateDir(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for base, want := range map[string]string{
		"": filepath.Join(home, ".local", "state", "swarmnode"),
		// The XDG specification has relative paths ignored.
		"state": filepath.Join(home, ".local", "state", "swarmnode"),
		home:    filepath.Join(home, "swarmnode"),
	} {
		t.Setenv("XDG_STATE_HOME", base)
		if got, err := defaultStateDir(); err != nil || got != want {
			t.Errorf("XDG_STATE_HOME=%q: %s, %v, want %s", base, got, err, want)
		}
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	if got, err := defaultStateDir(); err == nil {
		t.Errorf("without a home: %s", got)
	}
}

func TestHostsOf(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "192.0.2.7", "2001:db8::1"} {
		a := netip.MustParseAddr(s)
		if got := hostsOf(nil, a); len(got) != 1 || got[0] != a {
			t.Errorf("%s stands for %v", s, got)
		}
	}
	if got := hostsOf(nil, netip.MustParseAddr("fe80::1%eth0")); got[0].Zone() != "" {
		t.Errorf("an address in a URL has a zone: %v", got)
	}
	for _, s := range []string{"0.0.0.0", "::"} {
		bound := netip.MustParseAddr(s)
		got := hostsOf(nil, bound)
		if len(got) == 0 || len(got) > hostsMax {
			t.Errorf("%s stands for %v", s, got)
		}
		for _, a := range got {
			if a.IsUnspecified() || a.Is4() != bound.Is4() || a.IsLinkLocalUnicast() {
				t.Errorf("%s stands for %v", s, a)
			}
		}
	}
}

// TestLogGroups: groups qualify what the verbose log writes, and leave warnings alone.
func TestLogGroups(t *testing.T) {
	c, _, stderr := testConsole()
	h := &textHandler{c: c, text: slog.NewTextHandler(stderr, nil), level: slog.LevelWarn}
	log := slog.New(h).With("torrent", "abc").WithGroup("tracker")
	log.Warn("refused", "err", errors.New("no"))
	if got := stderr.String(); !strings.Contains(got, "refused torrent=abc: no") {
		t.Errorf("the warning is %q", got)
	}
}

func TestNodeLine(t *testing.T) {
	st := dht.Stats{QueriesIn: 5, Hashes: 2, Items: 3}
	st.Contacts[0], st.Contacts[1], st.Good[0], st.Good[1] = 10, 4, 7, 2
	got := nodeLine(st)
	for _, want := range []string{"14 nodes", "9 good", "5 queries", "2 hashes", "3 items"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %s", got, want)
		}
	}
}

// TestHashingTells: the note about a check that a signal ended says how far it was.
func TestHashingTells(t *testing.T) {
	c, _, stderr := testConsole()
	h := &hashing{}
	h.at(30, 120)
	h.tellStop(c)
	if got := stderr.String(); !strings.Contains(got, "25") || !strings.Contains(got, "%") {
		t.Errorf("got %q, want 25 %%", got)
	}
}

// TestSeedingHears: a command that seeds goes on until its last torrent failed.
func TestSeedingHears(t *testing.T) {
	x := &seeding{left: 2}
	if !x.hear(news{}) || x.left != 2 {
		t.Errorf("news that are no end count as a failure: %d left", x.left)
	}
}

// TestSimFiles: a picture that cannot be written is a failure of the disk, and one
// that is not wanted is none.
func TestSimFiles(t *testing.T) {
	var none *simFile
	none.remove()
	none.abandon()
	if err := none.done(); err != nil {
		t.Error(err)
	}
	if _, err := createSimFile(filepath.Join(t.TempDir(), "nowhere",
		"a.svg")); codeOf(err) != exitInput {
		t.Errorf("a folder that does not exist: %v", err)
	}
	path := filepath.Join(t.TempDir(), "a.svg")
	f, err := createSimFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "text")
	f.file.Close() // so that writing what is buffered fails
	if err := f.done(); codeOf(err) != exitDisk || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that cannot be written: %v", err)
	}
	f, err = createSimFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.remove()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a picture that was given up is there: %v", err)
	}
}
