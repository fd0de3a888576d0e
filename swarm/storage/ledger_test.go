package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
)

// newLedger returns the ledger of three files in pieces of 16 KiB: a has the pieces 0 to 2,
// b 2 and 3, c 3 and 4. The third set of a picture is that of the partfile.
func newLedger(t *testing.T) (*ledger, *metainfo.Layout) {
	t.Helper()
	layout, _ := makeLayout(t, "x", 16<<10, tfile{"a", 40_000, false}, tfile{"b", 20_000, false},
		tfile{"c", 20_000, false})
	l := new(ledger)
	l.init(layout)
	l.partPieces = func(yield func(int) bool) { yield(2) }
	return l, layout
}

// picture draws sets of pieces: "x" for a member.
func picture(s *bits.Set) string {
	text := ""
	for p := range s.Len() {
		if s.Has(p) {
			text += "x"
		} else {
			text += "."
		}
	}
	return text
}

func drawn(text string) *bits.Set {
	s := bits.New(len(text))
	for i, c := range text {
		if c == 'x' {
			s.Add(i)
		}
	}
	return s
}

// Data is durable if it was verified before its sync began. Data that a failed sync may
// have lost is never durable.
func TestLedgerDurable(t *testing.T) {
	fault := errors.New("the disk is gone")
	for _, tt := range []struct {
		name     string
		have     string // verified when the sync begins
		failed   []int  // files
		givenUp  bool
		again    string // verified when a second sync begins, which succeeds
		durable  [2]string
		suspects string
		fault    bool
	}{
		{"all is well", "x.x..", nil, false, "x.xx.", [2]string{"x.x..", "x.xx."}, "", false},
		{"a file fails", "xxxx.", []int{1}, false, "xxxxx", [2]string{"xx...", "xx..x"}, "..xx.",
			true},
		{"the partfile fails", "xxx..", []int{3}, false, "xxx..", [2]string{"xx...", "xx..."},
			"..x..", true},
		{"time is up", "xxxx.", []int{1}, true, "xxxx.", [2]string{"xx...", "xxxx."}, "", false},
		{"nothing was verified", ".....", []int{0, 1}, false, "xxxxx",
			[2]string{".....", "xxxxx"}, ".....", true},
	} {
		l, _ := newLedger(t)
		l.have = drawn(tt.have)
		have, _ := l.toSync()
		o := syncOutcome{failed: make(map[int]struct{}), givenUp: tt.givenUp}
		for _, i := range tt.failed {
			o.failed[i], o.err = struct{}{}, fault
		}
		first := l.synced(have, o)
		if first != tt.fault || (l.syncFault() != nil) != tt.fault {
			t.Errorf("%s: told %v, fault %v", tt.name, first, l.syncFault())
		}
		if got := picture(l.durable); got != tt.durable[0] {
			t.Errorf("%s: durable %s, want %s", tt.name, got, tt.durable[0])
		}
		if len(l.dirty) != len(tt.failed) {
			t.Errorf("%s: %d files are dirty, want %d", tt.name, len(l.dirty), len(tt.failed))
		}
		l.have = drawn(tt.again)
		have, _ = l.toSync()
		if l.synced(have, syncOutcome{}) {
			t.Errorf("%s: a sync that succeeds is told as a failure", tt.name)
		}
		if got := picture(l.durable); got != tt.durable[1] {
			t.Errorf("%s: durable %s, want %s", tt.name, got, tt.durable[1])
		}
		if l.suspect != nil && picture(l.suspect) != tt.suspects {
			t.Errorf("%s: suspect %s, want %s", tt.name, picture(l.suspect), tt.suspects)
		}
		if l.behind() {
			t.Errorf("%s: behind after a sync of everything", tt.name)
		}
	}
}

