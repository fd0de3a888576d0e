package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

// enc encodes a value: int, int64, string, raw, list or dict.
func enc(v any) string {
	switch v := v.(type) {
	case int:
		return string(bencode.AppendInt(nil, int64(v)))
	case int64:
		return string(bencode.AppendInt(nil, v))
	case string:
		return string(bencode.AppendString(nil, v))
	case raw:
		return string(v)
	case list:
		s := "l"
		for _, item := range v {
			s += enc(item)
		}
		return s + "e"
	case dict:
		s := "d"
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s += enc(key) + enc(v[key])
		}
		return s + "e"
	}
	panic(fmt.Sprintf("no such kind: %T", v))
}

type (
	raw  string // encoded already
	list []any
	dict map[string]any
)

// with returns d with key set to value, or without key if value is nil.
func (d dict) with(key string, value any) dict {
	d = maps.Clone(d)
	if d[key] = value; value == nil {
		delete(d, key)
	}
	return d
}

func sums(n int) string { return strings.Repeat("01234567890123456789", n) }

var (
	soundV1 = dict{"length": 40000, "name": "n", "piece length": 16384, "pieces": sums(3)}
	leafA   = dict{"": dict{"length": 40000, "pieces root": strings.Repeat("a", 32)}}
	soundV2 = dict{"file tree": dict{"a": leafA}, "meta version": 2, "name": "n",
		"piece length": 16384}
)

func torrentOf(info any) string { return enc(dict{"info": info}) }

// named returns a torrent of one file with the given path, in a folder.
func named(path ...any) string {
	return torrentOf(soundV1.with("length", nil).with("files",
		list{dict{"length": 40000, "path": list(path)}}))
}

// twoFiles returns a torrent of two files with the given names.
func twoFiles(a, b string) string {
	return torrentOf(soundV1.with("length", nil).with("files",
		list{fileOf(20000, a), fileOf(20000, b)}))
}

// sized returns a torrent of files with the given lengths.
func sized(pieces int, lengths ...int64) string {
	var all list
	for i, n := range lengths {
		all = append(all, dict{"length": n, "path": list{fmt.Sprint("f", i)}})
	}
	return torrentOf(soundV1.with("length", nil).with("files", all).with("pieces", sums(pieces)))
}

// hybridOf returns a hybrid whose v2 half has "a" with 5 bytes and "b" with 7, and whose
// v1 half is the given one.
func hybridOf(pieces int, files ...any) string {
	leaf := func(n int, root string) dict {
		return dict{"": dict{"length": n, "pieces root": strings.Repeat(root, 32)}}
	}
	return torrentOf(soundV2.with("file tree", dict{"a": leaf(5, "a"), "b": leaf(7, "b")}).
		with("files", list(files)).with("pieces", sums(pieces)))
}

func fileOf(length int, name string) dict { return dict{"length": length, "path": list{name}} }
func padOf(length int) dict {
	return dict{"attr": "p", "length": length, "path": list{".pad", fmt.Sprint(length)}}
}

