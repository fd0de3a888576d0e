package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/daemon/confine"
	"swarmnode/metainfo"
)

// awaitCreation waits until a torrent is made, or not.
func awaitCreation(t *testing.T, d *Daemon, id int) Creation {
	t.Helper()
	var c Creation
	eventually(t, "the making ends", func() bool {
		var err error
		if c, err = d.Creation(id); err != nil {
			t.Fatal(err)
		}
		return c.Status != CreationHashing
	})
	return c
}

// A folder becomes a torrent that seeds from where it lies, without a second hashing, under a
// name of its own; another node fetches it; and all that lasts.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(t.TempDir(), dir, nil)
	for _, name := range []string{"photos/a.jpg", "photos/deep/b.jpg", "photos/.hidden"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), contentOf(100_000, byte(len(name))),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := startDaemon(t, cfg)
	begun, err := d.Create(Confine(t.Context()), CreationSpec{Path: dir + "/photos/",
		Name: "From the lake", Kind: metainfo.Hybrid, Comment: "summer", PieceLength: 16 << 10,
		Options: Options{Labels: []string{"photos"}}})
	if err != nil {
		t.Fatal(err)
	}
	made := awaitCreation(t, d, begun.ID)
	if made.Status != CreationDone || made.Torrent == nil || made.Hashed != 200_000 ||
		made.Total != 200_000 || made.Skipped != 1 || made.Name != "From the lake" {
		t.Fatalf("%+v", made)
	}
	awaitStatus(t, made.Torrent, Seeding)
	torrent, err := made.Torrent.Metainfo(t.Context())
	if err != nil || torrent.Info().Name() != "From the lake" || torrent.Comment != "summer" ||
		torrent.Info().Kind() != metainfo.Hybrid {
		t.Fatalf("the torrent: %+v, %v", torrent, err)
	}
	if o := made.Torrent.Options(); len(o.Labels) != 1 || o.Dir != dir {
		t.Errorf("its options: %+v", o)
	}
	again, err := d.Create(t.Context(), CreationSpec{Path: dir + "/photos", Name: "From the lake",
		Kind: metainfo.Hybrid, PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if same := awaitCreation(t, d, again.ID); same.Torrent != made.Torrent {
		t.Errorf("made again: %+v", same)
	}
	closeDaemon(t, d)
	d = startDaemon(t, cfg)
	kept := d.ByID(made.Torrent.ID())
	awaitStatus(t, kept, Seeding)
	other := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	fetched := add(t, other, AddSpec{Torrent: torrent, Peers: []string{hostOf(d)}})
	awaitStatus(t, fetched, Seeding)
	if s := fetched.State(); s.Name != "From the lake" || s.Size != 200_000 {
		t.Errorf("fetched: %+v", s)
	}
}

// What cannot be made is said at once, or in the end; and it is forgotten.
func TestCreateFails(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	plant(t, outside, "secret.txt")
	plant(t, dir, "empty/", "a.txt", "out -> "+outside, "mixed/a.txt",
		"mixed/out.txt -> "+outside+"/secret.txt")
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	confined := Confine(t.Context())
	for _, tt := range []struct {
		spec CreationSpec
		want error
	}{
		{CreationSpec{Path: outside}, confine.ErrOutside},
		{CreationSpec{Path: dir + "/out"}, confine.ErrOutside},
		{CreationSpec{Path: dir + "/out/secret.txt"}, confine.ErrOutside},
		{CreationSpec{Path: "a.txt"}, confine.ErrRelative},
		{CreationSpec{Path: dir + "/nothing"}, fs.ErrNotExist},
	} {
		if c, err := d.Create(confined, tt.spec); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %+v, %v, want %v", tt.spec, c, err, tt.want)
		}
	}
	for name, spec := range map[string]CreationSpec{
		"trackers":     {Trackers: [][]string{{"no URL"}}},
		"webseeds":     {WebSeeds: []string{"ftp"}},
		"piece-length": {PieceLength: 20_000},
		"name":         {Name: "a/b"},
		"comment":      {Comment: strings.Repeat("x", commentBytesMax+1)},
		"labels":       {Options: Options{Labels: []string{"a", "a\x00"}}},
	} {
		spec.Path = dir + "/a.txt"
		_, err := d.Create(confined, spec)
		if e, ok := errors.AsType[*OptionError](err); !ok || e.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty, err := d.Create(confined, CreationSpec{Path: dir + "/empty"})
	if err != nil {
		t.Fatal(err)
	}
	if c := awaitCreation(t, d, empty.ID); c.Status != CreationFailed || c.Err == nil {
		t.Errorf("an empty folder: %+v", c)
	}
	mixed, err := d.Create(confined, CreationSpec{Path: dir + "/mixed"})
	if err != nil {
		t.Fatal(err)
	}
	c := awaitCreation(t, d, mixed.ID)
	if c.Status != CreationDone || c.Skipped != 1 || c.Torrent.State().Files != 1 {
		t.Errorf("a link that leads out: %+v", c)
	}
	if err := d.CancelCreation(empty.ID); err != nil {
		t.Fatal(err)
	}
	if list := d.Creations(); len(list) != 1 || list[0].ID != mixed.ID {
		t.Errorf("there are %+v", list)
	}
	if err := d.CancelCreation(empty.ID); !errors.Is(err, ErrNoCreation) {
		t.Errorf("forgotten twice: %v", err)
	}
}

// A torrent that is being made can be cancelled, a few are made at one time, and not all are
// remembered for ever.
func TestCreationsAreBounded(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, testConfig(t.TempDir(), dir, nil))
	large, err := os.Create(filepath.Join(dir, "large")) // nobody waits for the end of it
	if err == nil {
		err = errors.Join(large.Truncate(1<<40), large.Close())
	}
	if err != nil {
		t.Skip("this file system has no large files: ", err)
	}
	var ids []int
	for range creatingMax {
		c, err := d.Create(t.Context(), CreationSpec{Path: dir + "/large", Kind: metainfo.V2})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	if _, err := d.Create(t.Context(), CreationSpec{Path: dir + "/large"}); !errors.Is(err,
		ErrCreating) {
		t.Errorf("one more: %v", err)
	}
	eventually(t, "one is under way", func() bool {
		c, err := d.Creation(ids[0])
		return err == nil && c.Total == 1<<40
	})
	for _, id := range ids {
		if err := d.CancelCreation(id); err != nil {
			t.Fatal(err)
		}
		if c := awaitCreation(t, d, id); c.Status != CreationCancelled || c.Torrent != nil {
			t.Errorf("cancelled: %+v", c)
		}
	}
	c := new(creations)
	for i := range creationsMax + 9 {
		one := &creation{now: Creation{ID: i, Status: CreationDone}}
		if i == 3 {
			one.now.Status = CreationHashing
		}
		c.list = append(c.list, one)
	}
	c.forgetOld()
	if len(c.list) != creationsMax || c.list[0].now.ID != 3 {
		t.Errorf("%d are remembered, from %d on", len(c.list), c.list[0].now.ID)
	}
}
