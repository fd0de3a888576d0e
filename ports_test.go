package swarmnode

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

var (
	errTaken = fmt.Errorf("listening: %w", syscall.EADDRINUSE)
	quiet    = slog.New(slog.DiscardHandler)
	loopback = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
)

// The port is picked once and remembered, and gives way when it is taken.
func TestBindRemembers(t *testing.T) {
	dir := folder{path: t.TempDir()}
	choice := portChoice{addrs: loopback}
	bound := uint16(0)
	take := func(addrs []netip.AddrPort) error { bound = addrs[0].Port(); return nil }
	if taken, err := choice.bind(quiet, dir, take); err != nil || taken != 0 {
		t.Fatal(taken, err)
	}
	first := bound
	if first < portMin || dir.port() != first {
		t.Fatalf("bound %d, remembered %d", first, dir.port())
	}
	if _, err := choice.bind(quiet, dir, take); err != nil || bound != first {
		t.Fatalf("bound %d, %v, want %d again", bound, err, first)
	}
	taken, err := choice.bind(quiet, dir, func(addrs []netip.AddrPort) error {
		if addrs[0].Port() == first {
			return errTaken
		}
		return take(addrs)
	})
	if err != nil || bound == first || dir.port() != first || taken != first {
		t.Fatalf("bound %d, %v, remembered %d, taken %d", bound, err, dir.port(), taken)
	}
}

// Ports that were named are the only ones tried; otherwise portTries are tried, and no
// more. Only a port in use leads to another one.
func TestBindGivesUp(t *testing.T) {
	for _, c := range []struct {
		choice portChoice
		err    error
		tries  int
	}{
		{portChoice{addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7")}}, errTaken, 1},
		{portChoice{addrs: loopback, port: 7}, errTaken, 1},
		{portChoice{addrs: loopback, any: true}, errTaken, 1},
		{portChoice{addrs: loopback}, errTaken, portTries + 1},
		{portChoice{addrs: loopback}, syscall.EACCES, 1},
	} {
		tries := 0
		_, err := c.choice.bind(quiet, folder{}, func([]netip.AddrPort) error {
			tries++
			return c.err
		})
		listen, ok := errors.AsType[*ListenError](err)
		if !ok || !errors.Is(err, c.err) || tries != c.tries {
			t.Fatalf("%+v: %d tries, %v", c.choice, tries, err)
		}
		if listen.InUse() != (c.err == errTaken) || listen.Privileged() == listen.InUse() ||
			listen.NoAddress() || len(listen.Addrs) != 1 {
			t.Errorf("%+v: in use %v, privileged %v, on %v", c.choice, listen.InUse(),
				listen.Privileged(), listen.Addrs)
		}
	}
}

func TestListenAddrs(t *testing.T) {
	var w *Network
	given := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"),
		netip.MustParseAddrPort("[::1]:9")}
	if got := fmt.Sprint(w.ListenAddrs(given, 7)); got != "[127.0.0.1:7 [::1]:9]" {
		t.Errorf("addresses %s", got)
	}
	all := w.ListenAddrs(nil, 7)
	if len(all) == 0 || all[0].String() != "0.0.0.0:7" {
		t.Errorf("every address: %v", all)
	}
	if got := fmt.Sprint(w.ListenAddrs([]netip.AddrPort{{}}, 7)); got != fmt.Sprint(all) {
		t.Errorf("the zero address stands for %s, want %v", got, all)
	}
}

func TestFolderRemembersPort(t *testing.T) {
	dir := folder{path: t.TempDir()}
	for text, want := range map[string]uint16{"50000\n": 50000, "": 0, "junk": 0, "80": 0,
		"70000": 0, "-1": 0} {
		if err := os.WriteFile(filepath.Join(dir.path, portFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := dir.port(); got != want {
			t.Errorf("port of %q = %d, want %d", text, got, want)
		}
	}
	var none folder
	if err := none.savePort(50000); err != nil || none.port() != 0 || none.keeps() {
		t.Error("the folder that keeps nothing keeps something")
	}
}

func TestOpenFolder(t *testing.T) {
	base := t.TempDir()
	path := filepath.Join(base, "a", "b")
	dir, err := openFolder(quiet, path)
	if err != nil || !dir.writable() {
		t.Fatal(dir, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openFolder(quiet, filepath.Join(file, "below"))
	state, ok := errors.AsType[*StateError](err)
	if !ok || state.Dir != filepath.Join(file, "below") || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
	if dir, err := openFolder(quiet, ""); err != nil || dir.keeps() {
		t.Errorf("no folder: %+v, %v", dir, err)
	}
}
