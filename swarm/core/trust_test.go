package core

import (
	"fmt"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
)

// Each fault is forgiven as often as strikesMax says, by itself.
func TestStrikes(t *testing.T) {
	for s := range strikeCount {
		var tr trust
		for i := range strikesMax[s] {
			if why := tr.strike(s); why != ReasonNone {
				t.Fatalf("fault %d ends the connection after %d times: %v", s, i+1, why)
			}
		}
		if other := (s + 1) % strikeCount; tr.strike(other) != ReasonNone {
			t.Errorf("fault %d counts as fault %d", s, other)
		}
		if why := tr.strike(s); why != strikeReasons[s] {
			t.Errorf("fault %d ends in %v, want %v", s, why, strikeReasons[s])
		}
	}
}

// TestTrust draws what happens to a peer: + a right piece, - a wrong one of several
// senders, d a piece delivered, l one lost, a an acquittal. The state that follows is
// proven, suspect, awaited and on probation.
func TestTrust(t *testing.T) {
	for _, c := range []struct{ what, want string }{
		{"", "probation"},
		{"+", "proven"},
		{"-", "suspect probation"},
		{"+-", "proven suspect probation"},
		{"-+", "proven"},
		{"-a", "probation"},
		{"+-a", "proven"},
		{"d", "awaited probation"},
		{"dl", "probation"},
		{"d+", "proven"},
		{"d-", "suspect probation"},
		{"+d", "proven"},
		{"+-d", "proven suspect awaited probation"},
	} {
		var tr trust
		for _, step := range c.what {
			switch step {
			case '+':
				if fresh := tr.onProbation(); tr.praise() != fresh {
					t.Errorf("%s: the end of probation is told wrongly", c.what)
				}
			case '-':
				tr.suspected()
			case 'd':
				tr.delivered()
			case 'l':
				tr.lost()
			case 'a':
				if was := tr.isSuspect(); tr.acquit() != was {
					t.Errorf("%s: an acquittal is told wrongly", c.what)
				}
			}
		}
		got := ""
		for _, s := range []struct {
			is   bool
			name string
		}{{tr.isProven(), "proven "}, {tr.isSuspect(), "suspect "}, {tr.isAwaited(), "awaited "},
			{tr.onProbation(), "probation "}} {
			if s.is {
				got += s.name
			}
		}
		if got != c.want && got != c.want+" " {
			t.Errorf("%q: %s, want %s", c.what, got, c.want)
		}
	}
}

// A web server may send serverWrongMax wrong pieces more than right ones.
func TestServedWrong(t *testing.T) {
	var tr trust
	for i := range serverWrongMax - 1 {
		if tr.servedWrong() {
			t.Fatalf("banned after %d wrong pieces", i+1)
		}
	}
	tr.praise()
	if tr.servedWrong() {
		t.Error("a right piece makes up for no wrong one")
	}
	if !tr.servedWrong() {
		t.Errorf("not banned after %d wrong pieces more than right ones", serverWrongMax)
	}
	tr = trust{}
	for range 10 {
		tr.praise()
	}
	for range serverWrongMax - 1 {
		tr.servedWrong()
	}
	if !tr.servedWrong() {
		t.Error("right pieces are saved up for wrong ones")
	}
}

// A wrong piece says something of the one file that it is of, padding apart.
func TestFileOf(t *testing.T) {
	files := ""
	for i, length := range []int{2 * block.Size, block.Size + 1, block.Size - 1, block.Size / 2,
		block.Size / 2, 3 * block.Size} {
		pad := ""
		if i == 4 {
			pad = "4:attr1:p"
		}
		files += fmt.Sprintf("d%s6:lengthi%de4:pathl1:%cee", pad, length, 'a'+i)
	}
	info, err := metainfo.ParseInfo(fmt.Appendf(nil,
		"d5:filesl%se4:name1:n12:piece lengthi%de6:pieces160:%se",
		files, block.Size, strings.Repeat("0123456789abcdefghij", 8)))
	if err != nil {
		t.Fatal(err)
	}
	for piece, want := range [][2]int{{0, 2}, {0, 2}, {2, 4}, {3, 4}, {4, 5}, {5, 8}, {5, 8},
		{5, 8}} {
		if first, end := fileOf(info.Layout(), piece); [2]int{first, end} != want {
			t.Errorf("piece %d: %d to %d, want %v", piece, first, end, want)
		}
	}
}