// A file is as it was left if size and times agree. After a crash one that is not complete
// may also have been written to until shortly after the record was made.
func TestLedgerFound(t *testing.T) {
	const until = 1000
	left := stamp{mtime: 500, ctime: 500, size: 40_000}
	st := func(mtime, ctime, size int64) fileStat {
		return fileStat{mtime: mtime, ctime: ctime, size: size}
	}
	for _, tt := range []struct {
		name  string
		left  stamp
		found fileStat
		have  string
		want  bool
	}{
		{"as it was", left, st(500, 500, 40_000), "xxx..", true},
		{"without a second time", stamp{mtime: 500, size: 40_000}, st(500, 700, 40_000), "xxx..",
			true},
		{"renamed", left, st(500, 700, 40_000), "xxx..", false},
		{"renamed, within the time", left, st(500, 700, 40_000), "xx...", true},
		{"complete, written since", left, st(700, 700, 40_000), "xxx..", false},
		{"incomplete, written since", left, st(700, 700, 40_000), "x.x..", true},
		{"incomplete, written too late", left, st(until+1, until+1, 40_000), "x.x..", false},
		{"incomplete, renamed too late", left, st(700, until+1, 40_000), "x.x..", false},
		{"older than it was", left, st(400, 400, 40_000), "x.x..", false},
		{"incomplete, of another size", left, st(700, 700, 39_999), "x.x..", false},
		{"grown to its length", stamp{mtime: 500, ctime: 500, size: 7}, st(700, 700, 40_000),
			"x.x..", true},
		{"nothing before, nothing now", stamp{}, fileStat{}, ".....", true},
		{"nothing before", stamp{}, st(700, 700, 40_000), ".....", false},
		{"gone", left, fileStat{}, "xxx..", false},
		{"left open", stamp{mtime: 500, ctime: 500, size: 40_000, open: true},
			st(500, 500, 40_000), "xxx..", false},
		{"left wrong", stamp{mtime: 500, ctime: 500, size: 40_000, wrong: true},
			st(500, 500, 40_000), "xxx..", false},
	} {
		l, _ := newLedger(t)
		l.have, l.stamps[0], l.writtenUntil = drawn(tt.have), tt.left, until
		if got := l.found(0, tt.found); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if !l.found(0, tt.found) {
			t.Errorf("%s: found twice, it is not as it was found", tt.name)
		}
	}
}

// A file that Finish found changed is complete again only when its pieces are verified; one
// of another length, or that was doubted, is not.
func TestLedgerFinished(t *testing.T) {
	whole := fileStat{mtime: 9, ctime: 9, size: 40_000}
	for _, tt := range []struct {
		name string
		left stamp
		st   fileStat
		have string
		want bool
	}{
		{"as it was left", stamp{mtime: 9, size: 40_000}, whole, "xxx..", true},
		{"never looked at", stamp{}, whole, "xxx..", true},
		{"touched", stamp{mtime: 8, size: 40_000}, whole, "xxx..", false},
		{"too short", stamp{}, fileStat{mtime: 9, size: 39_999}, "xxx..", false},
		{"found changed, not verified", stamp{again: true}, whole, "xx...", false},
		{"found changed, verified again", stamp{again: true}, whole, "xxx..", true},
		{"doubted", stamp{mtime: 9, size: 40_000, doubted: true}, whole, "xxx..", false},
		{"wrong after a write", stamp{mtime: 9, size: 40_000, wrong: true}, whole, "xxx..", false},
	} {
		l, _ := newLedger(t)
		l.have, l.stamps[0] = drawn(tt.have), tt.left
		if got := l.finished(0, tt.st); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if state := tt.left.state(); (state.Size >= 0) != (tt.left.mtime != 0 &&
			!tt.left.wrong && !tt.left.doubted) {
			t.Errorf("%s: recorded as %+v", tt.name, state)
		}
	}
}

