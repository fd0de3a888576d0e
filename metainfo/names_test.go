package metainfo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
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
		got, err := cleanElement(tt.in, NamesPortable)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for _, rule := range everyRule {
		for _, in := range []string{"..", "../x", `x\..`, `..\x`, "a\x00", "/x", `C:\x`, `\\h\s`,
			"c:/x", `Z:\`, "//h/s"} {
			got, err := cleanElement(in, rule)
			if err == nil {
				t.Errorf("%q: got %q, want an error", in, got)
			} else if in != ".." && !strings.Contains(err.Error(),
				strings.Trim(strconv.Quote(in), `"`)) {
				t.Errorf("%q: %v does not name it", in, err)
			}
		}
	}
}

var everyRule = []NameRule{NamesNative, NamesUncased, NamesPortable, NamesRaw}

// TestNamesByRule shows what becomes of each kind of name by the rules of Unix, of
// macOS and of Windows, and what content of another program may be called.
func TestNamesByRule(t *testing.T) {
	long := strings.Repeat("x", 300)
	cut := strings.Repeat("x", 246) + "~0d4e2ca9"
	for _, tt := range []struct{ in, native, portable, raw string }{
		{"What?.bin", "What?.bin", "What_.bin", "What?.bin"},
		{"a:b", "a:b", "a_b", "a:b"},
		{`"*<>|`, `"*<>|`, "_____", `"*<>|`},
		{`a\b`, `a\b`, "a_b", `a\b`},
		{`\lead`, `\lead`, "_lead", `\lead`},
		{"C:", "C:", "C_", "C:"},
		{"con", "con", "_con", "con"},
		{"aux.txt", "aux.txt", "_aux.txt", "aux.txt"},
		{"dot.", "dot.", "dot", "dot."},
		{"blank ", "blank ", "blank", "blank "},
		{" lead", " lead", " lead", " lead"},
		{"...", "...", "_", "..."},
		{"a/b", "a_b", "a_b", "a_b"},
		{"a\tb\x7f\u0085", "a_b__", "a_b__", "a\tb\x7f\u0085"},
		{"exe.\u202egpj", "exe._gpj", "exe._gpj", "exe.\u202egpj"},
		{"a\ufeff\u2028", "a__", "a__", "a\ufeff\u2028"},
		{"bad\xff", "bad_", "bad_", "bad\xff"},
		{"\ufffd", "\ufffd", "_", "\ufffd"},
		{long, cut, cut, long},
		{long[:255], long[:255], long[:255], long[:255]},
	} {
		for rule, want := range map[NameRule]string{
			NamesNative: tt.native, NamesUncased: tt.native, NamesPortable: tt.portable,
			NamesRaw: tt.raw,
		} {
			if got, err := cleanElement(tt.in, rule); err != nil || got != want {
				t.Errorf("%q by rule %d: got %q, %v, want %q", tt.in, rule, got, err, want)
			}
		}
	}
}

// TestNameRuleOfSystems shows what "native" means where.
func TestNameRuleOfSystems(t *testing.T) {
	for _, tt := range []struct {
		system     string
		given, got NameRule
	}{
		{"linux", NamesNative, NamesNative}, {"freebsd", NamesNative, NamesNative},
		{"linux", NamesRaw, NamesRaw},
		{"darwin", NamesNative, NamesUncased}, {"darwin", NamesRaw, NamesRaw},
		{"darwin", NamesPortable, NamesPortable},
		{"windows", NamesNative, NamesPortable}, {"windows", NamesRaw, NamesPortable},
		{"android", NamesUncased, NamesPortable},
	} {
		if got := tt.given.on(tt.system); got != tt.got {
			t.Errorf("%s: rule %d is %d, want %d", tt.system, tt.given, got, tt.got)
		}
	}
}

