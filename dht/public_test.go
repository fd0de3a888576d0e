package dht

import (
	"net/netip"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// Each family is told its own port, unless nodes take the one that they see.
func TestPublicPorts(t *testing.T) {
	b := quietBench(t, Limits{})
	b.core.public = [families]uint16{v4: 4000, v6: 6000}
	b.core.addFamily(b.now, v6, ID{})
	six := netip.MustParseAddrPort("[2001:4860::1]:1")
	announced := func(port uint16) (at []int64) {
		before := len(b.sent)
		a := announce{port: port}
		b.core.store(b.now, []storeTarget{{letterAddr('a'), []byte("t")}, {six, []byte("t")}},
			a.request(someHash), func(instant, *storing) {})
		for _, p := range b.sent[before:] {
			m := parsed(t, p.data)
			if m.implied != (port == 0) {
				t.Errorf("implied_port is %v for port %d", m.implied, port)
			}
			at = append(at, m.port)
		}
		return at
	}
	if at := announced(1000); len(at) != 2 || at[0] != 4000 || at[1] != 6000 {
		t.Errorf("announced %v, want 4000 and 6000", at)
	}
	b.core.public[v6] = 0
	if at := announced(1000); len(at) != 2 || at[0] != 4000 || at[1] != 1000 {
		t.Errorf("announced %v, want 4000 and 1000", at)
	}
	if at := announced(0); len(at) != 2 || at[0] == 4000 {
		t.Errorf("announced %v, want the port that nodes see", at)
	}
}

// A running Peers announces another port at once.
func TestPublicPortsAreAnnounced(t *testing.T) {
	ctx := testContext(t)
	first := listen(t, "127.0.0.1")
	router, _ := startNodeOn(t, first, Config{})
	host := addrOf(first).String()
	a, _ := startNodeOn(t, listen(t, "127.0.0.1"), Config{Bootstrap: []string{host}})
	ih := metainfo.Hash{7}
	ports := make(chan uint16)
	go func() {
		defer close(ports)
		for p := range router.Peers(ctx, ih, 1, false) {
			select {
			case ports <- p.Port():
			case <-ctx.Done():
			}
		}
	}()
	go func() {
		for range a.Peers(ctx, ih, 1000, false) {
		}
	}()
	await := func(want uint16) {
		t.Helper()
		timeout := time.After(time.Minute)
		for {
			select {
			case p := <-ports:
				if p == want {
					return
				}
			case <-timeout:
				t.Fatalf("port %d was not announced", want)
			}
		}
	}
	await(1000)
	a.SetPublicPorts(2000, 0)
	await(2000)
}
