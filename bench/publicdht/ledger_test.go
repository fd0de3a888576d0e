//go:build linux

package publicdht

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestLedger(t *testing.T) {
	node := netip.MustParseAddr("11.200.0.1")
	l := NewLedger(node)
	announce := func(hash string) []byte {
		return fmt.Appendf(nil, "d1:ad2:id20:%s9:info_hash20:%s4:porti1e5:token1:xe1:q13:"+
			"announce_peer1:t1:a1:y1:qe", strings.Repeat("i", hashSize), hash)
	}
	one, two := strings.Repeat("1", hashSize), strings.Repeat("2", hashSize)
	l.note("a", node, announce(one))
	l.note("b", node, announce(one))
	l.note("a", netip.MustParseAddr("11.200.0.2"), announce(two)) // another node
	l.note("a", node, []byte("d1:rd2:id1:xe1:t1:a1:y1:re"))       // an answer
	l.note("a", node, []byte("d1:q4:ping1:t1:a1:y1:q9:info_hash20:13:announce_peer"))
	if n := l.Distinct(); n != 1 {
		t.Errorf("%d torrents were announced, want 1", n)
	}
	if got := l.Traffic(); got != "3 queries a second, 3 at most; 2 nodes a minute at most" {
		t.Errorf("traffic: %s", got)
	}
	if got := l.Traffic(); got != "no queries" {
		t.Errorf("traffic since: %s", got)
	}
	l.Reset()
	if n := l.Distinct(); n != 0 {
		t.Errorf("%d torrents after a reset", n)
	}
	l.note("a", node, announce(two))
	if n := l.Distinct(); n != 1 {
		t.Errorf("%d torrents after a reset and an announcement", n)
	}
}
