package storage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"swarmnode/swarm/bits"
)

// someFiles returns a layout of a few files at random, many of which share pieces.
func someFiles(t *testing.T, rng *rand.Rand) *partTable {
	t.Helper()
	var files []tfile
	for i := range 2 + rng.IntN(6) {
		n := [...]int{0, 1, 100, 16383, 16384, 16385, 40_000}[rng.IntN(7)]
		files = append(files, tfile{fmt.Sprint(i), n, rng.IntN(8) == 0 && n > 0})
	}
	files = append(files, tfile{"last", 1 + rng.IntN(20_000), false})
	layout, _ := makeLayout(t, "x", 16<<10, files...)
	return newPartTable(layout)
}

// Each byte of a shared piece has one place in the partfile, inside the slot of its piece,
// and no two bytes share one.
func TestPartTableAgainstEveryByte(t *testing.T) {
	for seed := range uint64(100) {
		table := someFiles(t, rand.New(rand.NewPCG(seed, 4)))
		layout := table.layout
		owners := make(map[int]map[int]bool) // files with bytes in a piece
		for i, f := range layout.Files {
			for at := f.Offset; at < f.Offset+f.Length && !f.Pad; at++ {
				p := int(at / int64(layout.PieceLength))
				if owners[p] == nil {
					owners[p] = make(map[int]bool)
				}
				owners[p][i] = true
			}
		}
		var shared []int32
		for p := range layout.Pieces() {
			if len(owners[p]) > 1 {
				shared = append(shared, int32(p))
			}
		}
		if !slices.Equal(table.slots, shared) {
			t.Fatalf("seed %d: slots for %v, want %v", seed, table.slots, shared)
		}
		for slot, p := range shared {
			start := layout.PieceOffset(slot)
			used := make([]bool, layout.PieceLength)
			for _, x := range table.parts(int(p)) {
				f := &layout.Files[x.file]
				for n := range int64(x.n) {
					content := f.Offset + x.at + n
					inPiece := content - layout.PieceOffset(int(p))
					if place := x.slotAt + n - start; place != inPiece || used[place] {
						t.Fatalf("seed %d: byte %d of piece %d is at %d of its slot", seed, inPiece,
							p, place)
					}
					used[inPiece] = true
				}
				delete(owners[int(p)], x.file)
			}
			if len(owners[int(p)]) > 0 {
				t.Fatalf("seed %d: piece %d lacks parts of the files %v", seed, p, owners[int(p)])
			}
		}
	}
}

// The table holds exactly the parts that were added, also after a record was restored.
func TestPartTableAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		table := someFiles(t, rng)
		model := make(map[part]bool)
		var all []part
		for _, p := range table.slots {
			all = append(all, table.parts(int(p))...)
		}
		for range 30 {
			if len(all) == 0 {
				break
			}
			x := all[rng.IntN(len(all))]
			if rng.IntN(3) == 0 {
				table.remove(x)
				delete(model, x)
			} else {
				table.add(x)
				model[x] = true
			}
			again := newPartTable(table.layout)
			again.restore(&PartfileState{Head: table.head.Clone(), Tail: table.tail.Clone()})
			for _, some := range []*partTable{table, again} {
				held := slices.Collect(some.held())
				if len(held) != len(model) || some.empty() != (len(model) == 0) {
					t.Fatalf("seed %d: holds %v, want %v", seed, held, model)
				}
				for _, x := range held {
					if !model[x] || !some.holds(x.file, x.piece) {
						t.Fatalf("seed %d: holds %+v, want %v", seed, x, model)
					}
				}
			}
		}
	}
}

// Parts of a record that no partfile can hold are ignored.
func TestPartTableRestoresOnlyParts(t *testing.T) {
	for seed := range uint64(100) {
		table := someFiles(t, rand.New(rand.NewPCG(seed, 6)))
		files := len(table.layout.Files)
		table.restore(&PartfileState{Head: bits.Full(files), Tail: bits.Full(files)})
		for x := range table.held() {
			if _, shared := table.slot(x.piece); !shared || x.n <= 0 ||
				table.layout.Files[x.file].Pad || !table.holds(x.file, x.piece) {
				t.Errorf("seed %d: holds %+v", seed, x)
			}
		}
	}
}

// The partfile is long enough for each part that a selection can put there, and ends with
// the slot of the last.
func TestPartTableLength(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 8))
		table := someFiles(t, rng)
		wanted := make([]bool, len(table.layout.Files))
		for i := range wanted {
			wanted[i] = rng.IntN(2) == 0
		}
		var selection selection
		selection.init(table.layout, wanted)
		end := int64(0)
		for slot, p := range table.slots {
			if selection.piece(int(p)) {
				end = table.layout.PieceOffset(slot + 1)
			}
		}
		if got := table.length(&selection); got != end {
			t.Errorf("seed %d: length %d, want %d", seed, got, end)
		}
	}
	var none *partTable
	for range none.held() {
		t.Error("no table holds a part")
	}
}
