//go:build unix

package swarm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/statefile"
)

// A file that somebody else put in the place of a record of peers is neither followed
// nor waited for, and the next record takes its place.
func TestPeerCacheReplaced(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("victim"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink(victim, path) },
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"long": func(path string) error {
			return os.WriteFile(path, make([]byte, peerCacheBytesMax+1), 0o600)
		},
	} {
		path := filepath.Join(dir, name+peerCacheSuffix)
		if err := errors.Join(plant(path), plant(path+statefile.TemporarySuffix)); err != nil {
			t.Fatal(err)
		}
		c := peerCache{path: path, hash: metainfo.Hash{1}}
		if got, err := c.load(cacheNow); err == nil {
			t.Errorf("%s: loaded %v", name, got)
		}
		want := cachedPeers(3)
		if err := c.save(want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := c.load(cacheNow); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: then %v, %v", name, got, err)
		}
	}
	if doc, err := os.ReadFile(victim); err != nil || string(doc) != "victim" {
		t.Errorf("what a link leads to: %q, %v", doc, err)
	}
	c := peerCache{path: dir}
	if _, err := c.load(cacheNow); !errors.Is(err, statefile.ErrSpecial) {
		t.Errorf("a folder: %v", err)
	}
}
