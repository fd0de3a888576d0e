package limit

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBans draws who is banned as words, "a1" for number 1 of group a, in the order of
// the bans, and who is left of them when there is place for four.
func TestBans(t *testing.T) {
	for _, c := range []struct{ name, bans, left string }{
		{"few", "a1 b1 c1", "a1 b1 c1"},
		{"as many as fit", "a1 b1 c1 d1", "a1 b1 c1 d1"},
		{"of equal groups the oldest goes", "a1 b1 c1 d1 e1", "b1 c1 d1 e1"},
		{"the oldest of the greatest group goes", "a1 b1 b2 c1 d1", "a1 b2 c1 d1"},
		{"a group cannot end the bans of others", "a1 b1 b2 b3 b4 b5 b6 b7", "a1 b5 b6 b7"},
		{"a second ban takes no second place", "a1 b1 c1 d1 a1 a1 a1", "b1 c1 d1 a1"},
		{"and makes the ban a new one", "a1 b1 c1 d1 a1 e1", "c1 d1 a1 e1"},
		{"when one went, others of its group are no crowd", "a1 a2 b1 b2 c1 c2", "a2 b2 c1 c2"},
	} {
		b := NewBans[string, byte](4)
		for i, who := range strings.Fields(c.bans) {
			b.Ban(time.Duration(i), who, who[0])
		}
		left := ""
		for _, o := range b.order {
			if !b.Has(10, o.key) {
				t.Errorf("%s: %s is remembered and not banned", c.name, o.key)
			}
			left += o.key + " "
		}
		if left != c.left+" " || b.Len() != len(strings.Fields(c.left)) || len(b.until) != b.Len() {
			t.Errorf("%s: left are %s, want %s", c.name, left, c.left)
		}
		for _, who := range strings.Fields(c.bans) {
			if got, want := b.Has(10, who), strings.Contains(c.left, who); got != want {
				t.Errorf("%s: %s is banned: %v, want %v", c.name, who, got, want)
			}
		}
	}
}

// A ban ends after BanTime, from the last time on; those that are over go first.
func TestBansEnd(t *testing.T) {
	b := NewBans[int, int](3)
	if b.Has(0, 1) {
		t.Error("somebody is banned from the start")
	}
	b.Ban(0, 1, 0)
	if !b.Has(BanTime-1, 1) || b.Has(BanTime, 1) {
		t.Error("a ban does not last for BanTime")
	}
	b.Ban(time.Minute, 1, 0)
	if !b.Has(BanTime, 1) || b.Has(BanTime+time.Minute, 1) {
		t.Error("a second ban does not last from then on")
	}
	b.Ban(2*time.Minute, 2, 0)
	b.Ban(3*time.Minute, 3, 1)
	b.Ban(BanTime+3*time.Minute, 4, 1) // all others are over: one makes room
	if b.Len() != 3 || b.Has(BanTime+3*time.Minute, 3) || !b.Has(BanTime+3*time.Minute, 4) {
		t.Errorf("%d bans, %v", b.Len(), b.order)
	}
	if _, ok := b.until[1]; ok {
		t.Error("the first that was over is remembered")
	}
}

func TestNoBans(t *testing.T) {
	var b Bans[int, int]
	b.Ban(0, 1, 1)
	if b.Has(0, 1) || b.Len() != 0 {
		t.Error("the zero value bans somebody")
	}
}

// Whoever owns a network keeps the bans of others as they are.
func ExampleBans() {
	bans := NewBans[string, string](2)
	bans.Ban(0, "203.0.113.5", "203.0.113.0/24")
	for i := range 100 {
		bans.Ban(0, fmt.Sprintf("198.51.100.%d", i), "198.51.100.0/24")
	}
	fmt.Println(bans.Len(), bans.Has(time.Minute, "203.0.113.5"))
	// Output:
	// 2 true
}