func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := make(map[string]bool)
	for _, in := range []string{
		long, long + "y", long + ".mkv", strings.Repeat("é", 200) + ".mkv",
		strings.Repeat("日", 100),
		"." + long, long + "." + long, strings.Repeat("a", 256), "x" + strings.Repeat("\xff", 255),
	} {
		got, err := cleanElement(in, NamesPortable)
		if native, _ := cleanElement(in, NamesNative); native != got {
			t.Errorf("%.10q...: %q by another rule, not %q", in, native, got)
		}
		if err != nil || len(got) > ElementBytesMax || len(got) < ElementBytesMax-4 ||
			!utf8.ValidString(got) {
			t.Errorf("%.10q...: got %d bytes, %v: %q", in, len(got), err, got)
		}
		if strings.HasSuffix(in, ".mkv") != strings.HasSuffix(got, ".mkv") {
			t.Errorf("%.10q...: extension of %q", in, got)
		}
		if again, _ := cleanElement(in, NamesPortable); again != got || seen[got] {
			t.Errorf("%.10q...: not stable, or not its own: %q", in, got)
		}
		seen[got] = true
	}
	if exact := strings.Repeat("z", 255); DisplayName(exact) != exact {
		t.Error("255 bytes were cut")
	}
}

func FuzzCleanElement(f *testing.F) {
	for _, s := range []string{"a", "..", "CON.", "a/b", "\xff", "x. .", "._",
		strings.Repeat("é", 200), "_CON", "com¹"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, rule := range everyRule {
			got, err := cleanElement(in, rule)
			if err != nil {
				return
			}
			if again, err := cleanElement(got, rule); err != nil || again != got {
				t.Errorf("%q became %q, and that %q, %v", in, got, again, err)
			}
			if strings.ContainsAny(got, "/\x00") || got == "." || got == ".." {
				t.Errorf("%q became %q", in, got)
			}
			if rule == NamesRaw {
				continue
			}
			if len(got) > ElementBytesMax || !utf8.ValidString(got) ||
				strings.ContainsFunc(got, isMisleading) {
				t.Errorf("%q became %q", in, got)
			}
			if rule == NamesNative && DisplayName(in) != got {
				t.Errorf("%q is shown as %q, not %q", in, DisplayName(in), got)
			}
			if rule == NamesPortable && (strings.ContainsAny(got, `\:`) ||
				strings.HasSuffix(got, ".") || isReserved(got)) {
				t.Errorf("%q became %q", in, got)
			}
		}
	})
}

// namesBy returns a layout with names by rule.
func namesBy(doc []byte, rule NameRule) (*Layout, error) {
	l, _, err := parseNames(doc, rule)
	return l, err
}

func TestCollisions(t *testing.T) {
	for _, tt := range []struct{ in, want string }{ // by a rule that folds
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
		l, err := namesBy([]byte(enc(files(entries...))), NamesPortable)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		var got []string
		for i := range l.Files {
			got = append(got, strings.TrimPrefix(l.FilePath(i), "n/"))
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, s, tt.want)
		}
	}
}

// TestNamesAreDistinctHere has names that are the same on some system, and not
// on this one.
func TestNamesAreDistinctHere(t *testing.T) {
	var entries []any
	for _, name := range []string{"ReadMe.txt", "readme.txt", "é", "e\u0301", "a", "a", "d",
		"d/x"} {
		var path list
		for _, e := range strings.Split(name, "/") {
			path = append(path, e)
		}
		entries = append(entries, dict{"length", 1, "path", path})
	}
	doc := []byte(enc(files(entries...)))
	for rule, want := range map[NameRule]string{
		NamesNative:   "ReadMe.txt|readme.txt|é|e\u0301|a|a (2)|d (2)|d/x",
		NamesUncased:  "ReadMe.txt|readme (2).txt|é (2)|e\u0301|a|a (2)|d (2)|d/x",
		NamesPortable: "ReadMe.txt|readme (2).txt|é (2)|e\u0301|a|a (2)|d (2)|d/x",
		NamesRaw:      "ReadMe.txt|readme.txt|é|e\u0301|a|a (2)|d (2)|d/x",
	} {
		l, err := namesBy(doc, rule)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range l.Files {
			got = append(got, strings.Join(l.Files[i].Path, "/"))
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("by rule %d: got %q, want %q", rule, s, want)
		}
	}
}

