package metainfo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanElement(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain.txt", "plain.txt"},
		{"with space", "with space"},
		{".hidden", ".hidden"},
		{"...x", "...x"},
		{"ünï.côde", "ünï.côde"},
		{"日本語.mkv", "日本語.mkv"},
		{"👩‍👩‍👧.jpg", "👩‍👩‍👧.jpg"}, // joiners are no formatting
		{"", ""},
		{".", ""},
		{"a/b", "a_b"},
		{`a\b`, "a_b"},
		{"a:b*c?d\"e<f>g|h", "a_b_c_d_e_f_g_h"},
		{"a\nb\tc\x7f", "a_b_c_"},
		{"a\u0085b", "a_b"},
		{"exe.\u202egpj", "exe._gpj"},
		{"\u2066a\u2069\u200f\u061c", "_a___"},
		{"a\u2028b\ufeff", "a_b_"},
		{"bad\xff\xfeutf", "bad__utf"},
		{"replacement\ufffd", "replacement_"},
		{"dots...", "dots"},
		{"space ", "space"},
		{"mix. . ", "mix"},
		{"...", "_"},
		{"  ", "_"},
		{"CON", "_CON"},
		{"con", "_con"},
		{"Aux.txt", "_Aux.txt"},
		{"nul.tar.gz", "_nul.tar.gz"},
		{"NUL .txt", "_NUL .txt"},
		{"COM1", "_COM1"},
		{"lpt9.log", "_lpt9.log"},
		{"COM¹", "_COM¹"},
		{"CONIN$", "_CONIN$"},
		{"conout$.x", "_conout$.x"},
		{"CON.", "_CON"},
		{"COM0", "COM0"},
		{"COM10", "COM10"},
		{"CONSOLE", "CONSOLE"},
		{"xcon", "xcon"},
		{"a..b", "a..b"},
	} {
		got, err := cleanElement(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"..", "../x", `x\..`, "a\x00", "/x", `\x`, "c:/x", `Z:\`, "//h/s"} {
		if got, err := cleanElement(in); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := make(map[string]bool)
	for _, in := range []string{
		long, long + "y", long + ".mkv", strings.Repeat("é", 200) + ".mkv", strings.Repeat("日", 100),
		"." + long, long + "." + long, strings.Repeat("a", 256), "x" + strings.Repeat("\xff", 255),
	} {
		got, err := cleanElement(in)
		if err != nil || len(got) > ElementBytesMax || len(got) < ElementBytesMax-4 || !utf8.ValidString(got) {
			t.Errorf("%.10q...: got %d bytes, %v: %q", in, len(got), err, got)
		}
		if strings.HasSuffix(in, ".mkv") != strings.HasSuffix(got, ".mkv") {
			t.Errorf("%.10q...: extension of %q", in, got)
		}
		if again, _ := cleanElement(in); again != got || seen[got] {
			t.Errorf("%.10q...: not stable, or not its own: %q", in, got)
		}
		seen[got] = true
	}
	if exact := strings.Repeat("z", 255); DisplayName(exact) != exact {
		t.Error("255 bytes were cut")
	}
}

func FuzzCleanElement(f *testing.F) {
	for _, s := range []string{"a", "..", "CON.", "a/b", "\xff", "x. .", "._", strings.Repeat("é", 200), "_CON", "com¹"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := cleanElement(in)
		if err != nil {
			return
		}
		if again, err := cleanElement(got); err != nil || again != got {
			t.Errorf("%q became %q, and that %q, %v", in, got, again, err)
		}
		if len(got) > ElementBytesMax || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00:\n") ||
			got == "." || got == ".." || strings.HasSuffix(got, ".") || isReserved(got) {
			t.Errorf("%q became %q", in, got)
		}
		if DisplayName(in) != got {
			t.Errorf("%q is shown as %q, not %q", in, DisplayName(in), got)
		}
	})
}

func TestCollisions(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a b c", "a|b|c"},
		{"a a", "a|a (2)"},
		{"a A a", "a (2)|A|a (3)"},
		{"x.txt X.TXT", "x (2).txt|X.TXT"},
		{"é.txt e\u0301.txt", "é (2).txt|e\u0301.txt"},
		{"É.txt e\u0301.txt", "É (2).txt|e\u0301.txt"},
		{"straße STRASSE", "straße (2)|STRASSE"},
		{"d/x D/x d/X", "d/x (3)|D/x|d/X (2)"},
		{"d d/x", "d (2)|d/x"},
		{"d/x d", "d/x|d (2)"},
		{"D d/x", "D (2)|d/x"},
		{"a/b a/b/c", "a/b (2)|a/b/c"},
		{"a:b a?b", "a_b|a_b (2)"},
		{"con _con", "_con (2)|_con"},
		{"a:b a_b", "a_b (2)|a_b"},
		{"a_b a:b", "a_b|a_b (2)"},
		{"a,(2) a a", "a (2)|a|a (3)"},
		{"d/x e/x d/y", "d/x|e/x|d/y"},
	} {
		var entries []any
		for _, p := range strings.Fields(tt.in) {
			var path list
			for _, e := range strings.Split(strings.ReplaceAll(p, ",", " "), "/") {
				path = append(path, e)
			}
			entries = append(entries, dict{"length", 1, "path", path})
		}
		info, err := ParseInfo([]byte(enc(files(entries...))))
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		l := info.Layout()
		var got []string
		for i := range l.Files {
			got = append(got, strings.TrimPrefix(l.FilePath(i), "n/"))
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, s, tt.want)
		}
	}
}

// TestCollisionsInAnyOrder resolves the same names in many orders.
func TestCollisionsInAnyOrder(t *testing.T) {
	paths := []string{"a", "A", "a:", "d/x", "D/x", "d/X", "d", "con", "_con", "É", "e\u0301", "x.txt", "X.txt", "x (2).txt", "q/r/s", "q/R"}
	r := rand.New(rand.NewPCG(5, 6))
	var want map[string]string
	for range 200 {
		r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		var entries []any
		for _, p := range paths {
			var path list
			for _, e := range strings.Split(p, "/") {
				path = append(path, e)
			}
			entries = append(entries, dict{"length", 1, "path", path})
		}
		info, err := ParseInfo([]byte(enc(files(entries...))))
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for i, p := range paths {
			got[p] = info.Layout().FilePath(i)
		}
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Fatalf("in order %q:\ngot  %v\nwant %v", paths, got, want)
		}
	}
}

// FuzzNames reads torrents of any names, one a line, with slashes between their
// elements: no two become one on any system, names that are safe already stay as
// they are when they are read again, and the order does not matter.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a\nA\na", "d\nd/x\nD/x", "con\n_con\n_CON", "é\ne\u0301\nE\u0301", "x (2)\nx\nX", "a:\na?\na_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, names string) {
		lines := strings.Split(names, "\n")
		if len(lines) > 200 {
			return
		}
		parse := func(lines []string) *Layout {
			var entries []any
			for _, line := range lines {
				var path list
				for _, e := range strings.Split(line, "/") {
					path = append(path, e)
				}
				entries = append(entries, dict{"length", 1, "path", path})
			}
			info, err := ParseInfo([]byte(enc(files(entries...))))
			if err != nil {
				return nil
			}
			checkInvariants(t, info)
			return info.Layout()
		}
		l := parse(lines)
		if l == nil {
			return
		}
		var safe []string
		for i := range l.Files {
			safe = append(safe, strings.Join(l.Files[i].Path, "/"))
		}
		again := parse(safe)
		if again == nil {
			t.Fatalf("%q became %q, which is refused", lines, safe)
		}
		for i := range safe {
			if got := strings.Join(again.Files[i].Path, "/"); got != safe[i] {
				t.Errorf("%q became %q, and that %q", lines[i], safe[i], got)
			}
		}
		backward := slices.Clone(lines)
		slices.Reverse(backward)
		other := parse(backward)
		seen := make(map[string]bool)
		for i, line := range lines {
			if slices.Index(lines, line) != i || seen[line] {
				return // equal ones are told apart by their order
			}
			seen[line] = true
		}
		for i := range lines {
			if got := other.FilePath(len(lines) - 1 - i); got != l.FilePath(i) {
				t.Errorf("%q is %q, and %q in another order", lines[i], l.FilePath(i), got)
			}
		}
	})
}

// TestManyCollisions would take hours if numbering were not linear.
func TestManyCollisions(t *testing.T) {
	var entries []any
	for range 20_000 {
		entries = append(entries, raw("d6:lengthi1e4:pathl1:aee"))
	}
	info, err := ParseInfo([]byte(enc(files(entries...).with("pieces", sums(2)))))
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	if got := l.FilePath(len(l.Files) - 1); got != "n/a (20000)" {
		t.Errorf("got %q", got)
	}
	seen := make(map[string]bool)
	for i := range l.Files {
		seen[l.FilePath(i)] = true
	}
	if len(seen) != len(l.Files) {
		t.Errorf("%d names for %d files", len(seen), len(l.Files))
	}
}

func TestRenamed(t *testing.T) {
	info, err := ParseInfo([]byte(enc(files(
		dict{"length", 1, "path", list{"ok"}},
		dict{"length", 1, "path", list{"a:b", "", "c."}},
		dict{"length", 1, "path", list{"OK"}},
	).with("name", "t?"))))
	if err != nil {
		t.Fatal(err)
	}
	want := []Renamed{{"t?", "t_"}, {"t?/ok", "t_/ok (2)"}, {"t?/a:b//c.", "t_/a_b/c"}}
	if got := info.Renamed(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	info, err = ParseInfo([]byte(enc(single.with("name", "."))))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(info.Renamed()); got != "[{. "+info.Hash().String()+"}]" {
		t.Errorf("got %s", got)
	}
}