// hostileTorrents are .torrent files that must be refused, with a part of the reason.
// Each bound has a constant of the same meaning in metainfo/limits.go.
func hostileTorrents() []struct{ name, doc, want string } {
	nest := func(n int) string { return strings.Repeat("l", n) + strings.Repeat("e", n) }
	var deep list
	for range metainfo.PathDepthMax + 1 {
		deep = append(deep, "d")
	}
	var long list
	for range 20 {
		long = append(long, strings.Repeat("x", 250))
	}
	layers := func(root, layer string) string {
		return enc(dict{"info": soundV2, "piece layers": dict{root: layer}})
	}
	a32 := strings.Repeat("a", 32)
	return []struct{ name, doc, want string }{
		// The encoding.
		{"empty", "", "unexpected end"},
		{"a web page", "<html>no torrent</html>", "expected dictionary"},
		{"a number", "i5e", "expected dictionary"},
		{"a list", "le", "expected dictionary"},
		{"truncated", torrentOf(soundV1)[:60], "offset"},
		{"truncated in the pieces", torrentOf(soundV1)[:100], "longer than the input"},
		{"nested", enc(dict{"info": soundV1, "x": raw(nest(1000))}), "deeper than"},
		{"nested, not closed", strings.Repeat("l", 100_000), "expected dictionary"},
		{"giant string", "d1:x99999999999:", "longer than the input"},
		{"giant string as info", "d4:info99999999999:", "expected dictionary, found string"},
		{"string length of 30 digits", "d1:x" + strings.Repeat("9", 30) + ":", "not canonical"},
		{"giant integer", torrentOf(soundV1.with("piece length",
			raw("i"+strings.Repeat("9", 40)+"e"))), "64 bits"},
		{"minus zero", torrentOf(soundV1.with("length", raw("i-0e"))), "not canonical"},
		{"leading zeros", torrentOf(soundV1.with("length", raw("i040000e"))), "not canonical"},
		{"key twice", "d7:comment1:a7:comment1:b4:info" + enc(soundV1) + "e", "key twice"},
		{"info twice", "d4:info" + enc(soundV1) + "4:info" + enc(soundV1) + "e", "key twice"},
		{"key twice in info", torrentOf(
			raw("d6:lengthi1e6:lengthi2e4:name1:n12:piece lengthi16384e6:pieces20:" + sums(1) +
				"e")), "key twice"},
		// The info dictionary of version 1.
		{"no info", enc(dict{"announce": "http://t/"}), "no info dictionary"},
		{"info is a string", enc(dict{"info": "x"}), "expected dictionary"},
		{"no name", torrentOf(soundV1.with("name", nil)), "no name"},
		{"name is a number", torrentOf(soundV1.with("name", 7)), "expected string"},
		{"no piece length", torrentOf(soundV1.with("piece length", nil)), "no piece length"},
		{"piece length is a string", torrentOf(soundV1.with("piece length", "16384")),
			"expected integer"},
		{"piece length 0", torrentOf(soundV1.with("piece length", 0)), "piece length 0"},
		{"piece length negative", torrentOf(soundV1.with("piece length", -16384)),
			"piece length -16384"},
		{"piece length above 512 MiB",
			torrentOf(soundV1.with("piece length", metainfo.PieceLengthMax+1)), "out of range"},
		{"piece length 2^62", torrentOf(soundV1.with("piece length", int64(1<<62))),
			"out of range"},
		{"no pieces", torrentOf(soundV1.with("pieces", nil)), "no pieces"},
		{"pieces not 20n", torrentOf(soundV1.with("pieces", sums(3)+"x")), "not a multiple of 20"},
		{"too few pieces", torrentOf(soundV1.with("pieces", sums(2))),
			"2 hashes, the content 3 pieces"},
		{"too many pieces", torrentOf(soundV1.with("pieces", sums(4))),
			"4 hashes, the content 3 pieces"},
		{"more pieces than the limit", torrentOf(soundV1.with("length", int64(1<<50))),
			"more than 2097152 pieces"},
		{"neither length nor files", torrentOf(soundV1.with("length", nil)),
			"neither length nor files"},
		{"both length and files", torrentOf(soundV1.with("files", list{fileOf(40000, "a")})),
			"both length and files"},
		{"length negative", torrentOf(soundV1.with("length", -1)), "out of range"},
		{"no content", torrentOf(soundV1.with("length", 0).with("pieces", "")), "no content"},
		{"nothing but empty files", sized(0, 0, 0), "no content"},
		{"no files", sized(0), "no content"},
		{"one length negative", sized(3, 50000, -10000), "out of range"},
		{"sum overflows", sized(3, 1<<60, 1<<60, 1<<60, 1<<60, 1<<60, 1<<60, 1<<60, 1<<60, 1<<60),
			"too much"},
		{"file without length", torrentOf(soundV1.with("length", nil).with("files",
			list{dict{"path": list{"a"}}})), "no length"},
		{"file is a string", torrentOf(soundV1.with("length", nil).with("files", list{"a"})),
			"expected dictionary"},
		// Names that cannot be meant.
		{"parent", named("..", "x"), `".."`},
		{"parent as name", torrentOf(soundV1.with("name", "..")), `".."`},
		{"parent behind a slash", named("a/../../x"), `".."`},
		{"parent behind a backslash", named(`a\..\..\x`), `".."`},
		{"absolute", named("/etc/passwd"), "absolute"},
		{"absolute on Windows", named(`C:\x`), "absolute"},
		{"absolute name", torrentOf(soundV1.with("name", "/etc")), "absolute"},
		{"network path", named(`\\host\share`), "absolute"},
		{"NUL", named("a\x00b"), "NUL"},
		{"no path", named(), "no name"},
		{"path of nothing", named("", "."), "no name"},
		{"too deep", named(deep...), "deeper than 64"},
		{"too long", named(long...), "longer than 4096"},
		{"path is a string", torrentOf(soundV1.with("length", nil).with("files",
			list{dict{"length": 40000, "path": "a"}})), "expected list"},
		// Version 2.
		{"unknown version", torrentOf(soundV2.with("meta version", 3)), "meta version 3"},
		{"version 2 without tree", torrentOf(soundV2.with("file tree", nil)), "without file tree"},
		{"piece length no power of two", torrentOf(soundV2.with("piece length", 49152)),
			"not a power of two"},
		{"piece length below a block", torrentOf(soundV2.with("piece length", 8192)),
			"not a power of two"},
		{"root missing", torrentOf(soundV2.with("file tree",
			dict{"a": dict{"": dict{"length": 5}}})), "pieces root has 0 bytes"},
		{"root of 20 bytes", torrentOf(soundV2.with("file tree",
			dict{"a": dict{"": dict{"length": 5, "pieces root": sums(1)}}})),
			"pieces root has 20 bytes"},
		{"file and folder", torrentOf(soundV2.with("file tree",
			dict{"a": dict{"": dict{"length": 0}, "b": leafA}})), "folder too"},
		{"parent in the tree", torrentOf(soundV2.with("file tree", dict{"..": leafA})), `".."`},
		{"file of 2^59 bytes",
			torrentOf(soundV2.with("file tree",
				dict{"a": dict{"": dict{"length": int64(1 << 59), "pieces root": a32}}})),
			"pieces"},
		{"one root, two lengths", torrentOf(soundV2.with("file tree",
			dict{"a": leafA, "b": dict{"": dict{"length": 7, "pieces root": a32}}})),
			"two lengths"},
		{"layer of no file", layers(strings.Repeat("b", 32), strings.Repeat("x", 96)),
			"root that no file has"},
		{"layer too short", layers(a32, strings.Repeat("x", 64)), "64 bytes instead of 96"},
		{"layer too long", layers(a32, strings.Repeat("x", 128)), "128 bytes instead of 96"},
		{"layer that is wrong", layers(a32, strings.Repeat("x", 96)),
			"does not lead to the file's root"},
		{"layers are a list", enc(dict{"info": soundV2, "piece layers": list{}}),
			"expected dictionary"},
		// Hybrids whose halves differ.
		{"other name", hybridOf(2, fileOf(5, "a"), padOf(16379), fileOf(7, "c")), "two names"},
		{"other length", hybridOf(2, fileOf(5, "a"), padOf(16379), fileOf(8, "b")), "two lengths"},
		{"other order", hybridOf(2, fileOf(7, "b"), padOf(16377), fileOf(5, "a")), "two names"},
		{"file missing", hybridOf(1, fileOf(5, "a")), "more files than files"},
		{"file too many", hybridOf(3, fileOf(5, "a"), padOf(16379), fileOf(7, "b"), padOf(16377),
			fileOf(1, "c")), "more files than the file tree"},
		{"no padding", hybridOf(1, fileOf(5, "a"), fileOf(7, "b")), "does not start at a piece"},
		{"padding too short", hybridOf(2, fileOf(5, "a"), padOf(16378), fileOf(7, "b")),
			"does not start at a piece"},
		{"a piece of padding", hybridOf(3, fileOf(5, "a"), padOf(16379+16384), fileOf(7, "b")),
			"at which the file tree has it"},
		{"padding in front", hybridOf(3, padOf(16384), fileOf(5, "a"), padOf(16379),
			fileOf(7, "b")), "at which the file tree has it"},
		{"a piece of padding at the end", hybridOf(3, fileOf(5, "a"), padOf(16379), fileOf(7, "b"),
			padOf(16377+16384)), "longer than a piece"},
		{"no v1 pieces", torrentOf(soundV2.with("length", 40000)), "no pieces"},
	}
}

