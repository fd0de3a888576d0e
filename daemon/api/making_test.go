package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon"
)

// A .torrent file and a link are described without being added; one that is there is known.
func TestInspect(t *testing.T) {
	r := newRig(t, nil)
	doc, hash := torrentOf(t, "music", map[string]int{"a.txt": 100, "b/c.txt": 5000})
	var is Inspection
	r.want(r.do("POST", "/inspect", bytes.NewReader(doc), "Content-Type", torrentType), 200, &is)
	if is.Hash != hash || is.Name != "music" || is.Size != 5100 || len(is.Files) != 2 ||
		is.Files[1].Path != "music/b/c.txt" || is.Files[1].Size != 5000 || !is.Files[1].Wanted ||
		is.Exists != 0 || is.Trackers == nil {
		t.Errorf("the file: %+v", is)
	}
	var list List
	r.want(r.do("GET", "/torrents", nil), 200, &list)
	if list.Total != 0 {
		t.Errorf("it was added: %+v", list)
	}
	r.want(r.do("POST", "/torrents", Add{Metainfo: doc}), http.StatusCreated, nil)
	is = Inspection{}
	r.want(r.do("POST", "/inspect", Add{Metainfo: doc}), 200, &is)
	if is.Exists != 1 {
		t.Errorf("it is there, and yet: %+v", is)
	}
	for _, body := range []Add{{}, {Source: "x"}, {Metainfo: []byte("x")},
		{Source: "x", Metainfo: doc}} {
		if a := r.do("POST", "/inspect", body); a.status != 422 {
			t.Errorf("%+v: %d %s", body, a.status, a.body)
		}
	}
}

// The metadata of a link comes from a peer, and the link is not added by that; one that nobody
// knows is given up, with the reason.
func TestInspectLink(t *testing.T) {
	r, seed := newRig(t, nil), newRig(t, nil)
	path := filepath.Join(seed.dir, "film.mkv")
	if err := os.WriteFile(path, bytes.Repeat([]byte("film "), 50_000), 0o644); err != nil {
		t.Fatal(err)
	}
	made, err := seed.daemon.Create(t.Context(), daemon.CreationSpec{Path: path})
	for deadline := time.Now().Add(within); err == nil && made.Torrent == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("still %+v", made)
		}
		made, err = seed.daemon.Creation(made.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	link := "magnet:?xt=urn:btih:" + made.Torrent.Hash().String() + "&x.pe=" +
		seed.daemon.Node().Addrs()[0].String() + "&tr=http://tracker.example/announce"
	var is Inspection
	r.want(r.do("POST", "/inspect", Add{Source: link}), 200, &is)
	if is.Name != "film.mkv" || is.Size != 250_000 || len(is.Files) != 1 || is.Exists != 0 ||
		len(is.Trackers) != 1 {
		t.Errorf("the link: %+v", is)
	}
	r.want(r.do("POST", "/torrents", Add{Source: link}), http.StatusCreated, nil)
	is = Inspection{}
	r.want(r.do("POST", "/inspect", Add{Source: link}), 200, &is)
	if is.Exists == 0 {
		t.Errorf("it is there, and yet: %+v", is)
	}
	var problem Problem
	a := r.do("POST", "/inspect?wait=0", Add{Source: strings.Repeat("8", 40)})
	r.want(a, http.StatusGatewayTimeout, &problem)
	if problem.Name != "source" || !strings.HasSuffix(problem.Detail, ".") {
		t.Errorf("nobody knows it: %+v", problem)
	}
	r.want(r.do("POST", "/inspect?wait=46", Add{Source: link}), 422, nil)
}

