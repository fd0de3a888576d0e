package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/control"
)

// Every request of the client is one that a daemon answers.
func TestRequests(t *testing.T) {
	r := newRig(t, "")
	c, ctx := r.socket, t.Context()
	torrent := r.torrent("film")
	id := r.add(torrent)
	hash := torrent.Info().Hash().String()

	if _, err := c.Add(ctx, api.Add{Metainfo: torrent.Marshal()}); status(err) !=
		http.StatusConflict {
		t.Errorf("added twice: %v", err)
	}
	list, err := c.ListAll(ctx, Query{})
	if err != nil || len(list.Torrents) != 1 || list.Torrents[0].Hash != hash {
		t.Fatalf("list: %+v, %v", list, err)
	}
	label := "new"
	if _, err := c.Set(ctx, id, api.Patch{Labels: &[]string{label}}); err != nil {
		t.Error(err)
	}
	list, err = c.List(ctx, Query{Fields: []string{"name"}, Label: &label, Search: "FIL",
		Sort: "-name", IDs: []daemon.ID{id}, Limit: 5})
	if err != nil || list.Total != 1 || list.Torrents[0].Hash != "" ||
		list.Torrents[0].Name != "film" {
		t.Errorf("one field: %+v, %v", list, err)
	}
	for _, found := range []func() (api.Details, error){
		func() (api.Details, error) { return c.Torrent(ctx, id) },
		func() (api.Details, error) { return c.ByHash(ctx, hash) },
	} {
		d, err := found()
		if err != nil || d.Torrent.ID != id || !slices.Equal(d.Torrent.Labels, []string{label}) {
			t.Errorf("details: %+v, %v", d, err)
		}
	}
	for name, do := range map[string]func() error{
		"stop": func() error { return c.Stop(ctx, id) }, "verify": func() error {
			return c.Verify(ctx, id)
		},
		"start": func() error { return c.Start(ctx, id, true) },
		"queue": func() error { return c.Enqueue(ctx, id, 0) },
		"peer":  func() error { return c.AddPeer(ctx, id, "127.0.0.1:7") },
		"bulk": func() error {
			result, err := c.Bulk(ctx, api.Bulk{IDs: []daemon.ID{id, 77}, Action: api.ActionStart})
			if err == nil && (result.Done != 1 || len(result.Failed) != 1) {
				err = errors.New("not one of each")
			}
			return err
		},
		"rename": func() error { return c.Rename(ctx, id, "film/a.txt", "c.txt") },
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	doc, err := c.Metainfo(ctx, id)
	if err != nil || len(doc) == 0 || doc[0] != 'd' {
		t.Errorf("metainfo: %q, %v", doc, err)
	}
	if err := c.Remove(ctx, id, true); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "film")); !os.IsNotExist(err) {
		t.Errorf("the content after its removal: %v", err)
	}
	if _, err := c.Torrent(ctx, id); status(err) != http.StatusNotFound {
		t.Errorf("removed: %v", err)
	}
}

