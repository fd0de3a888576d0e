package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/metainfo/bencode"
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

func TestStateDir(t *testing.T) {
	s := stateDir{path: t.TempDir()}
	if _, err := s.read("absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read of nothing: %v", err)
	}
	if err := s.write("name", []byte("text")); err != nil {
		t.Fatal(err)
	}
	if b, err := s.read("name"); err != nil || string(b) != "text" {
		t.Errorf("read %q, %v", b, err)
	}
	if err := s.write("large", make([]byte, stateFileMax+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.read("large"); err == nil {
		t.Error("a file beyond the bound was read")
	}
	for text, want := range map[string]uint16{"50000\n": 50000, "": 0, "junk": 0, "80": 0,
		"70000": 0, "-1": 0} {
		if err := s.write(portFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := s.port(); got != want {
			t.Errorf("port of %q = %d, want %d", text, got, want)
		}
	}
	var none stateDir
	if err := none.write("name", nil); err != nil || none.port() != 0 || none.keeps() {
		t.Error("the state that keeps nothing keeps something")
	}
}

func TestOpenState(t *testing.T) {
	c, _, stderr := testConsole()
	base := t.TempDir()
	t.Setenv("XDG_STATE_HOME", base)
	s, err := openState(c, "", false)
	if err != nil || s.path != filepath.Join(base, "swarmnode") {
		t.Errorf("state %+v, %v", s, err)
	}
	if st, err := os.Stat(s.path); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if s, err := openState(c, "ignored", true); err != nil || s.keeps() {
		t.Errorf("ephemeral: %+v, %v", s, err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(c, filepath.Join(file, "below"), false); exitCode(err) != exitDisk {
		t.Errorf("a folder by name: %v", err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	if s, err := openState(c, "", false); err != nil || s.keeps() || stderr.Len() == 0 {
		t.Errorf("no folder: %+v, %v, stderr %q", s, err, stderr)
	}
}

// The first process keeps the state; another has the nodes without the ids.
func TestDHTStateIsKeptByOne(t *testing.T) {
	c, _, _ := testConsole()
	folder := stateDir{path: t.TempDir()}
	addrs := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}
	saved := []byte("d3:id420:aaaaaaaaaaaaaaaaaaaa6:nodes40:7:versioni1ee")
	if err := folder.write("dht-127.0.0.1", saved); err != nil {
		t.Fatal(err)
	}
	first := openDHTState(folder, stateOfPeers, addrs)
	second := openDHTState(folder, stateOfPeers, addrs)
	if first.lock == nil || second.lock != nil {
		t.Fatalf("locks %v, %v", first.lock, second.lock)
	}
	if got := first.load(c); !bytes.Equal(got, saved) {
		t.Errorf("the first has %q", got)
	}
	if got, want := second.load(c), "d6:nodes40:7:versioni1ee"; string(got) != want {
		t.Errorf("the second has %q, want %q", got, want)
	}
	first.close()
	third := openDHTState(folder, stateOfPeers, addrs)
	if third.lock == nil {
		t.Error("nobody can keep the state after the first has ended")
	}
	third.close()
	second.close()
}

// The state of a node bound to one address does not mix with that of the whole machine.
func TestDHTStateName(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:1": "dht", "[::]:1": "dht", "127.0.0.1:1": "dht-127.0.0.1",
		"[2001:db8::1]:1": "dht-2001_db8__1",
	} {
		s := dhtStateToRead(stateDir{}, stateOfPeers,
			[]netip.AddrPort{netip.MustParseAddrPort(addr)})
		if s.name != want {
			t.Errorf("%s: %q, want %q", addr, s.name, want)
		}
	}
}

func TestWithoutIDs(t *testing.T) {
	for _, junk := range []string{"", "x", "i1e", "d", "d3:id4", "d3:id4i1ee trailing"} {
		if got := withoutIDs([]byte(junk)); got != nil {
			t.Errorf("withoutIDs(%q) = %q", junk, got)
		}
	}
	got := withoutIDs([]byte("d3:id41:x3:id61:y6:nodes41:z6:nodes60:e"))
	r := bencode.NewReader(got, bencode.Limits{})
	r.Skip()
	if string(got) != "d6:nodes41:z6:nodes60:e" || r.Close() != nil {
		t.Errorf("withoutIDs = %q", got)
	}
}
