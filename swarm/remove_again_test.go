package swarm

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// contentFor returns an engine, and the Spec of a torrent with content for it.
func contentFor(t *testing.T) (*Engine, Spec) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 40_000), 0o666); err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "a")})
	if err != nil {
		t.Fatal(err)
	}
	e, err := Listen(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, Spec{Torrent: torrent, Dir: dir, Complete: true}
}

// TestNobodyAddsWhatIsRemoved: while the data of a torrent is removed that had ended before,
// the torrent cannot be added, since its data would go.
func TestNobodyAddsWhatIsRemoved(t *testing.T) {
	e, spec := contentFor(t)
	hash := spec.Torrent.Info().Hash()
	gone, err := e.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	if e.Torrent(hash) != nil {
		t.Fatal("a torrent that has ended is still there")
	}
	if err := gone.files.changing.take(t.Context()); err != nil { // its files are removed now
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- gone.Remove(t.Context(), true) }()
	late := time.After(10 * time.Second)
	for e.Torrent(hash) == nil {
		select {
		case <-late:
			t.Fatal("the torrent is not there while it is removed")
		case <-time.After(time.Millisecond):
		}
	}
	if _, err := e.Add(spec); !errors.Is(err, ErrExists) {
		t.Errorf("added while it is removed: %v", err)
	}
	gone.files.changing.give()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	again, err := e.Add(spec)
	if err != nil {
		t.Fatal("it cannot be added afterwards:", err)
	}
	if err := gone.Remove(t.Context(), true); err != nil {
		t.Errorf("removed once more: %v", err)
	}
	again.Close()
}
