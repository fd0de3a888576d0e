package metainfo

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var mixedTree = map[string]int{
	"a.txt":            1,
	"b/one.bin":        16384,
	"b/two.bin":        16385,
	"b.file":           100_000,
	"b/c/deep.dat":     300_000,
	"empty":            0,
	"long.bin":         1_000_003,
	"z last/with sp ä": 65536,
}

func TestBuildAllKinds(t *testing.T) {
	root := writeTree(t, "content", mixedTree)
	for _, kind := range []Kind{V1, V2, Hybrid} {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, bare), func(t *testing.T) {
				torrent := mustBuild(t, BuildOptions{Path: root, Kind: kind, PieceLength: 32 << 10,
					NoTailPadding: bare})
				again, err := ParseTorrent(torrent.Marshal())
				if err != nil {
					t.Fatal(err)
				}
				if again.Info().Hash() != torrent.Info().Hash() || again.Info().Kind() != kind {
					t.Errorf("parsed again: %v %v", again.Info().Kind(), again.Info().Hash())
				}
				if !bytes.Equal(again.Marshal(), torrent.Marshal()) {
					t.Error("parsed and written again, the file differs")
				}
				checkLayout(t, again.Info().Layout(), filepath.Dir(root))
			})
		}
	}
}

// checkLayout compares every piece with the files below dir, and checks that
// one wrong byte is noticed in each.
func checkLayout(t *testing.T, l *Layout, dir string) {
	t.Helper()
	total := int64(0)
	for i := range l.Pieces() {
		data := readPiece(t, l, dir, i)
		if len(data) != l.PieceSize(i) {
			t.Fatalf("piece %d: spans cover %d bytes of %d", i, len(data), l.PieceSize(i))
		}
		total += int64(len(data))
		if !l.VerifyPiece(i, data) {
			t.Fatalf("piece %d: not verified", i)
		}
		data[len(data)-1] ^= 1
		if l.VerifyPiece(i, data) {
			t.Fatalf("piece %d: verified with a wrong byte", i)
		}
		if l.VerifyPiece(i, data[:len(data)-1]) {
			t.Fatalf("piece %d: verified a byte short", i)
		}
	}
	if total != l.Size() {
		t.Errorf("the pieces have %d bytes, the files %d", total, l.Size())
	}
}

func TestBuildV1AgainstPlainHashing(t *testing.T) {
	root := writeTree(t, "content", mixedTree)
	l := mustBuild(t, BuildOptions{Path: root, PieceLength: 16 << 10}).Info().Layout()
	var all []byte
	for i := range l.Files {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(root), l.FilePath(i)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	var want []byte
	for piece := range slices.Chunk(all, 16<<10) {
		sum := sha1.Sum(piece)
		want = append(want, sum[:]...)
	}
	if !bytes.Equal(l.hashes, want) {
		t.Error("hashes differ from those of the concatenation")
	}
}

func TestBuildSingleFile(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"one.bin": 50_000})
	for _, kind := range []Kind{V1, V2, Hybrid} {
		info := mustBuild(t, BuildOptions{Path: filepath.Join(root, "one.bin"), Kind: kind}).Info()
		l := info.Layout()
		if l.Multi || l.Name != "one.bin" || len(l.Files) != 1 || l.FilePath(0) != "one.bin" ||
			l.Length != 50_000 {
			t.Errorf("%v: %+v", kind, l)
		}
		checkLayout(t, l, root)
	}
}

// The name is that of the content on disk unless there is another one.
func TestBuildName(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"a": 20_000})
	for _, kind := range []Kind{V1, V2, Hybrid} {
		for _, path := range []string{root, filepath.Join(root, "a")} {
			torrent := mustBuild(t, BuildOptions{Path: path, Kind: kind, Name: "another name"})
			again, err := ParseTorrent(torrent.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			want := "another name"
			if kind == V2 && path == root { // that a folder was meant cannot be told
				want = "a"
			}
			if got := again.Info().Name(); got != want {
				t.Errorf("%v, %s: name %q, want %q", kind, path, got, want)
			}
			if got := again.Info().Layout().Multi; got != (path == root && kind != V2) {
				t.Errorf("%v, %s: a folder: %v", kind, path, got)
			}
		}
	}
	if _, err := Build(t.Context(), BuildOptions{Path: root, Name: ".."}); err == nil {
		t.Error("a name that leads out of the folder was taken")
	}
}