// TestNamesOfLayout asks a parsed torrent for the names of every rule.
func TestNamesOfLayout(t *testing.T) {
	doc := []byte(enc(files(
		dict{"length", 1, "path", list{"plain"}},
		dict{"length", 1, "path", list{"a:b", "x\u202ey"}},
		dict{"length", 1, "path", list{"PLAIN"}},
	).with("name", "t?")))
	info, err := ParseInfo(doc)
	if err != nil {
		t.Fatal(err)
	}
	l := info.Layout()
	for rule, want := range map[NameRule]string{
		NamesNative:   "t? [] [plain] [a:b x_y] [PLAIN]",
		NamesUncased:  "t? [0] [plain (2)] [a:b x_y] [PLAIN]",
		NamesPortable: "t_ [0 1] [plain (2)] [a_b x_y] [PLAIN]",
		NamesRaw:      "t? [1] [plain] [a:b x\u202ey] [PLAIN]",
	} {
		n := l.Names(rule)
		if got := fmt.Sprint(n.Top, " ", slices.Collect(n.Differ()), n.Path(0), n.Path(1),
			n.Path(2)); got != want {
			t.Errorf("by rule %d: got %q, want %q", rule, got, want)
		}
	}
	if !l.NamesVary() {
		t.Error("names do not vary")
	}
	plain, err := ParseInfo([]byte(enc(files(dict{"length", 1, "path", list{"plain é"}}))))
	if err != nil {
		t.Fatal(err)
	}
	if plain.Layout().NamesVary() {
		t.Error("plain names vary")
	}
}

// TestCollisionsInAnyOrder resolves the same names in many orders.
func TestCollisionsInAnyOrder(t *testing.T) {
	paths := []string{"a", "A", "a:", "d/x", "D/x", "d/X", "d", "con", "_con", "É", "e\u0301",
		"x.txt", "X.txt", "x (2).txt", "q/r/s", "q/R"}
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
		l, err := namesBy([]byte(enc(files(entries...))), NamesPortable)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for i, p := range paths {
			got[p] = l.FilePath(i)
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
// elements: no two become one, by a rule that folds on any system; names that are
// safe already stay as they are when they are read again; and the order does not
// matter.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a\nA\na", "d\nd/x\nD/x", "con\n_con\n_CON", "é\ne\u0301\nE\u0301",
		"x (2)\nx\nX", "a:\na?\na_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, names string) {
		lines := strings.Split(names, "\n")
		if len(lines) > 200 {
			return
		}
		for _, rule := range []NameRule{NamesNative, NamesUncased, NamesPortable} {
			fuzzNames(t, lines, rule)
		}
	})
}

// checkNamesOf checks that a torrent that was read by the native rule tells the names
// that it has when it is read by another, as in l.
func checkNamesOf(t *testing.T, doc []byte, l *Layout, rule NameRule) {
	t.Helper()
	info, err := ParseInfo(doc)
	if err != nil {
		t.Fatal(err)
	}
	native := info.Layout()
	names := native.Names(rule)
	if names.Top != l.Name {
		t.Errorf("the content is %q, and %q when it is asked for", l.Name, names.Top)
	}
	differ := slices.Collect(names.Differ())
	for i := range l.Files {
		path := names.Path(i)
		if !slices.Equal(path, l.Files[i].Path) {
			t.Errorf("file %d is %q, and %q when it is asked for", i, l.Files[i].Path, path)
		}
		if slices.Contains(differ, i) == slices.Equal(path, native.Files[i].Path) {
			t.Errorf("file %d, %q, differs from %q: %v", i, path, native.Files[i].Path,
				!slices.Equal(path, native.Files[i].Path))
		}
		if !native.NamesVary() && len(differ) > 0 {
			t.Errorf("names that do not vary differ: %v", differ)
		}
	}
}

func fuzzNames(t *testing.T, lines []string, rule NameRule) {
	parse := func(lines []string) *Layout {
		var entries []any
		for _, line := range lines {
			var path list
			for _, e := range strings.Split(line, "/") {
				path = append(path, e)
			}
			entries = append(entries, dict{"length", 1, "path", path})
		}
		l, err := namesBy([]byte(enc(files(entries...))), rule)
		if err != nil {
			return nil
		}
		checkNames(t, l, rule)
		checkNamesOf(t, []byte(enc(files(entries...))), l, rule)
		return l
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
	if got := info.Renamed(NamesPortable); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := info.Renamed(NamesNative),
		[]Renamed{{"t?/a:b//c.", "t?/a:b/c."}}; !slices.Equal(got, want) {
		t.Errorf("here: got %v, want %v", got, want)
	}
	info, err = ParseInfo([]byte(enc(single.with("name", "."))))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(info.Renamed(NamesNative)); got != "[{. "+info.Hash().String()+"}]" {
		t.Errorf("got %s", got)
	}
}
