package dht

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
)

func TestParseBootstrap(t *testing.T) {
	tests := []struct {
		name, text string
		hosts      []string
		faults     int
	}{
		{"empty", "", nil, 0},
		{"comments and blank lines", "# hosts\n\n  \t\nrouter.example:6881 # the first\n",
			[]string{"router.example:6881"}, 0},
		{"windows", "\ufeff1.2.3.4:5\r\n[2001:db8::1]:6\r\n",
			[]string{"1.2.3.4:5", "[2001:db8::1]:6"}, 0},
		{"no newline at the end", "a.b:1", []string{"a.b:1"}, 0},
		{"repetitions", "A.b:1\na.B:1\n1.2.3.4:5\n::1\n[::ffff:1.2.3.4]:5",
			[]string{"a.b:1", "1.2.3.4:5"}, 1},
		{"ports", "a:0\na:65536\na:-1\na:x\na:\na\na:65535", []string{"a:65535"}, 6},
		{"hosts", ":1\n-:1\na b:1\na..b:1\n0.0.0.0:1\n224.0.0.1:1\n1.2.3:4\n999.1.1.1:1\nx:1",
			[]string{"-:1", "x:1"}, 7},
	}
	for _, test := range tests {
		hosts, faults := ParseBootstrap([]byte(test.text))
		if !slices.Equal(hosts, test.hosts) || len(faults) != test.faults {
			t.Errorf("%s: %q, %v; want %q and %d faults", test.name, hosts, faults, test.hosts,
				test.faults)
		}
	}
}

func TestParseBootstrapBounds(t *testing.T) {
	hosts, faults := ParseBootstrap([]byte(strings.Repeat("no host at all\n", 1<<20)))
	if len(hosts) != 0 || len(faults) > bootstrapErrorsMax+1 {
		t.Errorf("%d hosts, %d faults", len(hosts), len(faults))
	}
	var b strings.Builder
	for i := range 5000 {
		b.WriteString(publicAddr(i).String() + "\n")
	}
	if hosts, _ := ParseBootstrap([]byte(b.String())); len(hosts) != bootstrapHostsMax {
		t.Errorf("%d hosts, want %d", len(hosts), bootstrapHostsMax)
	}
}

func FuzzBootstrap(f *testing.F) {
	f.Add([]byte("\ufeff# x\r\n1.2.3.4:5\r\n[::1]:6\nname.example:7\n"))
	f.Add([]byte("a:99999\n[fe80::1%eth0]:1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		hosts, _ := ParseBootstrap(text)
		for _, h := range hosts {
			again, err := ParseHost(h)
			if err != nil || again != h {
				t.Errorf("%q becomes %q, %v", h, again, err)
			}
		}
		if _, _, err := splitHosts(hosts); err != nil {
			t.Error(err)
		}
	})
}

// TestResolve looks up all names at once. A name that hangs costs five seconds, and the
// other names keep their addresses.
func TestResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		resolve := func(ctx context.Context, host string) ([]netip.Addr, error) {
			switch host {
			case "both":
				return []netip.Addr{netip.MustParseAddr("1.2.3.4"),
					netip.MustParseAddr("2001:db8::1")}, nil
			case "hangs":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, errors.New("no such host")
		}
		addrs, err := resolveHosts(t.Context(), []string{"hangs:1", "both:2", "nowhere:3"}, resolve)
		want := []netip.AddrPort{netip.MustParseAddrPort("1.2.3.4:2"),
			netip.MustParseAddrPort("[2001:db8::1]:2")}
		if !slices.Equal(addrs, want) {
			t.Errorf("addresses %v, want %v", addrs, want)
		}
		if err == nil || !strings.Contains(err.Error(), "nowhere") ||
			!strings.Contains(err.Error(), "hangs") {
			t.Errorf("error %v", err)
		}
		if d := time.Since(began); d != resolveTimeout {
			t.Errorf("took %v, want %v", d, resolveTimeout)
		}
	})
}

