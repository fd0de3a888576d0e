package utp

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// A report that quotes the SYN ends a dial, once the other end has had time for a SYN of its
// own. One that quotes anything else is forged, or late.
func TestRefusedSyn(t *testing.T) {
	const id, first = 7, 100
	for _, c := range []struct {
		name  string
		seq   seq
		after time.Duration
		open  bool
		ends  bool
	}{
		{"our SYN", first, refusedAfter + time.Millisecond, false, true},
		{"its first sending", first, refusedAfter / 2, false, false},
		{"another number", first + 1, 2 * refusedAfter, false, false},
		{"after the answer", first, 2 * refusedAfter, true, false},
	} {
		p := newPair(t, machineConfig{id: id, first: first}, machineConfig{})
		if c.open {
			p.flush()
		}
		p.a.refuse(p.now.Add(c.after), &header{kind: typeSyn, id: id, seq: c.seq})
		over, err := p.a.closed()
		if over != c.ends || over && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: over %v, %v", c.name, over, err)
		}
	}
}

// A dial to a port without anybody fails as soon as the system says so.
func TestDialToNobody(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reports what became of a datagram")
	}
	s := listen(t)
	// Nobody else takes the port of this address meanwhile.
	gone, err := Listen(t.Context(), netip.MustParseAddrPort("127.91.7.3:0"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	at := gone.AddrPort()
	gone.Close()
	start := time.Now()
	conn, err := s.Dial(t.Context(), at)
	if err == nil {
		conn.Close()
		t.Fatal("connected to nobody")
	}
	if !errors.Is(err, ErrRefused) || time.Since(start) < refusedAfter {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if s.refusals.dialling != 0 {
		t.Errorf("%d dials are still watched", s.refusals.dialling)
	}
}