// TestBuildFolderOfItsOwnName makes a v2 torrent that reads as a single file,
// as BEP 52 has no way to tell, but is served from where it lies.
func TestBuildFolderOfItsOwnName(t *testing.T) {
	root := writeTree(t, "x", map[string]int{"x": 20_000})
	torrent := mustBuild(t, BuildOptions{Path: root, Kind: V2})
	l := torrent.Info().Layout()
	if !l.Multi || l.FilePath(0) != "x/x" {
		t.Errorf("built: %v %s", l.Multi, l.FilePath(0))
	}
	checkLayout(t, l, filepath.Dir(root))
	again, err := ParseTorrent(torrent.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if l := again.Info().Layout(); l.Multi || l.FilePath(0) != "x" {
		t.Errorf("read: %v %s", l.Multi, l.FilePath(0))
	}
}

// TestBuildKeepsNamesOnDisk serves files from where they lie, whatever others
// will call them.
func TestBuildKeepsNamesOnDisk(t *testing.T) {
	root := writeTree(t, "a folder: why?", map[string]int{"x:y": 10, "X:Y": 20, "con": 30})
	info := mustBuild(t, BuildOptions{Path: root}).Info()
	checkLayout(t, info.Layout(), filepath.Dir(root))
	if got := info.Renamed(NamesPortable); len(got) != 4 {
		t.Errorf("renamed: %v", got)
	}
	if got := info.Renamed(NamesNative); len(got) != 0 {
		t.Errorf("renamed here: %v", got)
	}
	theirs, err := ParseInfo(info.Raw())
	if err != nil {
		t.Fatal(err)
	}
	if n := theirs.Layout().Names(NamesPortable); n.Top != "a folder_ why_" ||
		n.Path(2)[0] != "x_y (2)" {
		t.Errorf("others see %v", n)
	}
	checkLayout(t, theirs.Layout(), filepath.Dir(root))
}

func TestBuildIsDeterministic(t *testing.T) {
	root := writeTree(t, "content", mixedTree)
	for _, kind := range []Kind{V1, V2, Hybrid} {
		one := mustBuild(t, BuildOptions{Path: root, Kind: kind, Workers: 1})
		many := mustBuild(t, BuildOptions{Path: root + "/", Kind: kind, Workers: 7})
		if !bytes.Equal(one.Marshal(), many.Marshal()) {
			t.Errorf("%v: two builds differ", kind)
		}
	}
}

// TestBuildInAnyOrder makes the files in two orders, in which some file systems
// then list them.
func TestBuildInAnyOrder(t *testing.T) {
	var roots [2]string
	paths := slices.Sorted(maps.Keys(mixedTree))
	for i := range roots {
		roots[i] = writeTree(t, "content", nil)
		for _, path := range paths {
			full := filepath.Join(roots[i], filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, content(7, mixedTree[path]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		slices.Reverse(paths)
	}
	for _, kind := range []Kind{V1, V2, Hybrid} {
		one := mustBuild(t, BuildOptions{Path: roots[0], Kind: kind})
		other := mustBuild(t, BuildOptions{Path: roots[1], Kind: kind})
		if !bytes.Equal(one.Marshal(), other.Marshal()) {
			t.Errorf("%v: two builds differ", kind)
		}
	}
}

func TestBuildOrder(t *testing.T) {
	root := writeTree(t, "content", mixedTree)
	l := mustBuild(t, BuildOptions{Path: root}).Info().Layout()
	var got []string
	for i := range l.Files {
		got = append(got, strings.Join(l.Files[i].Path, "/"))
	}
	want := []string{"a.txt", "b/c/deep.dat", "b/one.bin", "b/two.bin", "b.file", "empty",
		"long.bin", "z last/with sp ä"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuildChoosesFiles(t *testing.T) {
	root := writeTree(t, "content", map[string]int{
		"keep.mkv": 10, "keep.txt": 10, ".hidden": 10, ".git/config": 10, "sub/x.mkv": 10,
		"sub/deep/y.mkv": 10, "tmp/z.mkv": 10,
	})
	for _, tt := range []struct {
		opt  BuildOptions
		want string
	}{
		{BuildOptions{}, "keep.mkv keep.txt sub/deep/y.mkv sub/x.mkv tmp/z.mkv"},
		{BuildOptions{Hidden: true},
			".git/config .hidden keep.mkv keep.txt sub/deep/y.mkv sub/x.mkv tmp/z.mkv"},
		{BuildOptions{Include: []string{"*.mkv"}}, "keep.mkv sub/deep/y.mkv sub/x.mkv tmp/z.mkv"},
		{BuildOptions{Include: []string{"*.mkv"}, Exclude: []string{"tmp"}},
			"keep.mkv sub/deep/y.mkv sub/x.mkv"},
		{BuildOptions{Include: []string{"sub"}}, "sub/deep/y.mkv sub/x.mkv"},
		{BuildOptions{Include: []string{"sub/*"}, Exclude: []string{"sub/deep"}}, "sub/x.mkv"},
		{BuildOptions{Exclude: []string{"**/*.mkv"}}, "keep.txt"},
	} {
		tt.opt.Path = root
		l := mustBuild(t, tt.opt).Info().Layout()
		var got []string
		for i := range l.Files {
			got = append(got, strings.Join(l.Files[i].Path, "/"))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%+v:\ngot  %s\nwant %s", tt.opt, s, tt.want)
		}
	}
}

func TestBuildLinks(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"dir/real": 10, "file": 20})
	outside := writeTree(t, "outside", map[string]int{"secret": 30})
	for link, target := range map[string]string{
		"inside":      "file",
		"dir/up":      "..",
		"folder":      "dir",
		"out":         outside,
		"out2":        "../../" + filepath.Base(outside),
		"nowhere":     "missing",
		"dir/to-file": "../file",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	var skipped []string
	l := mustBuild(t, BuildOptions{Path: root, Skipped: func(path string, why error) {
		skipped = append(skipped, path)
	}}).Info().Layout()
	var got []string
	for i := range l.Files {
		got = append(got, strings.Join(l.Files[i].Path, "/"))
	}
	if want := "dir/real dir/to-file file folder/real folder/to-file inside"; strings.Join(got,
		" ") != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if want := "dir/up folder/up nowhere out out2"; strings.Join(skipped, " ") != want {
		t.Errorf("skipped %q, want %q", skipped, want)
	}
}

func TestBuildErrors(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"file": 20, "none/empty": 0})
	for _, tt := range []struct {
		name string
		opt  BuildOptions
		want string
	}{
		{"missing", BuildOptions{Path: root + "/absent"}, "no such file"},
		{"nothing", BuildOptions{Path: root + "/none"}, "no content"},
		{"all excluded", BuildOptions{Path: root, Exclude: []string{"*"}}, "no content"},
		{"small pieces", BuildOptions{Path: root, PieceLength: 8192}, "power of two"},
		{"odd pieces", BuildOptions{Path: root, PieceLength: 100_000}, "power of two"},
		{"large pieces", BuildOptions{Path: root, PieceLength: 1 << 30}, "power of two"},
		{"pattern", BuildOptions{Path: root, Include: []string{"[a"}}, "malformed"},
		{"device", BuildOptions{Path: os.DevNull}, "neither a file nor a folder"},
		{"root", BuildOptions{Path: "/"}, "has no name"},
	} {
		_, err := Build(context.Background(), tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want ...%s...", tt.name, err, tt.want)
		}
	}
}

func TestBuildCancel(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"file": 1 << 20})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, BuildOptions{Path: root}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Build(ctx, BuildOptions{Path: root + "/file"}); !errors.Is(err, context.Canceled) {
		t.Errorf("single file: got %v", err)
	}
}

// scanned readies a torrent for hashing, so that files can be changed before.
func scanned(t *testing.T, opt *BuildOptions) *hasher {
	t.Helper()
	src, err := scan(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.close)
	l, err := plan(opt, src)
	if err != nil {
		t.Fatal(err)
	}
	return newHasher(opt, src, l)
}

func TestBuildNoticesChange(t *testing.T) {
	for _, size := range []int{99_999, 100_001} {
		root := writeTree(t, "content", map[string]int{"file": 100_000})
		h := scanned(t, &BuildOptions{Path: root})
		if err := os.WriteFile(root+"/file", make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		var changed *changedError
		if err := h.run(t.Context()); !errors.As(err, &changed) {
			t.Errorf("size %d: got %v", size, err)
		}
	}
}

// The length of an info dictionary is known before anything is hashed; the error says
// what makes it small enough.
func TestBuildTooLargeInfo(t *testing.T) {
	deep := strings.Repeat("a long name of a folder ", 8)
	many := &sources{name: "many", multi: true}
	for i := range 60_000 {
		f := source{path: fmt.Sprintf("%s/%s/%06d", deep, deep, i), size: 1000}
		many.files, many.total = append(many.files, f), many.total+f.size
	}
	long := &sources{name: "long", multi: true}
	for i := range 75_000 {
		f := source{path: fmt.Sprintf("%s%s", strings.Repeat("n", 240), fmt.Sprintf("%06d", i)),
			size: 1000}
		long.files, long.total = append(long.files, f), long.total+f.size
	}
	large := &sources{name: "large", files: []source{{size: 20 << 30}}, total: 20 << 30}
	huge := &sources{name: "huge", files: []source{{size: 100 << 30}}, total: 100 << 30}
	for _, tt := range []struct {
		name  string
		src   *sources
		kind  Kind
		piece int
		want  InfoSizeError // File, Kind and PieceLength
	}{
		{"names of folders, v1", many, V1, 0, InfoSizeError{Kind: V2, PieceLength: 32 << 10}},
		{"names of folders, hybrid", many, Hybrid, 0,
			InfoSizeError{Kind: V2, PieceLength: 16 << 10}},
		{"names of files", long, V1, 16 << 10, InfoSizeError{}},
		{"names of files, hybrid", long, Hybrid, 16 << 10, InfoSizeError{}},
		{"hashes", large, V1, 16 << 10, InfoSizeError{Kind: V1, PieceLength: 32 << 10}},
		{"hashes, hybrid", large, Hybrid, 16 << 10,
			InfoSizeError{Kind: Hybrid, PieceLength: 64 << 10}},
		{"hashes, chosen", large, V1, 0, InfoSizeError{Kind: V1, PieceLength: -1}},
		{"v2 has none there, but in the file", large, V2, 16 << 10,
			InfoSizeError{File: true, Kind: V2, PieceLength: 32 << 10}},
		{"layers", huge, V2, 64 << 10, InfoSizeError{File: true, Kind: V2, PieceLength: 128 << 10}},
		{"layers, hybrid", huge, Hybrid, 128 << 10,
			InfoSizeError{File: true, Kind: Hybrid, PieceLength: 256 << 10}},
		{"layers, chosen", huge, V2, 0, InfoSizeError{PieceLength: -1}},
	} {
		opt := &BuildOptions{Kind: tt.kind, PieceLength: tt.piece, Output: "x.torrent"}
		l, err := plan(opt, tt.src)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		err = checkInfoBytes(opt, tt.src, l)
		if tt.want.PieceLength == -1 {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var large *InfoSizeError
		if !errors.As(err, &large) || large.Bytes <= InfoBytesMax || large.File != tt.want.File {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if large.Kind != tt.want.Kind || large.PieceLength != tt.want.PieceLength {
			t.Errorf("%s: %+v", tt.name, large)
		}
		if large.PieceLength == 0 {
			continue
		}
		if opt.Output = ""; large.File && checkInfoBytes(opt, tt.src, l) != nil {
			t.Errorf("%s: refused without a file", tt.name)
		}
		opt = &BuildOptions{Kind: large.Kind, PieceLength: large.PieceLength, Output: "x.torrent"}
		if l, err = plan(opt, tt.src); err != nil || checkInfoBytes(opt, tt.src, l) != nil {
			t.Errorf("%s: the remedy does not help: %v", tt.name, err)
		}
	}
}

// What is hidden and not left out by a glob is counted.
func TestBuildCountsHidden(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"a": 1, ".b": 1, "c/.d": 1, ".git/e": 1,
		".git/.f": 1, ".x.tmp": 1})
	for _, tt := range []struct {
		opt  BuildOptions
		want int
	}{
		{BuildOptions{}, 4},
		{BuildOptions{Exclude: []string{"*.tmp"}}, 3},
		{BuildOptions{Include: []string{"a", "*.tmp"}}, 1},
		{BuildOptions{Hidden: true}, 0},
	} {
		got := 0
		tt.opt.Path, tt.opt.SkippedHidden = root, func(n int) { got += n }
		mustBuild(t, tt.opt)
		if got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.opt, got, tt.want)
		}
	}
}