// TestHostileTorrents gives each to "node add": one line that names the reason,
// exit code 3, and nothing is written, not even the state.
func TestHostileTorrents(t *testing.T) {
	for _, tt := range hostileTorrents() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, "hostile.torrent", []byte(tt.doc), tt.want)
		})
	}
	t.Run("larger than the limit", func(t *testing.T) {
		refused(t, "hostile.torrent", make([]byte, metainfo.TorrentBytesMax+1),
			"longer than 32.0 MiB")
	})
}

// TestHostileMagnets does the same with links.
func TestHostileMagnets(t *testing.T) {
	const hash, hash2 = "0123456789abcdef0123456789abcdef01234567",
		"1123456789abcdef0123456789abcdef01234567"
	const xt = "magnet:?xt=urn:btih:"
	for _, tt := range []struct{ name, link, want string }{
		{"no topic", "magnet:?dn=x", "no exact topic"},
		{"nothing", "magnet:", "no exact topic"},
		{"empty topic", xt, "expected 40 hexadecimal"},
		{"short", xt + hash[1:], "expected 40 hexadecimal"},
		{"long", xt + hash + "0", "expected 40 hexadecimal"},
		{"not hexadecimal", xt + "g" + hash[1:], "expected 40 hexadecimal"},
		{"not base32", xt + strings.Repeat("1", 32), "32 base32 digits"},
		{"two hashes", xt + hash + "&xt=urn:btih:" + hash2, "two different urn:btih"},
		{"two v2 hashes", "magnet:?xt=urn:btmh:1220" + strings.Repeat("a", 64) +
			"&xt=urn:btmh:1220" + strings.Repeat("b", 64), "two different urn:btmh"},
		{"other multihash", "magnet:?xt=urn:btmh:1114" + hash, "not a full SHA2-256"},
		{"multihash of another length", "magnet:?xt=urn:btmh:1220" + hash, "malformed"},
		{"multihash with an endless varint", "magnet:?xt=urn:btmh:" + strings.Repeat("ff", 40),
			"malformed"},
		{"long multihash", "magnet:?xt=urn:btmh:" + strings.Repeat("12", 5000), "too long"},
		{"odd multihash", "magnet:?xt=urn:btmh:122", "not hexadecimal"},
		{"other network", "magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C",
			"not a BitTorrent topic"},
		{"broken escape", "magnet:?xt=urn%zzbtih:" + hash, "broken percent-escape"},
		{"longer than the limit", xt + hash + "&dn=" + strings.Repeat("x", metainfo.MagnetBytesMax),
			"longer than 65536 bytes"},
		{"too many parameters", xt + hash + strings.Repeat("&x=1", 2000),
			"more than 1000 parameters"},
		{"parts of the file chosen that are none", "magnet:?so=0-5", "no exact topic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, tt.link, nil, tt.want)
		})
	}
}

