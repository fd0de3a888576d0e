package sim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden pictures of testdata again")

// drawn returns the picture of a timeline, which is checked to be well-formed.
func drawn(t *testing.T, tl *Timeline) string {
	t.Helper()
	var b bytes.Buffer
	if err := tl.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	d.Strict = true
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture is not well-formed: %v\n%s", err, b.Bytes())
		}
	}
	if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Errorf("the picture has a coordinate that is no number:\n%s", s)
	}
	return b.String()
}

// two is a swarm of a seed and two leeches, small enough to be looked at.
func two() Scenario {
	leech := Class{Name: "leech <&>", Count: 2, Up: 20 * Mbit, Down: 20 * Mbit,
		Distance: 10 * time.Millisecond}
	return Scenario{Name: "two", Pieces: 32, PieceLength: 64 << 10, Limit: time.Minute,
		Classes: []Class{seed(20 * Mbit), leech}, Check: complete}
}

func observed(t *testing.T, s Scenario) *Timeline {
	t.Helper()
	tl := new(Timeline)
	if _, err := Observe(t.Context(), s, 1, Observer{Timeline: tl}); err != nil {
		t.Fatal(err)
	}
	return tl
}

// TestTimeline: what a timeline says agrees with the result of its run.
func TestTimeline(t *testing.T) {
	for _, s := range []Scenario{two(), nine(), leaving(), churn()} {
		if raced && s.Name != "two" {
			continue // too long with the race detector
		}
		tl := observed(t, s)
		last := len(tl.First) - 1
		if last < samplesMax/4 || last >= samplesMax {
			t.Errorf("%s: %d samples in %v", s.Name, last+1, tl.Result.Ended)
		}
		if got := tl.First[last] + tl.Repeats[last]; math.Abs(got-tl.Result.Copies) > 1e-9 {
			t.Errorf("%s: the seeds sent %.3f copies, want %.3f", s.Name, got, tl.Result.Copies)
		}
		if tl.First[last] > 1 || tl.First[last] < 0.99 {
			t.Errorf("%s: %.3f of the content was sent first", s.Name, tl.First[last])
		}
		for i, c := range tl.Classes {
			if len(c.Had) != last+1 || len(c.Had[0]) != tl.Result.Classes[i].Count {
				t.Fatalf("%s: class %s has %d samples of %d nodes", s.Name, c.Name, len(c.Had),
					len(c.Had[0]))
			}
			for node, had := range c.Had[last] {
				complete := c.Done[node] > 0 || c.Seed
				if complete != (had == uint32(tl.Pieces)) {
					t.Errorf("%s: %s %d ends with %d pieces, done after %v", s.Name, c.Name, node,
						had, c.Done[node])
				}
				for i := range last {
					if c.Had[i+1][node] < c.Had[i][node] {
						t.Errorf("%s: %s %d lost pieces", s.Name, c.Name, node)
					}
				}
			}
		}
	}
}

// TestTimelineChangesNothing: a run that is observed is the same run.
func TestTimelineChangesNothing(t *testing.T) {
	s := two()
	plain, tl := Run(s, 1), observed(t, s)
	if plain.Digest != tl.Result.Digest || plain.Events != tl.Result.Events {
		t.Errorf("observed: digest %x after %d events, want %x after %d", tl.Result.Digest,
			tl.Result.Events, plain.Digest, plain.Events)
	}
	if a, b := drawn(t, tl), drawn(t, observed(t, s)); a != b {
		t.Error("two pictures of one run differ")
	}
}

// TestTimelineThins: samples lie at equal distances, however long a run is.
func TestTimelineThins(t *testing.T) {
	for _, ended := range []time.Duration{0, time.Millisecond, 20 * time.Second,
		20*time.Second + 1, time.Hour, 1000 * time.Hour} {
		s := two()
		w := &world{scenario: &s}
		var tl Timeline
		tl.begin(w)
		for at := time.Duration(0); at < ended; at += ended/7 + 1 {
			tl.until(w, int64(at))
		}
		w.now = int64(ended)
		tl.end(w, Result{Ended: ended})
		n := len(tl.First)
		if n < 1 || n > samplesMax {
			t.Fatalf("%v: %d samples", ended, n)
		}
		if n > 1 && (tl.At(n-2) >= ended || ended-tl.At(n-2) > tl.Every) {
			t.Errorf("%v: the last samples are at %v and %v, every %v", ended, tl.At(n-2),
				tl.At(n-1), tl.Every)
		}
		if ended > time.Minute && n < samplesMax/2 {
			t.Errorf("%v: only %d samples", ended, n)
		}
	}
}

