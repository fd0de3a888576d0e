package swarmnode

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/swarm/egress"
	"swarmnode/swarm/portmap"
	"swarmnode/swarm/reach"
)

// Ports are mapped where a router can lead to them.
func TestPortMapSet(t *testing.T) {
	var none *PortMap
	none.Set([]netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1")}, true, true)
	if none.State() != nil {
		t.Error("nothing has a state")
	}
	none.Close()
	p := &PortMap{portmap.New(portmap.Config{Net: elsewhere(t)})}
	defer p.Close()
	p.Set([]netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[fe80::1%lo]:2"),
		netip.MustParseAddrPort("[::1]:3"), netip.MustParseAddrPort("192.0.2.7:4"), {},
	}, true, true)
	at := netip.MustParseAddr("192.0.2.7")
	want := []portmap.Want{{Proto: portmap.TCP, Port: 4, Addr: at},
		{Proto: portmap.UDP, Port: 4, Addr: at}}
	var got []portmap.Want
	for _, row := range p.State() {
		got = append(got, row.Want)
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("mapped are %v, want %v", got, want)
	}
	p.Set([]netip.AddrPort{netip.AddrPortFrom(at, 5)}, false, true)
	if rows := p.State(); len(rows) != 1 || rows[0].Want.Proto != portmap.UDP {
		t.Errorf("mapped for UDP: %v", rows)
	}
}

// elsewhere returns the way of a device that has no routers.
func elsewhere(t *testing.T) *egress.Net {
	t.Helper()
	n, err := egress.New(egress.Config{Device: "lo"})
	if err != nil {
		t.Skip(err)
	}
	return n
}

// Nodes that nobody can connect to from outside map nothing.
func TestNodesWithoutPortMap(t *testing.T) {
	for name, cfg := range map[string]Config{
		"--no-portmap": {NoPortmap: true}, "loopback": {},
	} {
		n := startNode(t, cfg)
		if rows := n.Mappings(); len(rows) > 0 {
			t.Errorf("%s: mapped are %v", name, rows)
		}
	}
	through, err := NewNetwork(NetworkConfig{Proxy: "socks5://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if through.MapPorts(nil) != nil {
		t.Error("a router is asked past a proxy")
	}
	for name, cfg := range map[string]DHTConfig{
		"no portmap": {NoPortmap: true}, "read-only": {ReadOnly: true},
	} {
		cfg.Listen, cfg.Bootstrap, cfg.Network = loopback, []string{}, nil
		d, err := StartDHT(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if d.mapped != nil {
			t.Errorf("%s: a DHT node maps ports", name)
		}
	}
}

// The secret of mappings is the same in each run, and nobody else can read it.
func TestSecretIsKept(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	f := folder{path: t.TempDir()}
	secret := f.secret(log)
	if len(secret) != secretBytes || !bytes.Equal(secret, f.secret(log)) {
		t.Errorf("two secrets: %x, %x", secret, f.secret(log))
	}
	file := filepath.Join(f.path, secretFile)
	if st, err := os.Stat(file); err != nil || st.Mode().Perm()&0o077 != 0 {
		t.Errorf("the file of the secret: %v, %v", st, err)
	}
	for _, other := range []folder{{}, {path: t.TempDir()}, {path: f.path + "x", readOnly: true}} {
		if s := other.secret(log); len(s) != secretBytes || bytes.Equal(s, secret) {
			t.Errorf("another folder has the secret %x", s)
		}
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := f.secret(log); len(s) != secretBytes || !bytes.Equal(s, f.secret(log)) {
		t.Errorf("after a file of another length: %x", s)
	}
	if said.Len() > 0 {
		t.Errorf("said: %s", said.String())
	}
	if err := os.RemoveAll(f.path); err != nil {
		t.Fatal(err)
	}
	if f.secret(log); said.Len() == 0 {
		t.Error("a secret that cannot be kept is not told")
	}
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

// The engine learns which ports are mapped, and whether an answer is awaited.
func TestMappingsOf(t *testing.T) {
	outside := netip.MustParseAddrPort("192.0.2.7:9")
	tcp := portmap.Mapping{Want: portmap.Want{Proto: portmap.TCP, Port: 5}, By: portmap.UPnP,
		External: outside}
	udp := portmap.Mapping{Want: portmap.Want{Proto: portmap.UDP, Port: 5}}
	known := mappingsOf([]portmap.Mapping{tcp, udp})
	want := reach.MappedPort{TCP: true, Port: 5, External: outside, By: "UPnP"}
	if !known.Asking || len(known.Ports) != 1 || known.Ports[0] != want {
		t.Errorf("got %+v", known)
	}
	udp.Err = portmap.ErrSilent
	if known := mappingsOf([]portmap.Mapping{udp}); known.Asking || len(known.Ports) > 0 {
		t.Errorf("after a refusal: %+v", known)
	}
}