// An error of a file names it, once, as the user would.
func TestBuildErrorsNameTheFile(t *testing.T) {
	for _, damage := range []struct {
		do   func(path string) error
		want string
	}{
		{os.Remove, "no such file or directory"},
		{func(path string) error { return os.Truncate(path, 1<<20-1) },
			"changed while it was read"},
		{func(path string) error { return os.Truncate(path, 1<<20+1) },
			"changed while it was read"},
	} {
		for _, kind := range []Kind{V1, Hybrid} {
			root := writeTree(t, "content", map[string]int{"sub/file": 1 << 20})
			h := scanned(t, &BuildOptions{Path: root, Kind: kind, PieceLength: PieceLengthMin,
				Workers: 1})
			file := filepath.Join(root, "sub", "file")
			if err := damage.do(file); err != nil {
				t.Fatal(err)
			}
			err := h.run(t.Context())
			if err == nil || strings.Count(err.Error(), file) != 1 ||
				!strings.HasSuffix(err.Error(), damage.want) {
				t.Errorf("%v: got %v, want %s: %s", kind, err, file, damage.want)
			}
		}
	}
}

// What will be written to is no content: a torrent with it would be wrong as soon
// as it is there.
func TestBuildLeavesOutputOut(t *testing.T) {
	root := writeTree(t, "content", map[string]int{"a": 20_000, "sub/old.torrent": 100})
	var skipped []string
	opt := BuildOptions{
		Path: root, Output: filepath.Join(root, "sub", "old.torrent"),
		Skipped: func(path string, why error) { skipped = append(skipped, path+": "+why.Error()) },
	}
	if got := len(mustBuild(t, opt).Info().Layout().Files); got != 1 {
		t.Errorf("%d files, want one", got)
	}
	if want := []string{"sub/old.torrent: is the file that the torrent will be " +
		"written to"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %q", skipped)
	}
	opt.Output = filepath.Join(root, "sub", "new.torrent")
	if got := len(mustBuild(t, opt).Info().Layout().Files); got != 2 {
		t.Errorf("%d files, want both", got)
	}
	opt.Path, opt.Output = filepath.Join(root, "a"), filepath.Join(root, "a")
	if _, err := Build(t.Context(), opt); err == nil {
		t.Error("a file was made into a torrent that replaces it")
	}
}