// Files, trackers and web seeds can be looked at and changed; nil is what the torrent has.
func TestViews(t *testing.T) {
	r := newRig(t, "")
	c, ctx := r.socket, t.Context()
	torrent := r.torrent("film")
	torrent.Trackers = [][]string{{"http://127.0.0.1:1/announce"}}
	id := r.add(torrent)
	files, err := c.Files(ctx, id)
	if err != nil || len(files) != 2 || files[1].Path != "film/sub/b.txt" {
		t.Fatalf("files: %+v, %v", files, err)
	}
	folder, err := c.Folder(ctx, id, "film")
	if err != nil || len(folder) != 2 || !slices.ContainsFunc(folder, func(e api.FileEntry) bool {
		return e.Name == "sub" && e.Files == 1
	}) {
		t.Errorf("folder: %+v, %v", folder, err)
	}
	err = c.SetFiles(ctx, id, api.FilePriorities{Set: []api.FilePriority{{Files: []int{1}}}})
	if files, _ := c.Files(ctx, id); err != nil || *files[1].Priority != 0 {
		t.Errorf("priorities: %+v, %v", files, err)
	}
	for _, want := range [][][]string{{{"udp://127.0.0.1:2", "udp://127.0.0.1:3"}}, {}, nil} {
		if err := c.SetTrackers(ctx, id, want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Trackers(ctx, id)
		n := 1
		if want != nil {
			n = len(slices.Concat(want...))
		}
		if err != nil || len(got) != n || want == nil && got[0].URL != torrent.Trackers[0][0] {
			t.Errorf("trackers after %v: %+v, %v", want, got, err)
		}
	}
	if err := c.SetWebSeeds(ctx, id, []string{"http://127.0.0.1:1/film/"}); err != nil {
		t.Error(err)
	}
	d, err := c.Torrent(ctx, id)
	if err != nil || len(d.WebSeeds) != 1 {
		t.Errorf("web seeds: %+v, %v", d.WebSeeds, err)
	}
	if peers, err := c.Peers(ctx, id); err != nil || len(peers) != 0 {
		t.Errorf("peers: %+v, %v", peers, err)
	}
}

// The daemon as a whole is described, changed and ended.
func TestDaemon(t *testing.T) {
	r := newRig(t, "")
	c, ctx := r.socket, t.Context()
	s, err := c.Session(ctx)
	if err != nil || s.API != api.Version || s.Dir != r.dir || !s.Owner {
		t.Errorf("session: %+v, %v", s, err)
	}
	settings, err := c.Change(ctx, Settings{"down": 1000, "seed-time": 90})
	if err != nil || settings["down"] != 1000.0 || settings["seed-time"] != 90.0 {
		t.Errorf("changed: %v, %v", settings, err)
	}
	if got := r.daemon.Settings(); got.Down != 1000 {
		t.Errorf("settings of the daemon: %+v", got)
	}
	settings, err = c.Settings(ctx)
	if err != nil || settings["dir"] != r.dir {
		t.Errorf("settings: %v, %v", settings, err)
	}
	if _, err := c.Change(ctx, Settings{"downn": 1}); status(err)/100 != 4 {
		t.Errorf("an unknown setting: %v", err)
	}
	films := daemon.Group{Name: "films & more/50%", Down: 100, Alone: true}
	if err := c.SetGroup(ctx, films); err != nil {
		t.Error(err)
	}
	if list, err := c.Groups(ctx); err != nil || !slices.Equal(list, []daemon.Group{films}) {
		t.Errorf("groups: %+v, %v", list, err)
	}
	if err := c.RemoveGroup(ctx, films.Name); err != nil {
		t.Error(err)
	}
	if err := c.RemoveGroup(ctx, films.Name); status(err) != http.StatusNotFound {
		t.Errorf("a group that is gone: %v", err)
	}
	if done, err := c.Reload(ctx); err != nil || !slices.Equal(done.Changed, []string{"up"}) ||
		!slices.Equal(done.Restart, []string{"port"}) {
		t.Errorf("reload: %+v, %v", done, err)
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	<-r.ended
}

// Over HTTP a token or a password logs in; what is wrong is a Problem.
func TestLogin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwords")
	hash, err := control.HashPassword("secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := control.SetPassword(path, control.Entry{Name: "ann", Scope: control.Read,
		Hash: hash}); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, path)
	at := strings.Replace(r.url, "http://", "http://ann:secret@", 1)
	for _, tt := range []struct {
		cfg  Config
		want int
	}{
		{Config{URL: r.url}, http.StatusUnauthorized},
		{Config{URL: r.url, User: "ann", Password: "wrong"}, http.StatusUnauthorized},
		{Config{URL: r.url, Token: "wrong"}, http.StatusUnauthorized},
		{Config{URL: r.url, User: "ann", Password: "secret"}, 0},
		{Config{URL: at + "/"}, 0},
	} {
		c := r.client(tt.cfg)
		if _, err := c.Session(t.Context()); status(err) != tt.want || tt.want == 0 && err != nil {
			t.Errorf("%+v: %v, want status %d", tt.cfg, err, tt.want)
		}
		if strings.Contains(c.Where(), "secret") {
			t.Errorf("%s shows the password", c.Where())
		}
	}
	c := r.client(Config{URL: at})
	if err := c.Shutdown(t.Context()); status(err) != http.StatusForbidden {
		t.Errorf("a shutdown by somebody who may read: %v", err)
	}
}

// Whatever else answers, or nobody, is an UnreachableError.
func TestUnreachable(t *testing.T) {
	folder := t.TempDir()
	none := filepath.Join(folder, "none")
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	words := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("hello"))
	}))
	defer words.Close()
	away := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer away.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte(`{"seq": 1,`))
	}))
	defer cut.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, tt := range []struct {
		cfg  Config
		none bool
	}{
		{Config{Socket: none}, true}, {Config{URL: gone.URL}, true}, {Config{URL: page.URL}, false},
		{Config{URL: words.URL}, false}, {Config{URL: away.URL}, false},
		{Config{URL: cut.URL}, false},
	} {
		c, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.List(t.Context(), Query{})
		if _, ok := errors.AsType[*UnreachableError](err); !ok || NoDaemon(err) != tt.none {
			t.Errorf("%+v: %v, no daemon %v, want %v", tt.cfg, err, NoDaemon(err), tt.none)
		}
		if _, err := c.Feed(0).Next(t.Context()); err == nil {
			t.Errorf("%+v: a feed", tt.cfg)
		}
		c.Close()
	}
	for _, wrong := range []string{"", "host", "ftp://host", "http://", "http://h?q=1",
		"http://h#f", "http://h\x00"} {
		if _, err := New(Config{URL: wrong}); err == nil {
			t.Errorf("%q is the URL of a daemon", wrong)
		}
	}
}

// A socket is found where its daemon puts it.
func TestFindSocket(t *testing.T) {
	r := newRig(t, "")
	folder, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	t.Setenv("XDG_RUNTIME_DIR", folder)
	path, ok := FindSocket(t.Context())
	if want := filepath.Join(folder, "swarmnode", "ctl.sock"); path != want || ok {
		t.Errorf("without a daemon: %s, %v", path, ok)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(r.cfg.Socket, path); err != nil {
		t.Skip(err)
	}
	if got, ok := FindSocket(t.Context()); got != path || !ok {
		t.Errorf("with a daemon: %s, %v", got, ok)
	}
	if pid := r.socket.Process(t.Context()); pid != 0 && pid != os.Getpid() {
		t.Errorf("process %d, want %d", pid, os.Getpid())
	}
}