// Folders are shown, and those outside of the allowed ones to nobody over the network.
func TestBrowse(t *testing.T) {
	r := newRig(t, nil)
	if err := os.Mkdir(filepath.Join(r.dir, "films"), 0o755); err != nil {
		t.Fatal(err)
	}
	var page FolderPage
	r.want(r.remote("GET", "/browse?dir="+r.dir, nil), 200, &page)
	if page.Dir != r.dir || page.Total != 1 || page.Entries[0].Name != "films" ||
		!page.Entries[0].Folder || page.Entries[0].Modified == nil || page.Parent != "" {
		t.Errorf("the folder: %+v", page)
	}
	page = FolderPage{}
	r.want(r.remote("GET", "/browse", nil), 200, &page)
	if page.Dir != "" || page.Entries[0].Name != r.dir {
		t.Errorf("the folders to begin with: %+v", page)
	}
	var problem Problem
	r.want(r.remote("GET", "/browse?dir=/", nil), http.StatusForbidden, &problem)
	r.want(r.remote("GET", "/browse?dir=x", nil), http.StatusForbidden, &problem)
	r.want(r.do("GET", "/browse?dir=x", nil), 422, &problem)
	r.want(r.do("GET", "/browse?dir="+r.dir+"/nothing", nil), http.StatusNotFound, &problem)
	if problem.Name != "dir" {
		t.Errorf("the problem: %+v", problem)
	}
}

// A torrent is made of a file by a request, is followed until it is done, and is forgotten.
func TestCreations(t *testing.T) {
	r := newRig(t, nil)
	path := filepath.Join(r.dir, "film.mkv")
	if err := os.WriteFile(path, bytes.Repeat([]byte("film "), 50_000), 0o644); err != nil {
		t.Fatal(err)
	}
	no := false
	var begun Creation
	a := r.remote("POST", "/creations", Create{Path: path, Format: FormatV1, Seed: &no,
		Trackers: [][]string{{"http://tracker.example/announce"}}, Labels: []string{"films"}})
	r.want(a, http.StatusAccepted, &begun)
	at := strings.TrimPrefix(a.header.Get("Location"), Base)
	made := begun
	for deadline := time.Now().Add(within); made.Status == "hashing"; {
		if time.Now().After(deadline) {
			t.Fatalf("still %+v", made)
		}
		made = Creation{}
		r.want(r.remote("GET", at, nil), 200, &made)
	}
	if made.Status != "done" || made.Torrent == 0 || made.Hashed != 250_000 ||
		made.Name != "film.mkv" {
		t.Fatalf("made: %+v", made)
	}
	var details Details
	r.want(r.do("GET", "/torrents/"+made.Hash, nil), 200, &details)
	if details.Torrent.Status != Stopped || details.Torrent.Left != 0 || details.V2 != "" ||
		details.Torrent.Tracker != "tracker.example" || details.Created == nil ||
		details.Torrent.Labels[0] != "films" {
		t.Errorf("the torrent: %+v", details)
	}
	var all Creations
	r.want(r.do("GET", "/creations", nil), 200, &all)
	if len(all.Creations) != 1 || all.Creations[0] != made {
		t.Errorf("all: %+v", all)
	}
	r.want(r.remote("DELETE", at, nil), 204, nil)
	for _, path := range []string{at, "/creations/x", "/creations/99999999999"} {
		r.want(r.do("GET", path, nil), http.StatusNotFound, nil)
	}
	for name, body := range map[string]Create{
		"path": {Path: filepath.Join(r.dir, "nothing")}, "format": {Path: path, Format: "v3"},
		"piece-length": {Path: path, PieceLength: 5},
	} {
		var problem Problem
		r.want(r.remote("POST", "/creations", body), 422, &problem)
		if problem.Name != name {
			t.Errorf("%s: %+v", name, problem)
		}
	}
	r.want(r.remote("POST", "/creations", Create{Path: "/etc/passwd"}), 403, nil)
}

// FuzzCreate reads bodies of every shape: what is read is a torrent to make, or is refused.
func FuzzCreate(f *testing.F) {
	for _, seed := range []string{`{"path":"/a","name":"b","trackers":[["http://c/announce"]]}`,
		`{"path":"","format":"v2","piece-length":16384,"seed":false,"no-date":true}`,
		`{"path":"/a","format":"x"}`, `{"trackers":[[]]}`, `[]`, `{"piece-length":1e99}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var body Create
		if parse(doc, &body) != nil {
			return
		}
		spec, err := body.spec(time.Unix(1, 0))
		if err != nil {
			return
		}
		if spec.Path != body.Path || spec.Options.Stopped == (body.Seed == nil || *body.Seed) ||
			spec.Created.IsZero() != body.NoDate {
			t.Errorf("%s becomes %+v", doc, spec)
		}
		if _, err := json.Marshal(body); err != nil {
			t.Error(err)
		}
	})
}