// TestPictures compares pictures of made-up timelines with those in testdata: a few
// nodes with a line each, and many in bands. -update writes them again.
func TestPictures(t *testing.T) {
	ramp := func(nodes, samples int) (c TimelineClass) {
		for node := range nodes {
			c.Done = append(c.Done, time.Duration(samples-1-node%2)*time.Second)
		}
		for i := range samples {
			had := make([]uint32, nodes)
			for node := range had {
				had[node] = min(10, uint32(i+node%3))
			}
			c.Had = append(c.Had, had)
		}
		return c
	}
	named := func(c TimelineClass, name string, leech bool) TimelineClass {
		c.Name, c.Leech, c.Seed = name, leech, !leech
		return c
	}
	levels := func(n int, each float64) (s []float64) {
		for i := range n {
			s = append(s, each*float64(i))
		}
		return s
	}
	all := map[string]*Timeline{
		"few": {
			Result: Result{Scenario: "few <&>", Seed: 7, Bound: 8 * time.Second,
				Last: 10 * time.Second, Ended: 10 * time.Second, Copies: 1.2},
			Pieces: 10, Every: time.Second,
			Classes: []TimelineClass{named(ramp(1, 11), "seed", false),
				named(ramp(3, 11), "leech \"a\"", true), named(ramp(1, 11), "player", true)},
			First: levels(11, 0.1), Repeats: levels(11, 0.02),
		},
		"many": {
			Result: Result{Scenario: "many", Seed: 1, Last: 10 * time.Second,
				Ended: 10 * time.Second, Copies: 3},
			Pieces: 10, Every: time.Second,
			Classes: []TimelineClass{named(ramp(50, 11), "leech", true)},
			First:   levels(11, 0.1), Repeats: levels(11, 0.2),
		},
		"empty": {},
	}
	for name, tl := range all {
		got, file := drawn(t, tl), "testdata/"+name+".svg"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || got != string(want) {
			t.Errorf("%s: got\n%s\nwant that of %s, %v", name, got, file, err)
		}
	}
}

// TestPictureIsSmall: a picture of a thousand nodes is no larger than one of a few.
func TestPictureIsSmall(t *testing.T) {
	tl := &Timeline{Pieces: 1000, Every: time.Second,
		Result: Result{Scenario: "large", Ended: 199 * time.Second}}
	c := TimelineClass{Name: "leech", Leech: true}
	for node := range 1000 {
		c.Done = append(c.Done, time.Duration(node)*time.Millisecond)
	}
	for i := range samplesMax {
		had := make([]uint32, 1000)
		for node := range had {
			had[node] = uint32((i*node + i) % 1000)
		}
		c.Had = append(c.Had, had)
		tl.First, tl.Repeats = append(tl.First, 0), append(tl.Repeats, 0)
	}
	tl.Classes = []TimelineClass{c}
	if n := len(drawn(t, tl)); n > 60<<10 {
		t.Errorf("the picture has %d bytes", n)
	}
}

// failing is a writer that takes some bytes.
type failing int

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > int(*f) {
		n := int(*f)
		*f = 0
		return n, errors.New("full")
	}
	*f -= failing(len(b))
	return len(b), nil
}

func TestPictureTellsOfErrors(t *testing.T) {
	few := failing(1000)
	if err := (&Timeline{}).WriteSVG(&few); err == nil {
		t.Error("no error from a writer that is full")
	}
}

func TestTickStep(t *testing.T) {
	for _, c := range []struct{ length, want float64 }{
		{1, 0.2}, {8, 1}, {8.1, 2}, {30, 5}, {80, 10}, {120, 20}, {391, 50}, {4000, 500},
		{0.5, 0.1},
	} {
		if got := tickStep(c.length); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v, want %v", c.length, got, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []uint32{9, 1, 5, 3, 7}
	for q, want := range map[float64]uint32{0: 1, 0.5: 5, 0.9: 9, 1: 9, 0.25: 3} {
		if got := quantile(values, q); got != want {
			t.Errorf("%v: %d, want %d", q, got, want)
		}
	}
	if values[0] != 9 || quantile(nil, 0.5) != 0 {
		t.Error("the values were changed, or none are not zero")
	}
}

func TestEscape(t *testing.T) {
	if got, want := escape("a<b>&\"\x00\n\ufffe"), "a&lt;b&gt;&amp;&quot;���"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
