package swarm_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/storage"
)

// Verify tells files apart that are right, missing, too short, too long, damaged, and found
// under another name.
func TestVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"damaged", "long", "missing", "right", "short", "zeros"}
	for i, name := range names {
		write(name, bytes.Repeat([]byte{byte(i)}, 40<<10))
	}
	write("zeros", make([]byte, 200<<10))
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: dir,
		Kind: metainfo.V2, PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	write("damaged", bytes.Repeat([]byte{9}, 40<<10))
	write("long", bytes.Repeat([]byte{1}, 41<<10))
	write("short", bytes.Repeat([]byte{4}, 20<<10))
	if err := os.Remove(filepath.Join(dir, "missing")); err != nil {
		t.Fatal(err)
	}
	var done, total int64
	got, err := swarm.Verify(t.Context(), filepath.Dir(dir), torrent.Info(),
		func(now, all int64) { done, total = now, all })
	if err != nil || len(got) != len(names) {
		t.Fatal(got, err)
	}
	want := []swarm.Verdict{swarm.FileDamaged, swarm.FileLong, swarm.FileMissing,
		swarm.FileRight, swarm.FileShort, swarm.FileRight}
	l := torrent.Info().Layout()
	for i, f := range got {
		if f.File != i || f.Verdict != want[i] || f.Found != "" {
			t.Errorf("%s: %+v, want %v", l.FilePath(i), f, want[i])
		}
		if (f.Right == f.Pieces) != (f.Verdict == swarm.FileRight || f.Verdict == swarm.FileLong) {
			t.Errorf("%s: %d of %d pieces are right", l.FilePath(i), f.Right, f.Pieces)
		}
	}
	if total != l.Size() || done != total {
		t.Errorf("progress ends at %d of %d, want %d", done, total, l.Size())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := swarm.Verify(ctx, filepath.Dir(dir), torrent.Info(), nil); !errors.Is(err,
		context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestHasContent(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"whole", "begun.part"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"whole": true, "begun": true, "other": false} {
		if got := swarm.HasContent(dir, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCauseOf(t *testing.T) {
	disk := func(err error) error { return &storage.Error{Op: "write", Path: "x", Err: err} }
	for _, tt := range []struct {
		err  error
		want swarm.Cause
	}{
		{nil, swarm.CauseOther}, {errors.New("x"), swarm.CauseOther},
		{swarm.ErrExists, swarm.CauseExists}, {disk(storage.ErrInUse), swarm.CauseExists},
		{disk(storage.ErrLonger), swarm.CauseInTheWay}, {swarm.ErrMemory, swarm.CauseMemory},
		{disk(syscall.ENOSPC), swarm.CauseFull}, {disk(syscall.EACCES), swarm.CauseDenied},
		{&fs.PathError{Err: syscall.EROFS}, swarm.CauseDenied},
		{disk(fs.ErrNotExist), swarm.CauseMissing}, {disk(syscall.EIO), swarm.CauseDisk},
		{storage.ErrConflict, swarm.CauseConflict},
		{disk(&storage.ReserveError{Least: 1}), swarm.CauseReserve},
	} {
		if got := swarm.CauseOf(tt.err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}

// What an engine has written of a torrent can be read.
func TestRecord(t *testing.T) {
	dir, torrent := makeContent(t, 300<<10)
	out := t.TempDir()
	e, err := swarm.Listen(swarm.Config{Listen: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:0")}, StateDir: out})
	if err != nil {
		t.Fatal(err)
	}
	added := add(t, e, swarm.Spec{Torrent: torrent, Dir: dir})
	waitDone(t, added)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, path := range paths {
		if !swarm.IsRecord(path) {
			continue
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := swarm.ParseRecord(doc)
		if err != nil {
			t.Fatal(err)
		}
		read++
		pieces := torrent.Info().Layout().Pieces()
		if r.Hash != torrent.Info().Hash() || r.Pieces != pieces || r.Have != pieces || !r.Closed ||
			len(r.Files) != 2 || !r.Files[0].Exists || r.Files[0].Size+r.Files[1].Size != 300<<10 ||
			r.Files[0].Changed.IsZero() {
			t.Errorf("the record is %+v", r)
		}
		for first, last := range r.Missing() {
			t.Errorf("pieces %d to %d are missing", first, last)
		}
		if _, err := swarm.ParseRecord(doc[:len(doc)-1]); err == nil {
			t.Error("a torn record was taken")
		}
	}
	if read != 1 {
		t.Errorf("%d records among %v", read, paths)
	}
}

// A link leads neither to services of its reader's machine nor to their trackers.
func TestLinks(t *testing.T) {
	for addr, want := range map[string]bool{"192.0.2.1:6881": true, "127.0.0.1:22": false,
		"[fe80::1]:6881": false, "127.0.0.1:6881": true} {
		if got := swarm.LinkMayName(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	for _, url := range []string{"http://192.0.2.1/announce", "udp://192.0.2.1:6969"} {
		if err := swarm.CheckLinkTracker(t.Context(), nil, url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	err := swarm.CheckLinkTracker(t.Context(), nil, "http://user:secret@127.0.0.1:22/x?key=secret")
	unasked, ok := errors.AsType[*swarm.LinkTrackerError](err)
	if !ok || unasked.Tracker != "http://127.0.0.1:22" {
		t.Errorf("a service of this machine: %v", err)
	}
	if err := swarm.CheckLinkTracker(t.Context(), nil, "ftp://x"); err == nil {
		t.Error("an ftp server was taken for a tracker")
	}
}