// TestBootstrapByName joins through a name that resolves only at the third
// try.
func TestBootstrapByName(t *testing.T) {
	_, first := startNode(t)
	tries := 0
	n, _ := startNodeOn(t, listen(t, "127.0.0.1"), Config{
		Bootstrap: []string{"boot.example:" + first.String()[strings.LastIndexByte(first.String(),
			':')+1:]},
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			if tries++; tries < 2 {
				return nil, errors.New("not yet")
			}
			return []netip.Addr{first.Addr()}, nil
		},
	})
	if err := n.Join(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefusesBadHosts(t *testing.T) {
	_, err := New(Config{Conns: []net.PacketConn{listen(t, "127.0.0.1")},
		Bootstrap: []string{"nowhere"}})
	if err == nil {
		t.Error("no error for a host without a port")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no error without a connection")
	}
}

// TestBackOff: a node that nobody answers asks its bootstrap host less and less often,
// but at least every 75 seconds, for ever.
func TestBackOff(t *testing.T) {
	s := newSimNet(t, 1)
	host := publicAddr(77)
	n := s.add(publicAddr(1), host)
	var at []time.Duration
	s.byAddr[host] = &simNode{net: s, addr: host, tickAt: forever,
		handle: func(now instant, _ netip.AddrPort, _ []byte) { at = append(at, now-clockStart) }}
	s.run(time.Hour, nil)
	if len(at) < 50 || len(at) > 90 || at[0] != 0 {
		t.Fatalf("asked %d times, first after %v", len(at), at[0])
	}
	if at[1] > time.Second || at[4] > 8*time.Second {
		t.Errorf("asked after %v: too slow at first", at[:5])
	}
	for i := range at[1:] {
		if d := at[i+1] - at[i]; d > joinDelayMax*5/4+shortTimeoutMax {
			t.Errorf("pause of %v", d)
		}
	}
	boot := s.add(host)
	s.run(80*time.Second, nil)
	if !n.f.joined || boot.f.table.count != 1 {
		t.Error("not joined when the host came")
	}
	boot.dead = true
	s.run(time.Hour, nil)
	if n.f.joined {
		t.Error("still joined though nobody is left")
	}
	boot.dead = false
	s.run(80*time.Second, nil)
	if !n.f.joined {
		t.Error("not joined again when the host came back")
	}
}

func TestStateFormat(t *testing.T) {
	b := newBench(t, coreConfig{})
	if b.core.save(b.now, time.Now()) != nil {
		t.Error("a state without contacts")
	}
	b.fill(50)
	state := b.core.save(b.now, time.Now())
	s := parseState(state)
	if s.families[v4].id != b.f.id || len(s.families[v4].nodes) != b.f.table.count {
		t.Errorf("id %v, %d nodes; want %v, %d", s.families[v4].id, len(s.families[v4].nodes),
			b.f.id, b.f.table.count)
	}
	old := b.core.save(b.now, time.Now().Add(-2*stateAge))
	if s := parseState(old); len(s.families[v4].nodes) != 0 {
		t.Errorf("%d nodes from long ago", len(s.families[v4].nodes))
	}
	for _, bad := range []string{"", "d", "de", "le", "d7:versioni2ee",
		string(state[:len(state)-1]), string(state) + "x", strings.Repeat("x", stateMax+1)} {
		if s := parseState([]byte(bad)); s.families[v4].nodes != nil {
			t.Errorf("%.20q gives nodes", bad)
		}
	}
}

func FuzzState(f *testing.F) {
	b := newBench(f, coreConfig{})
	b.fill(5)
	f.Add(b.core.save(b.now, time.Now()))
	f.Add([]byte("d6:nodes430:" + strings.Repeat("x", 30) + "7:versioni1ee"))
	f.Fuzz(func(t *testing.T, state []byte) {
		for _, fam := range parseState(state).families {
			for _, n := range fam.nodes {
				if !usable(n.Addr) {
					t.Errorf("node %v", n)
				}
			}
		}
	})
}

// TestWriteState: the file is the old one or the new one, and no other file is left
// behind.
func TestWriteState(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "nodes")
	if b, err := ReadState(path); b != nil || err != nil {
		t.Errorf("missing file: %q, %v", b, err)
	}
	for _, s := range []string{"one", "two"} {
		if err := WriteState(path, []byte(s)); err != nil {
			t.Fatal(err)
		}
		if b, err := ReadState(path); string(b) != s || err != nil {
			t.Errorf("%q, %v; want %q", b, err, s)
		}
	}
	if err := WriteState(path, nil); err != nil {
		t.Error(err)
	}
	if err := WriteState(filepath.Join(dir, "none", "nodes"), []byte("x")); err == nil {
		t.Error("no error for a folder that is not there")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files in the folder, want 1", len(list))
	}
}

// TestPeersPause: the pauses are short at first, and below 15 minutes for ever.
func TestPeersPause(t *testing.T) {
	for round := range 100 {
		for _, found := range []int{0, 5, 1000} {
			d := peersPause(round, found)
			if d > 15*time.Minute || d < 500*time.Millisecond {
				t.Errorf("pause of %v after %d rounds with %d peers", d, round, found)
			}
			if found >= enoughPeers && d < 4*time.Minute {
				t.Errorf("pause of %v though %d peers are known", d, found)
			}
		}
	}
	if d := peersPause(0, 0); d > 1200*time.Millisecond {
		t.Errorf("first pause %v", d)
	}
}

// TestPointer checks the format of BEP 46.
func TestPointer(t *testing.T) {
	ih := metainfo.Hash{1, 2, 3}
	value := AppendPointer(nil, ih)
	if string(value) != "d2:ih20:"+string(ih[:])+"e" {
		t.Errorf("value %q", value)
	}
	if got, ok := ParsePointer(value); !ok || got != ih {
		t.Errorf("%v, %v", got, ok)
	}
	for _, bad := range []string{"", "de", "d2:ih3:abce", "i1e", string(value) + "x"} {
		if _, ok := ParsePointer([]byte(bad)); ok {
			t.Errorf("%q is taken for a pointer", bad)
		}
	}
}