// When a file changes, every piece of it is in doubt until it is hashed, with no change in
// between.
func TestLedgerDoubt(t *testing.T) {
	l, _ := newLedger(t)
	l.allSound()
	first, second := fileStat{mtime: 1, size: 20_000}, fileStat{mtime: 2, size: 20_000}
	l.doubt(1, first) // seen for the first time
	if l.unproven != nil || l.doubtsSoFar() != 0 {
		t.Fatal("a file that is seen for the first time is doubted")
	}
	l.doubt(1, second)
	if got := picture(l.unproven); got != "..xx." || l.doubtsSoFar() != 1 {
		t.Fatalf("in doubt: %s after %d changes", got, l.doubtsSoFar())
	}
	l.doubt(1, second)
	if l.doubtsSoFar() != 1 {
		t.Error("one change counts twice")
	}
	l.proved(2, true, 1)
	l.proved(3, true, 0) // hashed before the change was seen
	if got := picture(l.unproven); got != "...x." || !l.has(3) {
		t.Errorf("in doubt: %s", got)
	}
	l.proved(3, false, 1)
	if l.has(3) || picture(l.durable) != "xxx.x" {
		t.Errorf("a wrong piece stays: have %s, durable %s", picture(l.have), picture(l.durable))
	}
	if unproven, _ := l.isUnproven(3); !unproven {
		t.Error("a wrong piece counts as proven, though more of it may be asked for")
	}
	l.verified(3) // fetched again
	if unproven, _ := l.isUnproven(3); unproven || !l.has(3) {
		t.Error("a piece that was fetched again is still in doubt")
	}
}

// Late pieces count as recorded if the record calls them sound, and leave when they are
// answered.
func TestLedgerLate(t *testing.T) {
	l, _ := newLedger(t)
	l.have = drawn("x....")
	l.late = lateSets{all: drawn(".xxx."), trusted: drawn("..x..")}
	if got := picture(l.accounted()); got != "x.x.." || l.late.unknown() != 2 {
		t.Errorf("accounted %s, %d unknown", got, l.late.unknown())
	}
	if l.trustLate(1) || !l.trustLate(2) || l.trustLate(2) || !l.has(2) {
		t.Error("the piece that the record calls sound is trusted once, and no other")
	}
	if l.removeLate(4) || l.removeLate(1) || l.removeLate(3) {
		t.Error("all pieces count as wrong although one is right")
	}
	if !l.late.none() {
		t.Error("late pieces are left")
	}
	l.have.Clear()
	l.late = lateSets{all: drawn("x..x."), trusted: bits.New(5)}
	if l.removeLate(0) || !l.removeLate(3) {
		t.Error("only the last of the pieces says that all were wrong")
	}
}

// Events come in random order. No piece is durable that was never verified or that a failed
// sync may have lost, and a lost piece is in no set.
func TestLedgerInvariants(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l, layout := newLedger(t)
		ever := bits.New(layout.Pieces())
		log := ""
		for range 60 {
			p, i := rng.IntN(layout.Pieces()), rng.IntN(len(layout.Files)+1)
			switch rng.IntN(6) {
			case 0, 1:
				log += fmt.Sprint("verified ", p, "; ")
				l.wrote(i)
				l.verified(p)
				ever.Add(p)
			case 2:
				log += fmt.Sprint("unsound ", p, "; ")
				l.unsound(p)
				if l.has(p) || l.durable.Has(p) {
					t.Fatalf("seed %d: %spiece %d is still there", seed, log, p)
				}
			case 3:
				log += fmt.Sprint("forget ", i, "; ")
				l.forgetFile(i)
				l.mu.Lock()
				for p := range l.piecesOf(i) {
					if l.have.Has(p) || l.durable.Has(p) {
						t.Fatalf("seed %d: %spiece %d is still there", seed, log, p)
					}
				}
				l.mu.Unlock()
			default:
				have, dirty := l.toSync()
				o := syncOutcome{failed: make(map[int]struct{}), givenUp: rng.IntN(2) == 0}
				for i := range dirty {
					if rng.IntN(4) == 0 {
						o.failed[i], o.err = struct{}{}, errors.New("failed")
					}
				}
				log += fmt.Sprint("sync, failed ", len(o.failed), "; ")
				l.synced(have, o)
			}
			if l.durable.AnyNotIn(ever) {
				t.Fatalf("seed %d: %sdurable %s, verified ever %s", seed, log, picture(l.durable),
					picture(ever))
			}
			if l.suspect != nil {
				both := bits.New(layout.Pieces())
				if both.Intersect(l.suspect, l.durable); !both.None() {
					t.Fatalf("seed %d: %ssuspect and durable: %s", seed, log, picture(both))
				}
			}
		}
	}
}
