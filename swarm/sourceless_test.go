package swarm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"swarmnode/metainfo"
)

// threeFiles returns the layout of a torrent of three files in five pieces:
//
//	piece  0   1   2   3   4
//	file   aaaaaaaabbbbbbbcccc
//
// Piece 2 holds the end of a and the start of b, piece 3 the end of b and the start of c.
func threeFiles(t *testing.T) *metainfo.Layout {
	t.Helper()
	const piece = 16 << 10
	dir := filepath.Join(t.TempDir(), "t")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"a": 2*piece + 100, "b": piece, "c": 2*piece - 200} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	torrent, err := metainfo.Build(t.Context(),
		metainfo.BuildOptions{Path: dir, PieceLength: piece})
	if err != nil {
		t.Fatal(err)
	}
	l := torrent.Info().Layout()
	if l.Pieces() != 5 || !slices.Equal(filesOf(l, 2), []int{0, 1}) ||
		!slices.Equal(filesOf(l, 3), []int{1, 2}) {
		t.Fatalf("%d pieces, files %v and %v in those of two", l.Pieces(), filesOf(l, 2),
			filesOf(l, 3))
	}
	return l
}

// TestSourceless: the user is told once of each file that a web seed failed to give and
// that nobody else has, with the reason of the first one.
func TestSourceless(t *testing.T) {
	l := threeFiles(t)
	gone, wrong := errors.New("404 Not Found"), errors.New("wrong data")
	all := func(int, int) bool { return true }
	for _, c := range []struct {
		name    string
		record  func(s *sourceless)
		lacking func(first, end int) bool
		files   []int
		err     error
	}{
		{"nothing", func(*sourceless) {}, all, nil, nil},
		{"a file is gone", func(s *sourceless) { s.add(1, gone) }, all, []int{1}, gone},
		{"in order, with the first reason", func(s *sourceless) {
			s.add(2, gone)
			s.add(0, wrong)
		}, all, []int{0, 2}, wrong},
		{"somebody has it", func(s *sourceless) {
			s.add(0, gone)
			s.add(2, gone)
		}, func(first, _ int) bool { return first > 0 }, []int{2}, gone},
		{"a wrong piece of one file", func(s *sourceless) { s.addWrong(l, 0, 1, wrong) }, all,
			[]int{0}, wrong},
		{"all pieces of a file", func(s *sourceless) { s.addWrong(l, 2, 2, wrong) }, all, []int{1},
			wrong},
		{"a wrong piece of two files", func(s *sourceless) { s.addWrong(l, 2, 1, wrong) }, all,
			[]int{0, 1}, wrong},
		{"one of the two has failed by itself", func(s *sourceless) {
			s.addWrong(l, 2, 1, wrong)
			s.add(1, gone)
		}, all, []int{1}, gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sourceless
			c.record(&s)
			files, err := s.take(l, c.lacking)
			if !slices.Equal(files, c.files) || err != c.err {
				t.Errorf("files %v, %v; want %v, %v", files, err, c.files, c.err)
			}
			c.record(&s)
			if again, _ := s.take(l, c.lacking); len(again) > 0 {
				t.Errorf("told again of %v", again)
			}
		})
	}
}

// TestSourcelessLater: a file that somebody had is told of once nobody has it any more.
func TestSourcelessLater(t *testing.T) {
	l := threeFiles(t)
	gone := errors.New("gone")
	var s sourceless
	s.add(1, gone)
	if files, _ := s.take(l, func(int, int) bool { return false }); len(files) > 0 {
		t.Errorf("told of %v, which somebody has", files)
	}
	var first, end int
	files, err := s.take(l, func(a, b int) bool {
		first, end = a, b
		return true
	})
	if !slices.Equal(files, []int{1}) || err != gone || first != 2 || end != 4 {
		t.Errorf("told of %v, %v, of pieces %d to %d; want [1] of 2 to 4", files, err, first, end)
	}
}
