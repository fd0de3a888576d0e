package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/daemon/watch"
	"swarmnode/metainfo"
)

// .torrent and .magnet files in watched folders become torrents; what is bad is named.
func TestWatchedFolders(t *testing.T) {
	p, log := newPlaces(t), &logbook{}
	plain, films := t.TempDir(), t.TempDir()
	_, torrent := makeTorrent(t, "content", 100_000, metainfo.V1)
	put := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := testConfig(p.state, p.dir, log)
	cfg.Settings.AddPaused = true
	cfg.Settings.Watch = []string{plain, films + "=" + p.other}
	d := startDaemon(t, cfg)
	link := func(digits string) string {
		return "magnet:?xt=urn:btih:" + strings.Repeat(digits, 20)
	}
	put(plain, "a.torrent", string(torrent.Marshal()))
	put(plain, "b.magnet", "\ufeff# two\r\n"+link("ab")+"\r\n\r\n  "+link("cd")+"\n")
	put(films, "c.magnet", link("ef"))
	added := func(dir string) int {
		list, _ := filepath.Glob(filepath.Join(dir, "*"+watch.Added))
		return len(list)
	}
	eventually(t, "all are taken", func() bool { return added(plain) == 2 && added(films) == 1 })
	put(films, "again.magnet", link("ab"))
	eventually(t, "what is there counts as added", func() bool { return added(films) == 2 })
	list := d.Torrents()
	if len(list) != 4 {
		t.Fatalf("%d torrents", len(list))
	}
	for _, got := range list {
		want := p.dir
		if strings.HasPrefix(got.Hash().String(), "ef") {
			want = p.other
		}
		if s := got.State(); s.Dir != want || s.Status != Stopped {
			t.Errorf("%v lies in %s and is %v", got.Hash(), s.Dir, s.Status)
		}
	}
	// Other folders are watched from the moment when the settings say so.
	later := t.TempDir()
	if err := d.Change(t.Context(), func(s *Settings) { s.Watch = []string{later} }); err != nil {
		t.Fatal(err)
	}
	put(later, "d.magnet", link("01"))
	eventually(t, "the other folder is watched", func() bool { return len(d.Torrents()) == 5 })
}

func TestParseWatch(t *testing.T) {
	for entry, want := range map[string][2]string{
		"/a": {"/a", ""}, "/a/": {"/a", ""}, "/a=/b": {"/a", "/b"}, "/a=b": {"/a=b", ""},
		"/a=b=/c/": {"/a=b", "/c"}, "/a=": {"/a=", ""},
	} {
		folder, dir, err := parseWatch(entry)
		if err != nil || filepath.ToSlash(folder) != want[0] || filepath.ToSlash(dir) != want[1] {
			t.Errorf("%q is %q and %q, %v", entry, folder, dir, err)
		}
	}
	for _, entry := range []string{"", "a", "=/b", "a=/b", "/a\x00", "./a"} {
		if _, _, err := parseWatch(entry); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
	if err := checkWatch([]string{"/a", "/b", "/a/"}); err == nil {
		t.Error("one folder twice")
	}
	if err := checkWatch(make([]string, watchedMax+1)); err == nil {
		t.Error("too many folders")
	}
	if err := checkWatch([]string{"/a=/a/"}); err == nil {
		t.Error("content in the watched folder")
	}
	if err := checkWatch([]string{"/a", "/b=/c"}); err != nil {
		t.Error(err)
	}
}

// A torrent whose content is a .torrent file does not add that.
func TestContentIsNotTaken(t *testing.T) {
	from, torrent := makeTorrent(t, "x.torrent", 1000, metainfo.V1)
	_, inner := makeTorrent(t, "content", 1000, metainfo.V1)
	d := startDaemon(t, testConfig(t.TempDir(), from, nil))
	add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true}})
	l := &lookout{d: d, dirs: []string{""}}
	file := watch.File{Path: filepath.Join(from, "x.torrent"), Suffix: torrentSuffix,
		Doc: inner.Marshal()}
	if err := l.take(t.Context(), file); !errors.Is(err, watch.ErrSkip) {
		t.Errorf("content: %v", err)
	}
	file.Path = filepath.Join(from, "y.torrent")
	if err := l.take(t.Context(), file); err != nil {
		t.Errorf("another file: %v", err)
	}
	// It comes and goes, under any spelling of the suffix.
	from, torrent = makeTorrent(t, "Y.Torrent", 1000, metainfo.V1)
	path := filepath.Join(from, "Y.Torrent")
	if l.likes.have(d, path) {
		t.Error("it is content before it is added")
	}
	late := add(t, d, AddSpec{Torrent: torrent, Options: Options{Stopped: true, Dir: from}})
	if !l.likes.have(d, path) {
		t.Error("it is no content after it was added")
	}
	if err := late.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if l.likes.have(d, path) {
		t.Error("it is content after it was removed")
	}
}

// FuzzParseLinks reads a .magnet file: each link in it names a torrent.
func FuzzParseLinks(f *testing.F) {
	link := "magnet:?xt=urn:btih:" + strings.Repeat("ab", 20)
	for _, doc := range []string{"", link, "# x\n" + link + "\r\n" + link, "\ufeff" + link, "x",
		"magnet:?xt=urn:btih:", strings.Repeat(link+"\n", linksMax+1)} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		links, err := parseLinks(doc)
		if (err == nil) == (len(links) == 0) || len(links) > linksMax {
			t.Errorf("%d links, %v", len(links), err)
		}
	})
}
