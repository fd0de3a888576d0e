package metainfo

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python is the interpreter that has Debian's python3-libtorrent.
const python = "/usr/bin/python3"

func needLibtorrent(t *testing.T) {
	t.Helper()
	if err := exec.Command(python, "-c", "import libtorrent").Run(); err != nil {
		absent(t, "python3-libtorrent", err)
	}
}

// absent skips the test for a program that is not installed, or fails it when all
// must be installed.
func absent(t *testing.T, name string, err error) {
	t.Helper()
	if os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
		t.Fatal(name, "is not installed, but required:", err)
	}
	t.Skip(name, "is not installed:", err)
}

func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		absent(t, name, err)
	}
}

func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, stderr.Bytes())
	}
	return string(out)
}

// createScript makes a torrent and shows it: arguments are output, path, piece
// length and the names of flags. Of the attributes of files it writes that they
// are executable, as Build does.
const createScript = `
import sys, os, libtorrent as lt
out, path, piece = sys.argv[1], sys.argv[2], int(sys.argv[3])
flags = 0
program = lambda p: lt.file_storage.flag_executable if os.stat(p).st_mode & 0o100 else 0
for name in sys.argv[4:]:
    flags |= getattr(lt.create_torrent, name)
fs = lt.file_storage()
if os.path.isdir(path):
    found = []
    for d, _, names in os.walk(path):
        found += [os.path.join(d, n) for n in names]
    rel = lambda p: os.path.relpath(p, os.path.dirname(path))
    for p in sorted(found, key=lambda p: rel(p).encode().split(b'/')):
        fs.add_file(rel(p), os.path.getsize(p), program(p))
else:
    fs.add_file(os.path.basename(path), os.path.getsize(path), program(path))
t = lt.create_torrent(fs, piece, flags)
lt.set_piece_hashes(t, os.path.dirname(path))
with open(out, 'wb') as f:
    f.write(lt.bencode(t.generate()))
` + showScript

// showScript prints what libtorrent reads in a .torrent file.
const showScript = `
import sys, libtorrent as lt
ti = lt.torrent_info(sys.argv[1])
h = ti.info_hashes()
print(h.v1 if h.has_v1() else '-', h.v2 if h.has_v2() else '-', ti.num_pieces(), ti.piece_length(), ti.name())
fs = ti.files()
for i in range(fs.num_files()):
    if not fs.file_flags(i) & lt.file_storage.flag_pad_file:
        print(fs.file_size(i), fs.file_path(i))
`

// show prints the same of a Torrent.
func show(t *Torrent) string {
	info := t.Info()
	v1, v2 := "-", "-"
	if h, ok := info.HashV1(); ok {
		v1 = h.String()
	}
	if h, ok := info.HashV2(); ok {
		v2 = h.String()
	}
	l := info.Layout()
	var b strings.Builder
	fmt.Fprintln(&b, v1, v2, l.Pieces(), l.PieceLength, l.Name)
	for i := range l.Files {
		if !l.Files[i].Pad {
			fmt.Fprintln(&b, l.Files[i].Length, l.FilePath(i))
		}
	}
	return b.String()
}

func kindFlags(kind Kind) []string {
	switch kind {
	case V1:
		return []string{"v1_only"}
	case V2:
		return []string{"v2_only"}
	}
	return nil
}

var interopTrees = map[string]map[string]int{
	"mixed": mixedTree,
	"one":   {"only.bin": 70_000},
	"exact": {"a": 65536, "b": 32768, "c/d": 16384},
	"large": {"big": 3_000_000, "small": 12},
}

// TestLibtorrentReadsOurs compares what libtorrent reads in what Build made
// with what it is.
func TestLibtorrentReadsOurs(t *testing.T) {
	needLibtorrent(t)
	for name, sizes := range interopTrees {
		root := writeTree(t, name, sizes)
		for _, kind := range []Kind{V1, V2, Hybrid} {
			for _, bare := range []bool{false, true} {
				if bare && kind != Hybrid {
					continue
				}
				t.Run(fmt.Sprint(name, kind, bare), func(t *testing.T) {
					ours := mustBuild(t, BuildOptions{
						Path: root, Kind: kind, PieceLength: 32 << 10, NoTailPadding: bare,
						Private: true, Comment: "c", Creator: "x", Source: "S",
						Trackers: [][]string{{"http://a/announce"}, {"udp://b:1/announce"}},
					})
					file := filepath.Join(t.TempDir(), "ours.torrent")
					if err := os.WriteFile(file, ours.Marshal(), 0o644); err != nil {
						t.Fatal(err)
					}
					// As it is read: a v2 torrent of a folder with one file is that file.
					got, want := runTool(t, python, "-c", showScript, file),
						show(readTorrent(t, file))
					if got != want {
						t.Errorf("libtorrent reads\n%sours is\n%s", got, want)
					}
				})
			}
		}
	}
}

