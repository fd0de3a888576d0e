package metainfo

import (
	"strconv"

	"swarmnode/metainfo/bencode"
)

// padFile returns a padding file as BEP 47 suggests to name it.
func padFile(off, n int64) File {
	return File{Path: []string{".pad", strconv.FormatInt(n, 10)}, Offset: off, Length: n, Pad: true}
}

// infoBytes returns an upper bound, close to the truth, of the length of the info
// dictionary of a layout.
func infoBytes(opt *BuildOptions, l *Layout) int {
	const (
		around  = 256 // keys and numbers that occur once
		perFile = 64  // keys and numbers of a file in each version
		perRoot = 48
		perName = 8 // the length before each
	)
	n := around + len(opt.Source) + 2*len(l.Name)
	if l.kind.HasV1() {
		n += l.pieces * len(Hash{})
	}
	for i := range l.Files {
		f := &l.Files[i]
		size := perFile
		for _, name := range f.Path {
			size += len(name) + perName
		}
		if l.kind.HasV1() {
			n += size
		}
		if l.kind.HasV2() && !f.Pad {
			n += size + perRoot
		}
	}
	return n
}

// appendInfo appends the info dictionary of a layout, its keys sorted.
func appendInfo(dst []byte, opt *BuildOptions, l *Layout, v1 []byte) []byte {
	return bencode.AppendDict(dst, func(b []byte) []byte {
		if !l.Multi && l.kind.HasV1() {
			b = appendAttributes(b, &l.Files[0])
		}
		if l.kind.HasV2() {
			b = appendTree(bencode.AppendString(b, "file tree"), l)
		}
		if l.kind.HasV1() {
			b = appendFiles(b, l)
		}
		if l.kind.HasV2() {
			b = bencode.AppendInt(bencode.AppendString(b, "meta version"), 2)
		}
		b = bencode.AppendString(bencode.AppendString(b, "name"), l.Name)
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), int64(l.PieceLength))
		if l.kind.HasV1() {
			b = bencode.AppendString(bencode.AppendString(b, "pieces"), v1)
		}
		if opt.Private {
			b = bencode.AppendInt(bencode.AppendString(b, "private"), 1)
		}
		if opt.Source != "" {
			b = bencode.AppendString(bencode.AppendString(b, "source"), opt.Source)
		}
		return b
	})
}

// appendFiles appends the v1 key "files" or "length" with its value.
func appendFiles(b []byte, l *Layout) []byte {
	if !l.Multi {
		return bencode.AppendInt(bencode.AppendString(b, "length"), l.Length)
	}
	return bencode.AppendList(bencode.AppendString(b, "files"), func(b []byte) []byte {
		for i := range l.Files {
			f := &l.Files[i]
			b = bencode.AppendDict(b, func(b []byte) []byte {
				b = appendAttributes(b, f)
				b = bencode.AppendInt(bencode.AppendString(b, "length"), f.Length)
				return appendStrings(bencode.AppendString(b, "path"), f.Path)
			})
		}
		return b
	})
}

// appendAttributes appends the "attr" of BEP 47, if the file has attributes.
func appendAttributes(b []byte, f *File) []byte {
	switch {
	case f.Pad:
		return bencode.AppendString(bencode.AppendString(b, "attr"), "p")
	case f.Executable:
		return bencode.AppendString(bencode.AppendString(b, "attr"), "x")
	}
	return b
}

// appendTree appends the "file tree" of BEP 52. The files are sorted, so the files
// of a folder stand together.
func appendTree(b []byte, l *Layout) []byte {
	if !l.Multi {
		return bencode.AppendDict(b, func(b []byte) []byte {
			return appendLeaf(bencode.AppendString(b, l.Name), &l.Files[0])
		})
	}
	files := make([]*File, 0, len(l.Files))
	for i := range l.Files {
		if !l.Files[i].Pad {
			files = append(files, &l.Files[i])
		}
	}
	return appendFolder(b, files, 0)
}

// appendFolder appends the files that share their first depth elements.
func appendFolder(b []byte, files []*File, depth int) []byte {
	return bencode.AppendDict(b, func(b []byte) []byte {
		for len(files) > 0 {
			name := files[0].Path[depth]
			n := 1
			for n < len(files) && files[n].Path[depth] == name {
				n++
			}
			b = bencode.AppendString(b, name)
			if len(files[0].Path) == depth+1 {
				b = appendLeaf(b, files[0])
			} else {
				b = appendFolder(b, files[:n], depth+1)
			}
			files = files[n:]
		}
		return b
	})
}

func appendLeaf(b []byte, f *File) []byte {
	return bencode.AppendDict(b, func(b []byte) []byte {
		return bencode.AppendDict(bencode.AppendString(b, ""), func(b []byte) []byte {
			b = appendAttributes(b, f)
			b = bencode.AppendInt(bencode.AppendString(b, "length"), f.Length)
			if f.Length > 0 {
				b = bencode.AppendString(bencode.AppendString(b, "pieces root"), f.Root[:])
			}
			return b
		})
	})
}