// refused runs "node add" in an empty folder on a source, which is a file if doc
// is not nil.
func refused(t *testing.T, source string, doc []byte, want string) {
	t.Helper()
	dir := t.TempDir()
	if doc != nil {
		if err := os.WriteFile(filepath.Join(dir, source), doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := runNode(t, dir, "add", "--dir", "out", source)
	if code != exitInput || stdout != "" {
		t.Errorf("exit code %d, want %d; stdout %q", code, exitInput, stdout)
	}
	if !strings.HasPrefix(stderr, "node: add: ") || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, want) ||
		len(stderr) > 400 || strings.ContainsFunc(strings.TrimSuffix(stderr, "\n"), unsafeRune) {
		t.Errorf("got %q, want one printable line with %q", stderr, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != source {
			t.Errorf("%s was made", e.Name())
		}
	}
}

// runNode runs the command with dir as its home.
func runNode(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...) // see TestMain
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME="+filepath.Join(dir, "state"),
		"GORACE=atexit_sleep_ms=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestOddTorrents gives the command odd torrents that still mean something.
func TestOddTorrents(t *testing.T) {
	many := func(key string, one func(i int) any) string {
		var all list
		for i := range 5000 {
			all = append(all, one(i))
		}
		return enc(dict{"info": soundV1, key: all})
	}
	for _, tt := range []struct {
		name, doc string
		lines     int    // of what is wanted
		want      string // that a line of "node info" starts with
	}{
		{"bytes behind the end", torrentOf(soundV1) + "garbage", 1,
			"Pieces:         3 of 16.0 KiB"},
		{"keys out of order", "d4:info" + "d4:name1:n6:lengthi40000e6:pieces60:" + sums(3) +
			"12:piece lengthi16384ee7:comment1:ce", 1, "Comment:"},
		{"odd values of no weight", enc(dict{"info": soundV1, "comment": 5, "creation date": "x",
			"nodes": "x", "announce": list{}, "url-list": 7}), 1, "Name:"},
		{"flood of trackers", many("announce-list", func(i int) any {
			return list{fmt.Sprintf("http://t%d/", i)}
		}), metainfo.TrackersMax, "Tracker "},
		{"flood of web seeds", many("url-list", func(i int) any {
			return fmt.Sprintf("http://w%d/", i)
		}), metainfo.WebSeedsMax, "Web seed:"},
		{"flood of nodes", many("nodes", func(i int) any {
			return list{fmt.Sprintf("n%d.example", i), 6881}
		}), metainfo.NodesMax, "DHT node:"},
		{"control characters in the name", torrentOf(soundV1.with("name", "a\x1b[31m\nb\u202ec")),
			1, `Name changed:   "a\x1b[31m\nb\u202ec" to "a_[31m_b_c"`},
		{"invalid UTF-8", torrentOf(soundV1.with("name", "a\xff")),
			1, `Name changed:   "a\xff" to "a_"`},
		{"UTF-8 name beside it", torrentOf(soundV1.with("name", "a\xff").with("name.utf-8", "ä")),
			1, "Name:           ä"},
		{"device of Windows", named("con.txt"), 0, `Name changed:`},
		{"dots and spaces at the end", named("a. ", "b..."), 0, `Name changed:`},
		{"separators and wildcards", named(`a\b:c*?"<>|d`), 0, `Name changed:`},
		{"backslash at the start", named(`\lead`), 0, `Name changed:`},
		{"folder called like a drive", named("C:", "x"), 0, `Name changed:`},
		{"slash in a name", named("a/b"), 1, `Name changed: "n/a/b" to "n/a_b"`},
		{"bidirectional marks", named("exe.\u202egpj"),
			1, `Name changed: "n/exe.\u202egpj" to "n/exe._gpj"`},
		{"name of 300 bytes", named(strings.Repeat("x", 296) + ".mkv"),
			1, `Name changed: "n/` + strings.Repeat("x", 296) + `.mkv" to "n/` + strings.Repeat("x",
				242) + "~"},
		{"names that differ in case", twoFiles("a", "A"), 0, `Name changed:`},
		{"names that differ in normal form", twoFiles("\u00e9", "e\u0301"), 0, "Name changed:"},
		{"path.utf-8 that is a string", torrentOf(soundV1.with("length", nil).with("files", list{
			dict{"length": 40000, "path": list{"a"}, "path.utf-8": "b"}})), 1, "Size: 39.1 KiB"},
		{"symlink path that is a string", torrentOf(soundV1.with("length", nil).with("files", list{
			dict{"length": 40000, "path": list{"a"}, "symlink path": "b"}})), 1, "Size: 39.1 KiB"},
		{"meta version that is a string", torrentOf(soundV1.with("meta version", "2")), 1,
			"Kind: v1"},
		{"equal names", twoFiles("a", "a"), 1, `Name changed: "n/a" to "n/a (2)"`},
		{"file that is a folder", torrentOf(soundV1.with("length", nil).with("files",
			list{fileOf(20000, "d"), dict{"length": 20000, "path": list{"d", "x"}}})), 1,
			`Name changed: "n/d" to "n/d (2)"`},
		{"empty elements", named("a", "", ".", "b"), 1, `Name changed: "n/a//./b" to "n/a/b"`},
		{"padding larger than a piece", torrentOf(soundV1.with("length", nil).with("files",
			list{fileOf(5, "a"), padOf(39995)})), 1, "Size:           5 B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "odd.torrent"), []byte(tt.doc),
				0o644); err != nil {
				t.Fatal(err)
			}
			shows(t, dir, "odd.torrent", tt.lines, tt.want)
		})
	}
}

