package transmission

import (
	"path/filepath"
	"strings"

	"swarmnode/daemon"
	"swarmnode/metainfo"
	"swarmnode/swarm"
	"swarmnode/swarm/bits"
	"swarmnode/swarm/storage"
)

// fileFields are about files and pieces. Padding (BEP 47) is among the files, because clients
// that read the .torrent file count it. It counts as wanted, and as there.
var fileFields = []field{
	f("files", "files", needFiles|needLayout, func(w *writer, v *view) {
		w.open('[')
		for i := range v.files {
			object(w, fileMembers, &fileView{v, i})
		}
		w.shut(']')
	}),
	f("fileStats", "file_stats", needFiles, func(w *writer, v *view) {
		w.open('[')
		for i := range v.files {
			object(w, fileStatMembers, &fileView{v, i})
		}
		w.shut(']')
	}),
	f("bytesCompleted", "bytes_completed", needFiles, func(w *writer, v *view) {
		w.open('[')
		for i := range v.files {
			w.int(haveOf(&v.files[i]))
		}
		w.shut(']')
	}),
	f("priorities", "priorities", needFiles, func(w *writer, v *view) {
		w.open('[')
		for i := range v.files {
			w.int(v.priority(i))
		}
		w.shut(']')
	}),
	f("wanted", "wanted", needFiles, func(w *writer, v *view) {
		w.open('[')
		for i := range v.files {
			// The legacy protocol has numbers here: programs compare them with 0 and 1.
			if w.d == legacy {
				w.bit(isWanted(&v.files[i]))
			} else {
				w.bool(isWanted(&v.files[i]))
			}
		}
		w.shut(']')
	}),

	f("pieces", "pieces", needPieces, func(w *writer, v *view) { w.base64(piecesOf(v)) }),
	f("availability", "availability", needPieces, func(w *writer, v *view) {
		w.open('[')
		for i := range v.state.Pieces {
			w.int(availabilityOf(v, i))
		}
		w.shut(']')
	}),
	f("desiredAvailable", "desired_available", needFiles|needLayout|needPieces,
		func(w *writer, v *view) { w.int(desiredAvailable(v)) }),
}

// A fileView is one file of a view.
type fileView struct {
	v *view
	i int
}

var fileMembers = []member[fileView]{
	m("bytesCompleted", "bytes_completed", func(w *writer, f *fileView) {
		w.int(haveOf(&f.v.files[f.i]))
	}),
	m("length", "length", func(w *writer, f *fileView) { w.int(f.v.files[f.i].Size) }),
	m("name", "name", func(w *writer, f *fileView) { w.text(nameOf(f.v, f.i)) }),
	m("begin_piece", "begin_piece", func(w *writer, f *fileView) {
		first, _ := filePieces(f.v.layout, f.i)
		w.int(int64(first))
	}),
	m("end_piece", "end_piece", func(w *writer, f *fileView) {
		_, end := filePieces(f.v.layout, f.i)
		w.int(int64(end))
	}),
}

var fileStatMembers = []member[fileView]{
	m("bytesCompleted", "bytes_completed", func(w *writer, f *fileView) {
		w.int(haveOf(&f.v.files[f.i]))
	}),
	m("wanted", "wanted", func(w *writer, f *fileView) { w.bool(isWanted(&f.v.files[f.i])) }),
	m("priority", "priority", func(w *writer, f *fileView) { w.int(f.v.priority(f.i)) }),
}

// priority returns the priority of a file, also of one that is not wanted.
func (v *view) priority(i int) int64 {
	if v.files[i].Priority == swarm.Unwanted {
		return int64(v.ranks[i])
	}
	return priorityOf(v.files[i].Priority)
}

// haveOf returns the bytes of a file that are there. Padding always is.
func haveOf(s *swarm.FileState) int64 {
	if s.Pad {
		return s.Size
	}
	return s.Have
}

func isWanted(s *swarm.FileState) bool { return s.Pad || s.Priority != swarm.Unwanted }

// priorityOf returns the priority of a file as Transmission counts: -1, 0 or 1.
func priorityOf(p swarm.Priority) int64 {
	switch {
	case p == swarm.Unwanted, p == swarm.Normal:
		return 0
	case p < swarm.Normal:
		return -1
	}
	return 1
}

// nameOf returns the path of a file below the folder of the torrent, with slashes. It is the
// path that the file has once the content is complete.
func nameOf(v *view, i int) string {
	if path := v.files[i].Path; path != "" && v.state.Dir != "" {
		below, err := filepath.Rel(v.state.Dir, path)
		if err == nil && filepath.IsLocal(below) {
			return finishedPath(filepath.ToSlash(below), v.state.Name)
		}
	}
	if v.layout == nil {
		return ""
	}
	return daemon.ShownPath(&v.state, v.layout, i, "")
}

// finishedPath returns a path below the folder of a torrent without the suffix that the file
// system has while the content is not complete. The name of the torrent may end in the suffix, too.
func finishedPath(path, name string) string {
	top, inner, _ := strings.Cut(path, "/")
	finished, ok := strings.CutSuffix(top, storage.PartSuffix)
	if !ok || strings.HasSuffix(name, storage.PartSuffix) &&
		!strings.HasSuffix(finished, storage.PartSuffix) {
		return path
	}
	if inner == "" {
		return finished
	}
	return finished + "/" + inner
}

// filePieces returns the pieces that hold bytes of a file.
func filePieces(l *metainfo.Layout, i int) (first, end int) {
	if l == nil || i >= len(l.Files) {
		return 0, 0
	}
	return l.FilePieces(i)
}

// piecesOf returns the bit field of the pieces that are there. Those of a torrent that rests
// are known if it has all or none.
func piecesOf(v *view) []byte {
	have := v.pieces.Have
	switch n := v.state.Pieces; {
	case have != nil:
	case n > 0 && v.state.PiecesHave == n:
		have = bits.Full(n)
	default:
		have = bits.New(n)
	}
	return have.AppendWire(nil)
}

// availabilityOf returns how many peers have a piece, and -1 for one that is there.
func availabilityOf(v *view, piece int) int64 {
	switch {
	case v.pieces.Have != nil && v.pieces.Have.Has(piece),
		v.pieces.Have == nil && v.state.PiecesHave == v.state.Pieces:
		return -1
	case piece < len(v.pieces.Availability):
		return int64(v.pieces.Availability[piece])
	}
	return 0
}

// desiredAvailable returns the bytes that are wanted and missing, and that some peer has.
func desiredAvailable(v *view) int64 {
	if v.layout == nil || v.pieces.Have == nil || v.state.Left == 0 {
		return 0
	}
	wanted := bits.New(v.layout.Pieces())
	for i := range v.files {
		if v.files[i].Pad || v.files[i].Priority == swarm.Unwanted {
			continue
		}
		first, end := filePieces(v.layout, i)
		for piece := first; piece < end; piece++ {
			wanted.Add(piece)
		}
	}
	var n int64
	for piece := range wanted.Members() {
		if !v.pieces.Have.Has(piece) && piece < len(v.pieces.Availability) &&
			v.pieces.Availability[piece] > 0 {
			n += int64(v.layout.ContentSize(piece))
		}
	}
	return min(n, v.state.Left)
}
