//go:build unix

package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/swarm/bits"
)

// rechecks runs Recheck, and returns the pieces that it doubts and how many bytes of those
// to hash it has hashed.
func (r *rig) rechecks() (doubted []int, done, total int64) {
	r.t.Helper()
	err := r.store.Recheck(r.t.Context(), func(d, all int64) {
		if d < done || d > all {
			r.t.Errorf("progress went from %d to %d of %d", done, d, all)
		}
		done, total = d, all
	}, func(pieces *bits.Set) { doubted = append(doubted, slices.Collect(pieces.Members())...) })
	if err != nil {
		r.t.Error(err)
	}
	return doubted, done, total
}

// Recheck finds what differs from what the Store knows, in content that is complete and in
// content that is not; what it says is settled by Verify, and Finish is content afterwards.
func TestRecheck(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 40 << 10, false},
		tfile{"b", 64 << 10, false})
	for _, tt := range []struct {
		name   string
		change func(path string) error
		wrong  []int
	}{
		{"nothing", func(string) error { return nil }, nil},
		{"touched", func(p string) error {
			return os.Chtimes(p, time.Time{}, time.Now().Add(time.Hour))
		}, nil},
		{"overwritten", func(p string) error { return overwrite(p, 30<<10) }, []int{4}},
		{"shortened", func(p string) error { return os.Truncate(p, 20<<10) }, []int{3, 4, 5, 6}},
		{"deleted", os.Remove, []int{2, 3, 4, 5, 6}},
		{"with its folder", func(p string) error { return os.RemoveAll(filepath.Dir(p)) },
			[]int{0, 1, 2, 3, 4, 5, 6}},
	} {
		for _, finished := range []bool{true, false} {
			if !finished && tt.name == "with its folder" {
				continue // the store has a lock in it
			}
			t.Run(fmt.Sprint(tt.name, " ", finished), func(t *testing.T) {
				r := newRig(t, Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: layout},
					data)
				r.all()
				if finished {
					if err := r.store.Finish(); err != nil {
						t.Fatal(err)
					}
				}
				if err := tt.change(r.store.FilePath(1)); err != nil {
					t.Fatal(err)
				}
				doubted, done, total := r.rechecks()
				for _, p := range doubted {
					right := !slices.Contains(tt.wrong, p)
					r.store.Verify(uint32(p))
					if got := <-r.results; got.OK != right || got.Err != nil {
						t.Errorf("piece %d: %+v", p, got)
					}
				}
				for _, p := range tt.wrong {
					if !slices.Contains(doubted, p) {
						t.Errorf("%d is wrong, doubted were %v", p, doubted)
					}
					if got := r.piece(p); !got.OK {
						t.Errorf("piece %d again: %+v", p, got)
					}
				}
				if done != total || total != layout.Size() {
					t.Errorf("hashed %d of %d bytes, want %d", done, total, layout.Size())
				}
				if again, _, _ := r.rechecks(); len(again) > 0 {
					t.Errorf("afterwards it doubts %v", again)
				}
				if err := r.store.Finish(); err != nil {
					t.Errorf("Finish: %v", err)
				}
				r.onDisk(filepath.Dir(r.store.Paths()[0]), "x")
			})
		}
	}
}

// Pieces that come to be right without being written are found, and nothing is made for
// files of which nothing is there.
func TestRecheckFindsWhatAppeared(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 48 << 10, false},
		tfile{"b", 64 << 10, false})
	cfg := Config{Dir: t.TempDir(), Layout: layout}
	r := newRig(t, cfg, data)
	r.piece(0)
	if doubted, _, total := r.rechecks(); len(doubted) > 0 || total != 16<<10 {
		t.Errorf("doubts %v, %d bytes to hash", doubted, total)
	}
	if _, err := os.Stat(r.store.FilePath(1)); err == nil {
		t.Error("a file was made of which nothing is there")
	}
	if err := os.WriteFile(r.store.FilePath(1), data[48<<10:], 0o600); err != nil {
		t.Fatal(err)
	}
	doubted, _, _ := r.rechecks()
	if want := []int{3, 4, 5, 6}; !slices.Equal(doubted, want) {
		t.Errorf("found %v, want %v", doubted, want)
	}
	for _, p := range doubted {
		r.store.Verify(uint32(p))
		if got := <-r.results; !got.OK {
			t.Errorf("piece %d: %+v", p, got)
		}
	}
	if r.store.Have().Count() != 5 {
		t.Errorf("has %v", slices.Collect(r.store.Have().Members()))
	}
}

// Content that is only read is not touched, and Recheck after Close or with a context that
// has ended says so.
func TestRecheckReadOnly(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 40 << 10, false},
		tfile{"b", 64 << 10, false})
	dir := t.TempDir()
	putContent(t, dir, "x", layout, data)
	r := newRig(t, Config{Dir: dir, Layout: layout, ReadOnly: true}, data)
	if err := r.store.Trust(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x", "b")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if doubted, _, _ := r.rechecks(); !slices.Equal(doubted, []int{2, 3, 4, 5, 6}) {
		t.Errorf("doubts %v", doubted)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file that is only read was made again")
	}
	none := func(*bits.Set) {}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.store.Recheck(ctx, func(int64, int64) {}, none); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	r.store.Close()
	err := r.store.Recheck(t.Context(), func(int64, int64) {}, none)
	if !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Recheck waits where Config.Hold says so, and blocks that come meanwhile are written.
func TestRecheckIsHeld(t *testing.T) {
	layout, data := makeLayout(t, "x", 16<<10, tfile{"a", 160 << 10, false})
	held, release := make(chan struct{}, 1), make(chan struct{})
	r := newRig(t, Config{Layout: layout, Hold: func(ctx context.Context) error {
		select {
		case held <- struct{}{}:
		default:
		}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, data)
	r.piece(0)
	r.piece(1)
	ended := make(chan error, 1)
	var doubted []int
	go func() {
		ended <- r.store.Recheck(t.Context(), func(int64, int64) {}, func(pieces *bits.Set) {
			doubted = append(doubted, slices.Collect(pieces.Members())...)
		})
	}()
	<-held
	for p := 2; p < layout.Pieces(); p++ {
		if got := r.piece(p); !got.OK {
			t.Errorf("piece %d while Recheck is held up: %+v", p, got)
		}
	}
	close(release)
	if err := <-ended; err != nil || len(doubted) > 0 {
		t.Errorf("doubts %v, %v", doubted, err)
	}
	if err := r.store.Finish(); err != nil {
		t.Error(err)
	}
}

// A Recheck hashes as quickly as a Check does: see BenchmarkCheck1MiB.
func BenchmarkRecheck1MiB(b *testing.B) {
	layout, data := benchLayout(b, 1<<20)
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bench"), data, 0o600); err != nil {
		b.Fatal(err)
	}
	w := NewWorkers(0)
	defer w.Close()
	s, err := Open(Config{Dir: dir, Layout: layout, Workers: w, ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Trust(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(layout.Length)
	b.ReportAllocs()
	defer reportCPU(b, cpuTime())
	for b.Loop() {
		err := s.Recheck(b.Context(), func(int64, int64) {}, func(pieces *bits.Set) {
			b.Errorf("%d pieces are doubted", pieces.Count())
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