// TestVerifyWithoutLayers: content cannot be judged by a .torrent file of version 2 that
// lacks the piece layers.
func TestVerifyWithoutLayers(t *testing.T) {
	dir := t.TempDir()
	content := filepath.Join(dir, "content")
	if err := os.WriteFile(content, make([]byte, 5*metainfo.BlockLength), 0o644); err != nil {
		t.Fatal(err)
	}
	made, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: content, Kind: metainfo.V2,
		PieceLength: metainfo.BlockLength})
	if err != nil {
		t.Fatal(err)
	}
	whole := made.Marshal()
	const key = "12:piece layers"
	at := bytes.Index(whole, []byte(key))
	for name, doc := range map[string][]byte{"whole": whole, "cut": append(whole[:at:at], 'e')} {
		if err := os.WriteFile(filepath.Join(dir, name), doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := runNode(t, dir, "verify", "whole"); code != 0 {
		t.Errorf("the whole one: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := runNode(t, dir, "verify", "cut"); code != exitInput ||
		!strings.Contains(stderr, "piece layers") {
		t.Errorf("the one without: exit code %d: %s", code, stderr)
	}
}

// TestOddMagnets does the same with links.
func TestOddMagnets(t *testing.T) {
	const link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"
	flood := func(format string) string {
		s := link
		for i := range 400 {
			s += fmt.Sprintf(format, i+1)
		}
		return s
	}
	for _, tt := range []struct {
		name, link string
		lines      int
		want       string
	}{
		{"upper case", strings.ToUpper(link), 1,
			"Info-hash v1: 0123456789abcdef0123456789abcdef01234567"},
		{"base32", "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH", 1,
			"Info-hash v1: 0123456789abcdef0123456789abcdef01234567"},
		{"flood of trackers", flood("&tr=http://t%d/"), metainfo.TrackersMax, "Tracker "},
		{"flood of web seeds", flood("&ws=http://w%d/"), metainfo.WebSeedsMax, "Web seed:"},
		{"flood of peers", flood("&x.pe=192.0.2.7:%d"), metainfo.PeersMax, "Peer:"},
		{"peers that are none", link + "&x.pe=1.2.3.4&x.pe=1.2.3.4:0&x.pe=1.2.3.4:70000&x.pe=:5",
			0, "Peer:"},
		{"name with a path", link + "&dn=..%2f..%2fetc%2fpasswd", 1, "Name: .._.._etc_passwd"},
		{"name with control characters", link + "&dn=a%1b[31m%0ab", 1, "Name: a_[31m_b"},
		{"all files there may be", link + "&so=0-4294967295,5,0-1048575",
			1, "Chosen files: 0 to 1048575"},
		{"files that are none", link + "&so=x,-1,5-2,99999999999", 0, "Chosen files:"},
		{"other topics beside",
			link + "&xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C&xt=urn:ed2k:31d6cfe0", 1,
			"Info-hash v1:"},
		{"broken escapes", link + "&tr=%zz&dn=100%+legal&ws=%", 1, "Name: 100%+legal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, t.TempDir(), tt.link, tt.lines, tt.want)
		})
	}
}

// shows runs "node info" and counts the lines that start with the wanted text.
func shows(t *testing.T, dir, source string, lines int, want string) {
	t.Helper()
	code, stdout, stderr := runNode(t, dir, "info", source)
	if code != exitDone || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	n := 0
	for line := range strings.Lines(stdout) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unsafeRune) {
			t.Errorf("not printable: %q", line)
		}
		if strings.HasPrefix(plain(line)+" ", plain(want)) {
			n++
		}
	}
	if n != lines {
		t.Errorf("%d lines start with %q, want %d:\n%s", n, want, lines, stdout)
	}
}
