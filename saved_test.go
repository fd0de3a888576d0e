package swarmnode

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// The first process keeps the state; another has the nodes without the ids.
func TestSavedNodesAreKeptByOne(t *testing.T) {
	dir := folder{path: t.TempDir()}
	saved := []byte("d3:id420:aaaaaaaaaaaaaaaaaaaa6:nodes40:7:versioni1ee")
	if err := os.WriteFile(filepath.Join(dir.path, "dht"), saved, 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := keepNodes(dir, "dht"), keepNodes(dir, "dht")
	if first.lock == nil || second.lock != nil {
		t.Fatalf("locks %v, %v", first.lock, second.lock)
	}
	if got := first.load(quiet); !bytes.Equal(got, saved) {
		t.Errorf("the first has %q", got)
	}
	if got, want := second.load(quiet), "d6:nodes40:7:versioni1ee"; string(got) != want {
		t.Errorf("the second has %q, want %q", got, want)
	}
	if err := second.save([]byte("x")); err != nil {
		t.Error(err)
	}
	if err := first.save([]byte("de")); err != nil {
		t.Error(err)
	}
	if got := first.load(quiet); string(got) != "de" {
		t.Errorf("the first saved, and there is %q", got)
	}
	first.close()
	third := keepNodes(dir, "dht")
	if third.lock == nil {
		t.Error("nobody can keep the state after the first has ended")
	}
	third.close()
	second.close()
	if reader := readNodes(dir, "dht"); reader.lock != nil || reader.save([]byte("x")) != nil {
		t.Error("a reader keeps the state")
	}
	if keeper := keepNodes(folder{path: dir.path, readOnly: true}, "dht"); keeper.lock != nil {
		t.Error("the state is kept in a folder that cannot be written to")
	}
}

// The state of a node bound to one address does not mix with that of the whole machine.
func TestNodesFile(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:1": "dht", "[::]:1": "dht", "127.0.0.1:1": "dht-127.0.0.1",
		"[2001:db8::1]:1": "dht-2001_db8__1",
	} {
		got := nodesFile(nodesOfPeers, []netip.AddrPort{netip.MustParseAddrPort(addr)})
		if got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
