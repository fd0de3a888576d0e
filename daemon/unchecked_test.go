package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
)

// Content that rests and was never hashed can be moved and renamed: it is hashed for that, and
// rests again. A stop in between holds up nothing.
func TestPlaceOfUncheckedContent(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, torrent *Torrent, to string) string{
		"moved": func(t *testing.T, torrent *Torrent, to string) string {
			if err := torrent.Move(t.Context(), to); err != nil {
				t.Fatal(err)
			}
			if err := torrent.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the move ends", func() bool { return torrent.State().Dir == to })
			return filepath.Join(to, "moved")
		},
		"renamed": func(t *testing.T, torrent *Torrent, to string) string {
			if err := torrent.Rename(t.Context(), "", "other"); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(torrent.Options().Dir, "other")
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
			from, torrent := makeTorrent(t, name, 300_000, metainfo.V1)
			got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Dir: from, Stopped: true}})
			path := act(t, got, t.TempDir())
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
			eventually(t, "it rests, whole", func() bool {
				s := got.State()
				return s.Status == Stopped && s.Have == s.Size
			})
		})
	}
}