// TestWeReadLibtorrents reads what libtorrent makes, in both habits of padding
// the last file, and checks all pieces.
func TestWeReadLibtorrents(t *testing.T) {
	needLibtorrent(t)
	for name, sizes := range interopTrees {
		root := writeTree(t, name, sizes)
		for _, kind := range []Kind{V1, V2, Hybrid} {
			for _, flag := range []string{"", "canonical_files", "canonical_files_no_tail_padding",
				"optimize_alignment"} {
				if flag != "" && kind != Hybrid {
					continue // no padding to differ in
				}
				t.Run(fmt.Sprint(name, kind, flag), func(t *testing.T) {
					file := filepath.Join(t.TempDir(), "theirs.torrent")
					args := append([]string{"-c", createScript, file, root, "32768"},
						kindFlags(kind)...)
					if flag != "" {
						args = append(args, flag)
					}
					want := runTool(t, python, args...)
					torrent := readTorrent(t, file)
					if got := torrent.Info().Kind(); got != kind {
						t.Errorf("kind %v", got)
					}
					if got := show(torrent); got != want {
						t.Errorf("libtorrent reads\n%swe read\n%s", want, got)
					}
					checkLayout(t, torrent.Info().Layout(),
						contentDir(torrent.Info().Layout(), root))
				})
			}
		}
	}
}

// TestSameHashAsLibtorrent makes the same torrent twice, in both habits of
// padding.
func TestSameHashAsLibtorrent(t *testing.T) {
	needLibtorrent(t)
	for name, sizes := range interopTrees {
		root := writeTree(t, name, sizes)
		for path := range sizes {
			if err := os.Chmod(filepath.Join(root, path), 0o755); err != nil {
				t.Fatal(err)
			}
			break // any of them
		}
		for _, tt := range []struct {
			kind Kind
			bare bool
			flag string
		}{
			{V1, false, ""},
			{V2, false, ""},
			{Hybrid, false, ""},
			{Hybrid, false, "canonical_files"},
			{Hybrid, true, "canonical_files_no_tail_padding"},
		} {
			t.Run(fmt.Sprint(name, tt), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "theirs.torrent")
				args := append([]string{"-c", createScript, file, root, "32768"},
					kindFlags(tt.kind)...)
				if tt.flag != "" {
					args = append(args, tt.flag)
				}
				runTool(t, python, args...)
				ours := mustBuild(t, BuildOptions{Path: root, Kind: tt.kind, PieceLength: 32 << 10,
					NoTailPadding: tt.bare})
				theirs := readTorrent(t, file)
				if !bytes.Equal(theirs.Info().Raw(), ours.Info().Raw()) {
					t.Errorf("theirs\n%q\nours\n%q", cut(theirs.Info().Raw()),
						cut(ours.Info().Raw()))
				}
				if !bytes.Equal(theirs.Info().Layout().appendLayers(nil),
					ours.Info().Layout().appendLayers(nil)) {
					t.Error("piece layers differ")
				}
			})
		}
	}
}

func cut(b []byte) []byte { return b[:min(len(b), 1500)] }

func TestSameHashAsMktorrent(t *testing.T) {
	needTool(t, "mktorrent")
	for _, name := range []string{"large", "exact"} {
		root := writeTree(t, name, interopTrees[name])
		for _, private := range []bool{false, true} {
			file := filepath.Join(t.TempDir(), "theirs.torrent")
			args := []string{"-a", "http://127.0.0.1:1/announce", "-l", "16", "-o", file, "-s",
				"SRC"}
			if private {
				args = append(args, "-p")
			}
			runTool(t, "mktorrent", append(args, root)...)
			compareHash(t, file, BuildOptions{Path: root, PieceLength: 64 << 10, Private: private,
				Source: "SRC"})
		}
	}
}

