package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"first", "second, and longer", ""} {
		if err := replaceFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("file holds %q, %v, want %q", got, err, text)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
	}
	// What cannot be put in place leaves nothing behind.
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(dir, "folder"), []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("the folder holds %v, %v", names, err)
	}
}

// A new file has the requested mode, less the umask; one that replaces another has the
// mode of the other. Names may be as long as the system allows.
func TestReplaceFileKeepsModes(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, strings.Repeat("x", 255))
	for _, want := range []os.FileMode{st.Mode().Perm(), 0o640, 0o600} {
		if err := replaceFile(path, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("mode %v, %v, want %v", st.Mode(), err, want)
		}
		next := map[os.FileMode]os.FileMode{st.Mode().Perm(): 0o640, 0o640: 0o600, 0o600: 0o600}
		if err := os.Chmod(path, next[want]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStateFolder(t *testing.T) {
	c, _, stderr := testConsole()
	base := t.TempDir()
	t.Setenv("XDG_STATE_HOME", base)
	path, err := stateFolder(c, "", false)
	if err != nil || path != filepath.Join(base, "swarmnode") {
		t.Errorf("state folder %q, %v", path, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if path, err := stateFolder(c, "ignored", true); err != nil || path != "" {
		t.Errorf("ephemeral: %q, %v", path, err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stateFolder(c, filepath.Join(file, "below"), false); exitCode(err) != exitDisk {
		t.Errorf("a folder by name: %v", err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	if path, err := stateFolder(c, "", false); err != nil || path != "" || stderr.Len() == 0 {
		t.Errorf("no folder: %q, %v, stderr %q", path, err, stderr)
	}
}
