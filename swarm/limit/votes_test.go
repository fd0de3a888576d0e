package limit

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// election casts votes written as "voter:address" or "voter:address:port", where a
// voter is a letter and an address a digit, and returns the elected address in the
// same form, "-" for none.
func election(v *Votes, script string) string {
	for _, word := range strings.Fields(script) {
		voter := netip.PrefixFrom(netip.AddrFrom4([4]byte{30, 0, word[0], 0}), 24)
		v.Cast(voter, candidate(word[2:]))
	}
	won := v.Elected()
	if !won.IsValid() {
		return "-"
	}
	digit := won.Addr().As4()[3]
	if won.Port() == 0 {
		return fmt.Sprint(digit)
	}
	return fmt.Sprintf("%d:%d", digit, won.Port())
}

// candidate reads "address" or "address:port".
func candidate(s string) netip.AddrPort {
	address, port, _ := strings.Cut(s, ":")
	var p uint16
	fmt.Sscan(port, &p)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{50, 0, 0, address[0] - '0'}), p)
}

// TestVotes draws elections of five remembered voters of whom three must agree.
func TestVotes(t *testing.T) {
	for _, c := range []struct{ why, script, want string }{
		{"nobody has voted", "", "-"},
		{"two are too few", "a:1 b:1", "-"},
		{"three are enough", "a:1 b:1 c:1", "1"},
		{"one voter has one vote, however often", "a:1 a:1 a:1 b:1", "-"},
		{"the last vote of a voter counts", "a:1 b:1 a:2 c:1", "-"},
		{"the winner needs more than half of all", "a:2 b:2 c:1 d:1 e:1", "1"},
		{"an address stays until another wins", "a:1 b:1 c:1 d:2 e:2", "1"},
		{"voters who change their mind elect another", "a:1 b:1 c:1 a:2 b:2 c:2", "2"},
		{"the oldest vote is forgotten first", "a:1 b:1 c:1 d:2 e:2 f:2", "2"},
		{"a vote renewed is not the oldest", "a:1 b:1 c:1 d:2 e:2 a:1 f:2", "2"},
		{"split votes elect nobody", "a:1 b:2 c:3 d:4 e:5", "-"},
		{"voters agree on the port", "a:1:7 b:1:7 c:1:7", "1:7"},
		{"most voters agree on the port", "a:1:7 b:1:8 c:1:7", "1:7"},
		{"the last voter need not name the elected port", "a:1:7 b:1:7 c:1:8", "1:7"},
		{"voters disagree on the port", "a:1:7 b:1:8 c:1:9", "1"},
		{"half of the voters are not most", "a:1:7 b:1:8 c:1:7 d:1:8", "1"},
		{"ports of other addresses do not count", "a:2:7 b:2:7 c:1:7 d:1:8 e:1:9", "1"},
		{"a port can be lost", "a:1:7 b:1:7 c:1:7 d:1:8 e:1:8 f:1:9", "1"},
	} {
		v := NewVotes(5, 3)
		if got := election(&v, c.script); got != c.want {
			t.Errorf("%s: %q elects %s, want %s", c.why, c.script, got, c.want)
		}
		if len(v.votes) > 5 {
			t.Errorf("%q: %d votes are remembered, want at most 5", c.script, len(v.votes))
		}
	}
}

// Cast reports each change of the elected address once.
func TestVotesReportChanges(t *testing.T) {
	v := NewVotes(8, 2)
	var changes []string
	for _, word := range strings.Fields("a:1 b:1 c:1 d:1 a:2 b:2 e:2 f:2 g:2") {
		voter := netip.PrefixFrom(netip.AddrFrom4([4]byte{30, 0, word[0], 0}), 24)
		if v.Cast(voter, candidate(word[2:])) {
			changes = append(changes, word)
		}
	}
	if got, want := fmt.Sprint(changes), "[b:1 e:2]"; got != want {
		// Voters a and b have left address 1 by then, so e:2 makes it three of five.
		t.Errorf("changes at %s, want %s", got, want)
	}
}

// A zero Votes remembers nobody, so it elects nothing.
func TestZeroVotes(t *testing.T) {
	var v Votes
	if got := election(&v, "a:1 b:1 c:1 d:1"); got != "-" || len(v.votes) > 0 {
		t.Errorf("zero Votes elects %s by %d votes", got, len(v.votes))
	}
}