func TestSameHashAsTransmissionCreate(t *testing.T) {
	needTool(t, "transmission-create")
	root := writeTree(t, "mixed", mixedTree)
	file := filepath.Join(t.TempDir(), "theirs.torrent")
	runTool(t, "transmission-create", "-o", file, "-s", "64", root)
	checkLayout(t, readTorrent(t, file).Info().Layout(), filepath.Dir(root))
	single := filepath.Join(root, "long.bin")
	runTool(t, "transmission-create", "-o", file, "-s", "64", single)
	l := readTorrent(t, file).Info().Layout()
	ours := mustBuild(t, BuildOptions{Path: single, PieceLength: 64 << 10}).Info().Layout()
	if !bytes.Equal(l.hashes, ours.hashes) || l.Name != ours.Name || l.Length != ours.Length {
		t.Errorf("theirs %+v, ours %+v", l, ours)
	}
}

func readTorrent(t *testing.T, file string) *Torrent {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := ParseTorrent(b)
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

func compareHash(t *testing.T, file string, opt BuildOptions) {
	t.Helper()
	theirs, ours := readTorrent(t, file).Info(), mustBuild(t, opt).Info()
	if !bytes.Equal(theirs.Raw(), ours.Raw()) {
		t.Errorf("theirs\n%q\nours\n%q", cut(theirs.Raw()), cut(ours.Raw()))
	}
}

// What is written beside the info dictionary is read as it is meant, and changes
// no hash.
func TestOthersReadWhatWasEdited(t *testing.T) {
	needLibtorrent(t)
	needTool(t, "transmission-show")
	const aroundScript = `
print(ti.comment(), ti.creator(), [x.url for x in ti.trackers()], ti.nodes(), [w['url'] for w in ti.web_seeds()])
`
	root := writeTree(t, "mixed", mixedTree)
	for _, kind := range []Kind{V1, V2, Hybrid} {
		torrent := mustBuild(t, BuildOptions{Path: root, Kind: kind, Comment: "old"})
		want := show(torrent)
		torrent.Comment, torrent.Creator, torrent.DisplayName = "new comment", "me",
			"a name to show"
		torrent.Trackers = [][]string{{"http://a.example/x"}, {"udp://b.example:1"}}
		torrent.Nodes, torrent.WebSeeds = []string{"router.example:6881"},
			[]string{"http://w.example/"}
		want += "new comment me ['http://a.example/x', 'udp://b.example:1'] [('router.example', " +
			"6881)] ['http://w.example/']\n"
		file := filepath.Join(t.TempDir(), "edited.torrent")
		if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := runTool(t, python, "-c", showScript+aroundScript, file); got != want {
			t.Errorf("%v: libtorrent reads\n%s, want\n%s", kind, got, want)
		}
		if kind != V1 {
			continue // transmission-show 3.00 takes no other
		}
		shown := runTool(t, "transmission-show", file)
		for _, line := range []string{"Name: mixed", "Hash: " + torrent.Info().Hash().String(),
			"Comment: new comment", "Created by: me"} {
			if !strings.Contains(shown, line) {
				t.Errorf("transmission-show does not say %q, but\n%s", line, shown)
			}
		}
	}
}

// magnetScript prints what libtorrent reads in a magnet link.
const magnetScript = `
import sys, libtorrent as lt
p = lt.parse_magnet_uri(sys.argv[1])
h = p.info_hashes
print(h.v1 if h.has_v1() else '-', h.v2 if h.has_v2() else '-', p.name)
print(p.trackers, p.url_seeds, p.peers)
`

func TestLibtorrentReadsOurMagnets(t *testing.T) {
	needLibtorrent(t)
	m := Magnet{
		HasV1: true, V1: Hash{1, 2, 3}, HasV2: true, V2: Hash256{4, 5, 6},
		Name: "a b & c+d=é", Trackers: []string{"http://t/announce?x=1&y=2"},
		WebSeeds: []string{"http://w/%20x"},
		Peers:    []string{"127.0.0.1:6881", "[::1]:6882"},
	}
	want := fmt.Sprintf("%v %v %s\n['http://t/announce?x=1&y=2'] ['http://w/%%20x'] "+
		"[('127.0.0.1', 6881), ('::1', 6882)]\n", m.V1, m.V2, m.Name)
	if got := runTool(t, python, "-c", magnetScript, m.String()); got != want {
		t.Errorf("%s\ngot  %swant %s", m, got, want)
	}
}
