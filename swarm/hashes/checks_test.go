package hashes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

// setOf makes a set of a picture: a piece is in it that is marked x.
func setOf(picture string) *bits.Set {
	set := bits.New(len(picture))
	for i := range picture {
		if picture[i] == 'x' {
			set.Add(i)
		}
	}
	return set
}

// A deferredTest drives a Deferred by a script:
//
//	begin PICTURE      x has data
//	know PIECE         "no" if it did not wait for that
//	next               the pieces to verify
//	done PIECE         "no" if it was not being verified
//	finish             "over" if it is
//	state              for each piece w waiting, r ready, f being verified, . done
type deferredTest struct{ check Deferred }

func (d *deferredTest) do(_ time.Duration, command string, args []string) string {
	ok := true
	defer d.check.Check()
	switch command {
	case "begin":
		d.check.Begin(setOf(args[0]))
	case "know":
		ok = d.check.Know(number(args[0]))
	case "next":
		return allOf(d.check.Next)
	case "done":
		ok = d.check.Done(number(args[0]))
	case "finish":
		if d.check.Finish() {
			return "over"
		}
	case "state":
		if !d.check.Active() {
			return "idle"
		}
		var picture strings.Builder
		for i := range d.check.waiting.Len() {
			picture.WriteByte(mark(i, "rwf", d.check.ready, d.check.waiting, d.check.flying))
		}
		return picture.String()
	}
	if !ok {
		return "no"
	}
	return ""
}

// mark returns the letter of the first set that has piece i.
func mark(i int, letters string, sets ...*bits.Set) byte {
	for k, set := range sets {
		if set.Has(i) {
			return letters[k]
		}
	}
	return '.'
}

// allOf calls next until it has no more.
func allOf(next func() (int, bool)) string {
	var words []string
	for piece, ok := next(); ok; piece, ok = next() {
		words = append(words, fmt.Sprint(piece))
	}
	return strings.Join(words, " ")
}

func TestDeferred(t *testing.T) {
	for name, script := range map[string]string{
		"nothing to check": `
			0s know 0 -> no
			0s next ->
			0s done 0 -> no
			0s finish ->
			0s begin ..
			0s state -> idle`,
		"a piece is verified once its hash is known": `
			0s begin xx.x
			0s state -> ww.w
			0s next ->
			0s know 2 -> no
			0s know 3
			0s state -> ww.r
			0s next -> 3
			0s state -> ww.f
			0s next ->
			0s done 3
			0s done 3 -> no
			0s state -> ww..
			0s finish ->`,
		"it is over when all were verified": `
			0s begin xx
			0s know 0
			0s know 1
			0s next -> 0 1
			0s finish ->
			0s done 1
			0s finish ->
			0s done 0
			0s finish -> over
			0s state -> idle
			0s finish ->`,
		"a piece that is being verified waits no more": `
			0s begin x
			0s know 0
			0s next -> 0
			0s know 0 -> no
			0s next ->`,
	} {
		t.Run(name, func(t *testing.T) { play(t, script, new(deferredTest).do) })
	}
}

// A recheckTest drives a Recheck by a script:
//
//	begin PICTURE      x has its hash in the tree
//	pieces PICTURE     how far each is: . absent, c coming, t there
//	know PIECE
//	next               the pieces to verify
//	done PIECE         "no" if it was not being verified
//	among PICTURE      which of these have both hashes; "all" if nothing is left out
//	state              for each piece ? not known, r ready, f being verified, . done
type recheckTest struct {
	check  Recheck
	pieces string
}

func (r *recheckTest) do(now time.Duration, command string, args []string) string {
	defer r.check.Check()
	standing := func(i int) Standing {
		return map[byte]Standing{'.': Absent, 'c': Coming, 't': There}[r.pieces[i]]
	}
	switch command {
	case "begin":
		known := setOf(args[0])
		return r.check.Begin(now, known.Len(), known.Has).String()
	case "pieces":
		r.pieces = args[0]
	case "know":
		r.check.Know(number(args[0]), standing(number(args[0])))
	case "next":
		defer r.check.Finish()
		return allOf(func() (int, bool) { return r.check.Next(standing) })
	case "done":
		if !r.check.Done(number(args[0])) {
			return "no"
		}
	case "among":
		if !r.check.Waits(now) {
			return "all"
		}
		have := setOf(args[0])
		among, picture := r.check.Among(have), []byte(args[0])
		for i := range picture {
			picture[i] = mark(i, "x", among)
		}
		return string(picture)
	case "state":
		if !r.check.Active() {
			return "idle"
		}
		var picture strings.Builder
		for i := range r.check.known.Len() {
			m := mark(i, "rf", r.check.ready, r.check.flying)
			if !r.check.known.Has(i) {
				m = '?'
			}
			picture.WriteByte(m)
		}
		return picture.String()
	}
	return ""
}

func TestRecheck(t *testing.T) {
	for name, script := range map[string]string{
		"nothing to check": `
			0s pieces t
			0s know 0
			0s next ->
			0s done 0 -> no
			0s among x -> all
			0s state -> idle`,
		"only pieces with both hashes are asked for, for three seconds": `
			1s begin x.x. -> 4s
			1s among xxx. -> x.x.
			3.9s among .xxx -> ..x.
			4s among xxx. -> all`,
		"a piece that was verified with one hash is verified with both": `
			0s begin x.. -> 3s
			0s pieces ttt
			0s state -> .??
			0s know 1
			0s state -> .r?
			0s next -> 1
			0s state -> .f?
			0s know 1
			0s next ->
			0s done 1
			0s done 1 -> no
			0s state -> ..?`,
		"a piece that is being verified without it is verified again afterwards": `
			0s begin .. -> 3s
			0s pieces ct
			0s know 0
			0s know 1
			0s next -> 1
			0s state -> rf
			0s pieces tt
			0s next -> 0`,
		"a piece that is lost meanwhile needs no second look": `
			0s begin .. -> 3s
			0s pieces ct
			0s know 0
			0s pieces .t
			0s next ->
			0s state -> .?`,
		"nor does one that comes later": `
			0s begin .. -> 3s
			0s pieces .t
			0s know 0
			0s state -> .?`,
		"it is over when all were verified": `
			0s begin x. -> 3s
			0s pieces tt
			0s know 1
			0s next -> 1
			0s state -> .f
			0s done 1
			0s next ->
			0s state -> idle`,
		"pieces beyond the end are no pieces": `
			0s begin . -> 3s
			0s pieces ttt
			0s know 2
			0s state -> ?`,
	} {
		t.Run(name, func(t *testing.T) { play(t, script, new(recheckTest).do) })
	}
}

// Few pieces are being verified at a time.
func TestChecksAreBounded(t *testing.T) {
	const n = 2 * verifyMax
	var d Deferred
	var r Recheck
	d.Begin(bits.Full(n))
	r.Begin(0, n, func(int) bool { return false })
	for i := range n {
		d.Know(i)
		r.Know(i, There)
	}
	there := func(int) Standing { return There }
	for name, next := range map[string]func() (int, bool){"deferred": d.Next,
		"recheck": func() (int, bool) { return r.Next(there) }} {
		if got := len(strings.Fields(allOf(next))); got != verifyMax {
			t.Errorf("%s: %d pieces are being verified, want %d", name, got, verifyMax)
		}
	}
	d.Done(0)
	if piece, ok := d.Next(); !ok || piece != verifyMax {
		t.Errorf("after one is done, %d %v is next, want %d", piece, ok, verifyMax)
	}
}
