package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// TestFilesAtRest: the files of a torrent that rests and has all or nothing are known without the
// engine, and are the same as with it; those of other torrents need it.
func TestFilesAtRest(t *testing.T) {
	for _, tt := range []struct {
		what    string
		content int // bytes that are there, of 100,000
		opens   bool
	}{{"all", 100_000, false}, {"nothing", 0, false}, {"a part", 50_000, true},
		{"a new name", 100_000, true}} {
		_, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
		dir, state := t.TempDir(), t.TempDir()
		content := contentOf(100_000, byte(len("content")))[:tt.content]
		if tt.content > 0 {
			content = append(content, make([]byte, 100_000-tt.content)...)
			if err := os.WriteFile(filepath.Join(dir, "content"), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d := startDaemon(t, testConfig(state, dir, nil))
		got := add(t, d, AddSpec{Torrent: torrent,
			Options: Options{Files: []swarm.Priority{swarm.Highest}}})
		awaitFilesOf(t, got)
		if tt.what == "a new name" {
			got.mu.Lock()
			got.rec.Renamed = true
			got.edited(0)
			got.mu.Unlock()
		}
		want, err := got.Files(t.Context())
		if err != nil || got.opened() == nil || want[0].Path == "" {
			t.Fatal(tt.what, err, want)
		}
		if err := got.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeDaemon(t, d)
		d = startDaemon(t, testConfig(state, dir, nil))
		got = d.ByID(1)
		files, err := got.Files(t.Context())
		if err != nil || (got.opened() != nil) != tt.opens {
			t.Errorf("%s: it was opened: %v; %v", tt.what, got.opened() != nil, err)
		}
		if !tt.opens {
			want[0].Path = ""
		}
		if !slices.Equal(files, want) {
			t.Errorf("%s: %+v, want %+v", tt.what, files, want)
		}
		closeDaemon(t, d)
	}
}

// TestStartAfterChoice: files that are chosen just before a start are those that are fetched, also
// if the choice has to open the torrent and the start comes meanwhile.
func TestStartAfterChoice(t *testing.T) {
	for range 5 {
		_, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
		d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
		got := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
		started := make(chan []swarm.Priority, 1)
		if err := got.Set(t.Context(), func(o *Options) {
			o.Files = []swarm.Priority{swarm.Unwanted}
			go func() {
				if err := got.Start(t.Context(), InTurn); err != nil {
					t.Error(err)
				}
				started <- got.Options().Files
			}()
		}); err != nil {
			t.Fatal(err)
		}
		if files := <-started; !slices.Equal(files, []swarm.Priority{swarm.Unwanted}) {
			t.Errorf("it was started with the files %v", files)
		}
		closeDaemon(t, d)
	}
}
