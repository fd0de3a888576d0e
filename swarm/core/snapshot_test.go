package core

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/picker"
)

// paddedInfo is the info dictionary of a v1 torrent of files and padding, both
// given by their lengths; those of padding are negative.
func paddedInfo(t *testing.T, lengths ...int) *metainfo.Info {
	t.Helper()
	list, all := "", 0
	for i, n := range lengths {
		if n < 0 {
			list += fmt.Sprintf("d4:attr1:p6:lengthi%de4:pathl4:.pad2:%02dee", -n, i)
		} else {
			list += fmt.Sprintf("d6:lengthi%de4:pathl2:%02dee", n, i)
		}
		all += max(n, -n)
	}
	pieces := (all + 16383) / 16384
	doc := fmt.Sprintf("d5:filesl%se4:name1:n12:piece lengthi16384e6:pieces%d:%0*de", list,
		20*pieces, 20*pieces, 0)
	info, err := metainfo.ParseInfo([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// manyFiles is the info dictionary of a hundred files of 1,000 bytes.
func manyFiles(t *testing.T, kind metainfo.Kind) *metainfo.Info {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "n")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 1000),
			0o666); err != nil {
			t.Fatal(err)
		}
	}
	built, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: dir, Kind: kind,
		PieceLength: 16384})
	if err != nil {
		t.Fatal(err)
	}
	return built.Info()
}

// What a snapshot counts are bytes of files, whatever padding the pieces have.
func TestSnapshotCountsContent(t *testing.T) {
	for _, tt := range []struct {
		name              string
		info              *metainfo.Info
		have, need        []int // pieces; need is nil for all
		all, there, still int64
	}{
		{"hybrid", manyFiles(t, metainfo.Hybrid), run(0, 50), nil, 100_000, 50_000, 50_000},
		{"v2", manyFiles(t, metainfo.V2), run(0, 50), nil, 100_000, 50_000, 50_000},
		{"v1", manyFiles(t, metainfo.V1), run(0, 3), nil, 100_000, 3 * 16384, 100_000 - 3*16384},
		{"v1 with files at pieces", paddedInfo(t, 1000, -15384, 1000, -15384, 1000), run(0, 1),
			nil, 3000, 1000, 2000},
		{"padding within pieces", paddedInfo(t, 1000, -1000, 1000, -29768, 1000), run(0, 1), nil,
			3000, 2000, 1000},
		{"a piece of padding", paddedInfo(t, 1000, -31768, 1000), run(1, 2), nil, 2000, 0, 2000},
		{"some files of a hybrid", manyFiles(t, metainfo.Hybrid), run(0, 5), run(0, 10), 100_000,
			5000, 5000},
		{"some files of v1", paddedInfo(t, 1000, -15384, 1000, -15384, 1000), nil, run(1, 2), 3000,
			0, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := tt.info.Layout().Pieces()
			set := func(pieces []int) *bits.Set {
				s := bits.New(n)
				for _, p := range pieces {
					s.Add(p)
				}
				return s
			}
			now := time.Unix(1e9, 0)
			core := New(now, Config{InfoHash: tt.info.Hash()})
			e := Event{Kind: InfoReady, Info: tt.info, Have: set(tt.have)}
			if tt.need != nil {
				e.Need = set(tt.need)
			}
			core.Step(now, e)
			s := core.Snapshot()
			if s.Wanted != tt.all || s.Got != tt.there {
				t.Errorf("%d of %d wanted bytes, want %d of %d", s.Got, s.Wanted, tt.there, tt.all)
			}
			if s.Length != tt.all || s.Have != tt.there || s.Left != tt.still {
				t.Fatalf("%d of %d bytes, %d left, want %d of %d, %d left", s.Have, s.Length,
					s.Left, tt.there, tt.all, tt.still)
			}
			core.Prioritize(now, n-1, picker.Skip) // and what is wanted no more does not
			if left, want := core.Snapshot().Left,
				tt.still-core.lastOf(n-1, tt.have); tt.need == nil && left != want {
				t.Errorf("%d bytes left without the last piece, want %d", left, want)
			}
		})
	}
}

// lastOf returns the bytes of files in a piece that is not among have.
func (t *Torrent) lastOf(piece int, have []int) int64 {
	if slices.Contains(have, piece) {
		return 0
	}
	return int64(t.layout.ContentSize(piece))
}

func run(first, end int) (list []int) {
	for i := first; i < end; i++ {
		list = append(list, i)
	}
	return list
}

// Of a torrent that is fetched in part, what is shown are bytes of the files that
// are wanted, although the pieces hold parts of others.
func TestSnapshotCountsWantedFiles(t *testing.T) {
	info := paddedInfo(t, 10_000, 10_000, -1000, 10_000, 10_000) // in three pieces
	now := time.Unix(1e9, 0)
	core := New(now, Config{InfoHash: info.Hash()})
	have := bits.New(3)
	have.Add(0)
	need := bits.Full(3)
	need.Remove(2)
	parts := info.Layout().Parts([]bool{false, true, false, false, false})
	core.Step(now, Event{Kind: InfoReady, Info: info, Have: have, Need: need, Parts: parts})
	s := core.Snapshot()
	if s.Wanted != 10_000 || s.Got != 6384 {
		t.Errorf("%d of %d wanted bytes, want 6384 of 10000", s.Got, s.Wanted)
	}
	if s.Length != 40_000 || s.Have != 16384 {
		t.Errorf("%d of %d bytes, want 16384 of 40000", s.Have, s.Length)
	}
}
