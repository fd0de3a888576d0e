package core

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// An answeringTest drives the queue of one peer by words: m5 is a request for block 5 of the
// metadata, of ten blocks, h5 one for the hashes of range 5, ! is what was refused. A take
// answers what may be answered, given how many requests wait for pieces to be read; a sent
// tells that the writer is done with some answers.
type answeringTest struct{ queue answering }

func (a *answeringTest) do(word string) string {
	n, _ := strconv.Atoi(word[1:])
	switch word[0] {
	case 'm':
		if !a.queue.queueMetadata(uint32(n), 10) {
			return "!"
		}
	case 'h':
		if !a.queue.mayQueueHashes() {
			return "!"
		}
		a.queue.queueHashes(metainfo.HashRange{Index: uint32(n)})
	case 's':
		a.queue.sent(n)
	case 't':
		var words []string
		for q, ok := a.queue.next(n); ok; q, ok = a.queue.next(n) {
			a.queue.handed()
			words = append(words, showQuestion(q))
		}
		return strings.Join(words, " ")
	}
	a.queue.check()
	return ""
}

func showQuestion(q question) string {
	if q.hashes {
		return fmt.Sprint("h", q.hashRange.Index)
	}
	return fmt.Sprint("m", q.block)
}

// run carries out the words of a line, and returns what they led to.
func (a *answeringTest) run(line string) string {
	var said []string
	for _, word := range strings.Fields(line) {
		if s := a.do(word); s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, " ")
}

func TestAnswering(t *testing.T) {
	full := "m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m0 m1 m2 m3 m4 m5 m6 m7 m8 m9"
	ahead := strings.Join(strings.Fields(full)[:answersAhead], " ")
	next := strings.Fields(full)[answersAhead]
	for name, test := range map[string]struct{ line, want string }{
		"nothing was asked":                {"t0 s5 t0", ""},
		"in order":                         {"m3 m1 m3 t0", "m3 m1 m3"},
		"metadata and hashes take turns":   {"m1 m2 h1 h2 t0", "h1 m1 h2 m2"},
		"hashes alone":                     {"h1 h2 t0", "h1 h2"},
		"a block that does not exist":      {"m10 t0", "!"},
		"as many as the writer may have":   {full + " t0", ahead},
		"room for one more":                {full + " t0 s1 t0", ahead + " " + next},
		"what is being read takes room":    {fmt.Sprintf("%s t%d", full, answersAhead-1), "m0"},
		"no room while all are being read": {fmt.Sprintf("%s t%d", full, answersAhead), ""},
		"the writer is done with no more than it had": {"m1 t0 s9 s9 " + full + " t0",
			"m1 " + ahead},
	} {
		if got := new(answeringTest).run(test.line); got != test.want {
			t.Errorf("%s: %s: got %q, want %q", name, test.line, got, test.want)
		}
	}
}

// What waits is bounded, and what is given as well: hashes by the second, metadata for good.
func TestAnsweringIsBounded(t *testing.T) {
	refused := func(a *answeringTest, word string, times int) (n int) {
		for range times {
			if a.do(word) == "!" {
				n++
			}
		}
		return n
	}
	for _, test := range []struct {
		word  string
		queue int
	}{{"m1", metadataQueueMax}, {"h1", hashQueueMax}} {
		var a answeringTest
		if got := refused(&a, test.word, test.queue+3); got != 3 {
			t.Errorf("%s: %d refused of %d, want 3", test.word, got, test.queue+3)
		}
	}
	given := func(a *answeringTest, word string) (n int) {
		for range 1000 {
			if a.do(word) == "" {
				n++
			}
			a.run("t0 s1")
		}
		return n
	}
	var a answeringTest
	if got, want := given(&a, "m1"), 3*10+metadataSpare; got != want {
		t.Errorf("%d blocks were given, want %d", got, want)
	}
	if got := given(&a, "h1"); got != hashRate {
		t.Errorf("%d ranges were given, want %d", got, hashRate)
	}
	a.queue.sweep()
	if a.do("m1") != "!" || a.do("h1") != "" {
		t.Error("a second later, not hashes alone are given again")
	}
}
