package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/metainfo"
)

func TestWithDefaults(t *testing.T) {
	own := [][]string{{"http://a/", "http://b/"}, {"http://c/"}}
	defaults := []string{"http://b/", "http://d/", "http://d/"}
	for _, c := range []struct {
		public   bool
		defaults []string
		want     string
	}{
		{true, defaults, "[[http://a/ http://b/] [http://c/] [http://d/]]"},
		{false, defaults, "[[http://a/ http://b/] [http://c/]]"},
		{true, nil, "[[http://a/ http://b/] [http://c/]]"},
	} {
		if got := fmt.Sprint(withDefaults(own, c.public, c.defaults)); got != c.want {
			t.Errorf("public %v, %v: %s, want %s", c.public, c.defaults, got, c.want)
		}
	}
	if len(own) != 2 {
		t.Error("the tiers of the torrent have changed")
	}
}

// urlsOf returns the trackers that a torrent uses.
func urlsOf(torrent *Torrent) string {
	var urls []string
	for _, s := range torrent.Trackers() {
		urls = append(urls, s.URL)
	}
	return fmt.Sprint(urls)
}

// Public torrents get the default trackers, links as soon as it is known that they are public,
// and private torrents never.
func TestDefaultTrackers(t *testing.T) {
	const url, other, mine = "http://127.0.0.1:1/default", "http://127.0.0.1:1/other",
		"http://127.0.0.1:1/mine"
	dir, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	path := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(path, contentOf(100_000, 9), 0o600); err != nil {
		t.Fatal(err)
	}
	private, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 16 << 10, Kind: metainfo.V1, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	seeds := seeder(t, dir, torrent)
	cfg := testConfig(t.TempDir(), t.TempDir(), nil)
	cfg.Settings.Trackers = []string{url}
	d := startDaemon(t, cfg)
	hidden := add(t, d, AddSpec{Torrent: private})
	awaitStatus(t, hidden, Downloading)
	link := add(t, d, AddSpec{Magnet: torrent.Magnet()})
	awaitStatus(t, link, Downloading)
	if got := urlsOf(link); got != "[]" {
		t.Errorf("a link that may be private uses %s", got)
	}
	if err := link.AddPeer(t.Context(), hostOf(seeds)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link uses the default", func() bool { return urlsOf(link) == "["+url+"]" })
	awaitStatus(t, link, Seeding)
	err = link.Set(t.Context(), func(o *Options) { o.Trackers = [][]string{{mine}} })
	if err != nil || urlsOf(link) != fmt.Sprint([]string{mine, url}) {
		t.Errorf("with one of its own it uses %s, %v", urlsOf(link), err)
	}
	if got := link.Options().Trackers; len(got) != 1 {
		t.Errorf("the default became an option: %v", got)
	}
	err = d.Change(t.Context(), func(s *Settings) { s.Trackers = []string{other} })
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new default is used", func() bool {
		return urlsOf(link) == fmt.Sprint([]string{mine, other})
	})
	if got := urlsOf(hidden); got != "[]" {
		t.Errorf("a private torrent uses %s", got)
	}
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	eventually(t, "it is used after a restart", func() bool {
		return urlsOf(d.ByID(link.ID())) == fmt.Sprint([]string{mine, url}) ||
			urlsOf(d.ByID(link.ID())) == fmt.Sprint([]string{mine, other})
	})
}
