package transmission

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
)

// makeTree makes content with folders below the top.
func makeTree(t *testing.T) (dir string, torrent *metainfo.Torrent) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"Season 1/Extras/a.mkv", "Season 1/b.mkv", "c.mkv"} {
		path := filepath.Join(dir, "Series", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(strings.Repeat(name, 3000)), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{
		Path: filepath.Join(dir, "Series"), PieceLength: 16 << 10, Kind: metainfo.V1})
	if err != nil {
		t.Fatal(err)
	}
	return dir, torrent
}

// names returns the names of the files of the first torrent.
func (b *bench) names() string {
	var all []string
	for _, file := range b.get(1, "files").([]any) {
		all = append(all, fmt.Sprint(file.(map[string]any)["name"]))
	}
	return strings.Join(all, ", ")
}

// A folder of a torrent gets another name, as a client sees its files and on disk; then a file in
// it does, by the names that the client sees.
func TestRenameFolder(t *testing.T) {
	b := newBench(t)
	from, torrent := makeTree(t)
	if err := os.CopyFS(b.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	b.add(daemon.AddSpec{Torrent: torrent, Complete: true})
	b.want(1, "status", 6)
	for _, step := range []struct{ path, name, want string }{
		{"Series/Season 1", "First", "Series/First/Extras/a.mkv, Series/First/b.mkv, Series/c.mkv"},
		{"Series/First/Extras", "More",
			"Series/First/More/a.mkv, Series/First/b.mkv, Series/c.mkv"},
		{"Series/First/More/a.mkv", "x.mkv",
			"Series/First/More/x.mkv, Series/First/b.mkv, Series/c.mkv"},
		{"Series", "S", "S/First/More/x.mkv, S/First/b.mkv, S/c.mkv"},
		{"S/First", "Last", "S/Last/More/x.mkv, S/Last/b.mkv, S/c.mkv"},
	} {
		got := b.call("torrent-rename-path", obj{"ids": 1, "path": step.path, "name": step.name})
		if fmt.Sprint(got["path"], got["name"]) != step.path+step.name {
			t.Errorf("%s: the renaming answers %v", step.path, got)
		}
		if got := b.names(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.path, got, step.want)
		}
	}
	for _, name := range strings.Split(b.names(), ", ") {
		if _, err := os.Stat(filepath.Join(b.dir, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	b.want(1, "leftUntilDone", 0)
	for _, wrong := range [][2]string{{"S/Last", ".."}, {"S/Last", "a/b"}, {"S/Last", "c.mkv"},
		{"S/Last", ""}, {"S/../..", "x"}, {"S/First", "x"}} {
		b.fails("torrent-rename-path", obj{"ids": 1, "path": wrong[0], "name": wrong[1]})
	}
}

// transmission-remote of a later version than 3.00 renames a folder.
func TestTransmissionRemoteRenames(t *testing.T) {
	remote := realclient.RequireProgram(t, "transmission-remote")
	if help, _ := exec.Command(remote, "--help").CombinedOutput(); !strings.Contains(string(help),
		"--rename") {
		t.Skip("this transmission-remote does not rename")
	}
	b := newBench(t)
	from, torrent := makeTree(t)
	if err := os.CopyFS(b.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	b.add(daemon.AddSpec{Torrent: torrent, Complete: true})
	b.want(1, "status", 6)
	said := b.remote("-t", "1", "--path", "Series/Season 1", "--rename", "First")
	if got := b.names(); !strings.HasPrefix(got, "Series/First/") {
		t.Errorf("the files are %s: %s", got, said)
	}
}
