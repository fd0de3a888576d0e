package tracker

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
)

// Peers wait in their order, and no memory is kept without any.
func TestFound(t *testing.T) {
	f := newFound()
	if _, ok := f.take(); ok {
		t.Error("a peer out of nothing")
	}
	f.add(nil)
	if len(f.news) != 0 {
		t.Error("news of nobody")
	}
	f.add(addrs("1.1.1.1:1", "1.1.1.2:2"))
	f.add(addrs("1.1.1.3:3"))
	var got []netip.AddrPort
	for peer, ok := f.take(); ok; peer, ok = f.take() {
		got = append(got, peer)
	}
	if want := addrs("1.1.1.1:1", "1.1.1.2:2", "1.1.1.3:3"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if f.list != nil {
		t.Error("the memory is kept")
	}
	f.add(make([]netip.AddrPort, 2*foundMax))
	if len(f.list) != foundMax {
		t.Errorf("%d wait, want %d", len(f.list), foundMax)
	}
}

// A caller that leaves in the middle leaves the rest to the one that waits beside it.
func TestPeersAreLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{answer: func(string, Request) (Response, error) {
			return Response{Peers: addrs("5.5.5.5:1", "5.5.5.6:2", "5.5.5.7:3")}, nil
		}}
		a := newAnnouncer(t, n, Config{}, []string{"1.1.1.1"})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := make(chan netip.AddrPort, 10)
		for range 2 {
			go func() {
				for peer := range a.Peers(ctx, hashA, 1, false) {
					got <- peer
					break
				}
			}()
		}
		synctest.Wait()
		if len(got) != 2 {
			t.Errorf("%d of two callers have a peer", len(got))
		}
		for peer := range a.Peers(ctx, hashA, 1, false) {
			if peer != addrs("5.5.5.7:3")[0] {
				t.Errorf("the last one is %v", peer)
			}
			break
		}
		a.Close()
	})
}
