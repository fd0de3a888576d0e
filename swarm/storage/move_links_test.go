//go:build unix

package storage

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// A link to the content is moved and renamed, and the content stays where it is.
func TestMoveLinkedContent(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
	real := t.TempDir()
	putContent(t, real, "kept", layout, data)
	if err := os.Symlink(filepath.Join(real, "kept"), filepath.Join(cfg.Dir, "x")); err != nil {
		t.Skip(err)
	}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "new")
	if err := errors.Join(r.store.Move(t.Context(), to, nil), r.store.Rename(-1, "y")); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Rename(0, "z"); !errors.Is(err, ErrLink) {
		t.Error("a file behind a link:", err)
	}
	r.onDisk(real, "kept")
	if r.store.Dir() != to || r.store.Paths()[0] != filepath.Join(to, "y") {
		t.Error(r.store.Dir(), r.store.Paths())
	}
	if _, err := os.Lstat(filepath.Join(cfg.Dir, "x")); err == nil {
		t.Error("the old link is still there")
	}
	r.back()
	cfg.Dir = to
	mustFind(t, cfg, data, bits.Full(layout.Pieces())).back()
}

// Links in the content are replaced by the files that they lead to, which stay.
func TestMoveLinksWithin(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, shapes["folder"]...)
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir(), StateDir: t.TempDir()}
	putContent(t, cfg.Dir, "x", layout, data)
	aside := filepath.Join(cfg.Dir, "aside")
	err := errors.Join(os.Rename(filepath.Join(cfg.Dir, "x", "a"), aside),
		os.Symlink("../aside", filepath.Join(cfg.Dir, "x", "a")))
	if err != nil {
		t.Skip(err)
	}
	r := newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := r.store.Move(t.Context(), to, nil); err != nil {
		t.Fatal(err)
	}
	r.onDisk(to, "x")
	sameFiles(t, filesBelow(t, cfg.Dir), map[string]string{"aside": string(data[:100_000])})
	r.back()
}

// A copy that is not what the original is never takes its place.
func TestMoveFindsBadCopy(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 3 << 20, false},
		tfile{"b", 5 << 20, false})
	to := t.TempDir()
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir()}
	chunks := 0
	cfg.moving = func(step string) error {
		if chunks++; step == "chunk" && chunks == 7 {
			copies, err := filepath.Glob(filepath.Join(to, "x.*", "a"))
			if err != nil || len(copies) != 1 || overwrite(copies[0], 1<<20+5) != nil {
				t.Error("no copy to spoil:", copies, err)
			}
		}
		return forceCopy(step)
	}
	r := newRig(t, cfg, data)
	r.all()
	before := filesBelow(t, cfg.Dir)
	if err := r.store.Move(t.Context(), to, nil); !errors.Is(err, ErrBadCopy) {
		t.Error(err)
	}
	sameFiles(t, filesBelow(t, cfg.Dir), before)
	sameFiles(t, filesBelow(t, to), nil)
	r.back()
}

// A disk that has too little room is known before anything is copied, and one that fills up
// while it is ends the move.
func TestMoveToFullDisk(t *testing.T) {
	layout, data := makeLayout(t, "x", 32<<10, tfile{"a", 3 << 20, false})
	to := filepath.Join(t.TempDir(), "new")
	cfg := Config{Layout: layout, Part: true, Dir: t.TempDir()}
	full, copied := false, false
	cfg.moving = func(step string) error {
		copied = copied || step == "chunk"
		if step == "chunk" && full {
			return syscall.ENOSPC
		}
		return forceCopy(step)
	}
	cfg.spaceOf = func(path string) (system fileSystem, free int64, ok bool) {
		if full || path == cfg.Dir {
			return fileSystem{1}, 1 << 30, true
		}
		return fileSystem{2}, 1 << 20, true
	}
	r := newRig(t, cfg, data)
	r.all()
	var room *RoomError
	if err := r.store.Move(t.Context(), to, nil); !errors.As(err, &room) || !IsFull(err) ||
		copied || room.Need < 3<<20 || room.Free != 1<<20 {
		t.Error(err, copied)
	}
	full = true
	if err := r.store.Move(t.Context(), to, nil); !IsFull(err) || !copied {
		t.Error(err, copied)
	}
	if _, err := os.Lstat(to); err == nil {
		t.Error("something is left of it")
	}
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	r.onDisk(cfg.Dir, "x")
	r.back()
}

// Notes come back as they were written; damaged ones, and those that lead out of their
// folders, are refused.
func TestPlaceNotes(t *testing.T) {
	notes := placeNotes{stateDir: t.TempDir(), hash: metainfo.Hash{3}}
	bare := placeNotes{hash: metainfo.Hash{3}}
	dir := t.TempDir()
	full := &placeNote{phase: moveCopy, to: "/new", top: "x.part", newTop: "y.part", final: "x",
		newFinal: "y", name: "x", asked: "z", newAsked: "q",
		files: map[int]string{3: "a/b", 9: "c"}}
	for _, n := range []placeNotes{notes, bare} {
		if err := n.write(dir, full); err != nil {
			t.Fatal(err)
		}
		got, err := n.read(dir)
		if err != nil || string(got.append(nil)) != string(full.append(nil)) {
			t.Errorf("%+v became %+v (%v)", full, got, err)
		}
		if err := n.write(dir, &placeNote{}); err != nil {
			t.Fatal(err)
		}
		if got, err := n.read(dir); err != nil || !got.isEmpty() {
			t.Errorf("an empty note became %+v (%v)", got, err)
		}
	}
	sameFiles(t, filesBelow(t, dir), nil)
	sameFiles(t, filesBelow(t, notes.stateDir), nil)
	for _, bad := range []*placeNote{
		{phase: moveCopy, to: "relative", top: "x", newTop: "x", final: "x", newFinal: "x"},
		{phase: moveCopy, to: "/new", top: "../x", newTop: "x", final: "x", newFinal: "x"},
		{phase: moveDone, to: "/new"}, {name: "a/../b"}, {name: "/a"}, {back: "b"},
		{files: map[int]string{1: "../c"}}, {files: map[int]string{-1: "c"}},
	} {
		if _, err := parseNote(bad.append(nil)); !errors.Is(err, errNote) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	doc := full.append(nil)
	for i := range doc {
		doc[i] ^= 1
		if _, err := parseNote(doc); !errors.Is(err, errNote) {
			t.Errorf("byte %d is wrong: %v", i, err)
		}
		doc[i] ^= 1
		if _, err := parseNote(doc[:i]); !errors.Is(err, errNote) {
			t.Errorf("it ends at byte %d: %v", i, err)
		}
	}
	if err := os.Chmod(notes.stateDir, 0o777); err != nil { // anybody could have written it
		t.Fatal(err)
	}
	if err := notes.write(dir, full); err != nil {
		t.Fatal(err)
	}
	if got, err := notes.read(dir); err != nil || !got.isEmpty() {
		t.Errorf("a note that anybody could write was taken for true: %+v %v", got, err)
	}
}

func FuzzParseNote(f *testing.F) {
	f.Add((&placeNote{name: "x", files: map[int]string{1: "b"}}).append(nil))
	f.Add((&placeNote{phase: moveDone, to: "/n", top: "x", newTop: "x", final: "x",
		newFinal: "x"}).append(nil))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := parseNote(doc)
		if err != nil {
			return
		}
		again, err := parseNote(p.append(nil))
		if err != nil || string(again.append(nil)) != string(p.append(nil)) {
			t.Errorf("%+v became %+v (%v)", p, again, err)
		}
	})
}