func TestBuildProgress(t *testing.T) {
	root := writeTree(t, "content", mixedTree)
	var last, total int64
	l := mustBuild(t, BuildOptions{Path: root, Kind: Hybrid, Progress: func(done, all int64) {
		if done < last {
			t.Errorf("progress went from %d to %d", last, done)
		}
		last, total = done, all
	}}).Info().Layout()
	if last != total || total != l.Size() {
		t.Errorf("ended at %d of %d, files have %d", last, total, l.Size())
	}
}

func TestChoosePieceLength(t *testing.T) {
	const kib, mib, gib, tib = 1 << 10, 1 << 20, 1 << 30, 1 << 40
	small := make([]source, 20_000)
	for i := range small {
		small[i].size = 10 * kib
	}
	for _, tt := range []struct {
		name  string
		kind  Kind
		files []source
		want  int
	}{
		{"1 byte", V1, []source{{size: 1}}, 16 * kib},
		{"32 MiB", V1, []source{{size: 32 * mib}}, 16 * kib},
		{"64 MiB", V1, []source{{size: 64 * mib}}, 32 * kib},
		{"1 GiB", V1, []source{{size: gib}}, 512 * kib},
		{"1 GiB", Hybrid, []source{{size: gib}}, 512 * kib},
		{"64 GiB", V1, []source{{size: 64 * gib}}, 16 * mib},
		{"1 TiB", V1, []source{{size: tib}}, 16 * mib},
		{"10 TiB", V1, []source{{size: 10 * tib}}, 64 * mib},
		{"20,000 small", V1, small, 128 * kib},
		{"20,000 small", V2, small, 16 * kib},
		{"20,000 small", Hybrid, small, 16 * kib},
	} {
		src := &sources{files: tt.files}
		for _, f := range tt.files {
			src.total += f.size
		}
		if got := choosePieceLength(tt.kind, src); got != tt.want {
			t.Errorf("%s %v: got %d, want %d", tt.name, tt.kind, got, tt.want)
		}
	}
}

func TestMatchGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.txt", "a.txt", true},
		{"*.txt", "d/a.txt", true},
		{"*.txt", "a.txt/b", false},
		{"d/*.txt", "d/a.txt", true},
		{"/d/*.txt", "d/a.txt", true},
		{"d/*.txt", "e/d/a.txt", false},
		{"**/d/*.txt", "e/d/a.txt", true},
		{"**/d/*.txt", "d/a.txt", true},
		{"d/**", "d/a/b/c", true},
		{"d/**", "e/a", false},
		{"a/**/z", "a/z", true},
		{"a/**/z", "a/b/c/z", true},
		{"a/**/z", "a/b/c/y", false},
		{"a/**/b/**/z", "a/x/b/y/b/z", true},
		{"a/**/b/*/z", "a/b/x/b/y/z", true},
		{"[ab]?", "bz", true},
		{"[ab", "a", false},
	} {
		if got := MatchGlob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q on %q: got %v", tt.pattern, tt.name, got)
		}
	}
}
