package sim

import (
	"bytes"
	"testing"
	"time"
)

// TestScenarios runs every scenario with two seeds and checks what it promises.
func TestScenarios(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			for seed := range uint64(2) {
				start := time.Now()
				r := Run(s, seed+1)
				took := time.Since(start)
				t.Logf("%v, %.2f million events a second\n%v%v", took.Round(time.Millisecond),
					float64(r.Events)/took.Seconds()/1e6, r.String(), r.Wasted)
				if err := s.Check(&r); err != nil {
					t.Errorf("seed %d: %v", seed+1, err)
				}
			}
		})
	}
}

// TestReplay runs the same twice: the traces are the same, byte for byte.
func TestReplay(t *testing.T) {
	for _, name := range []string{"churn", "poisoned"} {
		s, ok := Find(name)
		if !ok {
			t.Fatalf("no scenario %s", name)
		}
		s.Limit = 20 * time.Second
		var a, b, c bytes.Buffer
		first, second, other := Trace(s, 7, &a), Trace(s, 7, &b), Trace(s, 8, &c)
		if !bytes.Equal(a.Bytes(), b.Bytes()) || first.Digest != second.Digest {
			t.Errorf("%s: two runs with the same seed differ", name)
		}
		if bytes.Equal(a.Bytes(), c.Bytes()) || first.Digest == other.Digest {
			t.Errorf("%s: two seeds give the same run", name)
		}
	}
}
