package stream

import (
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"swarmnode/metainfo"
)

func TestKinds(t *testing.T) {
	for name, want := range map[string]kind{
		"a.mkv":         {"video/matroska", true, true},
		"A.MP4":         {"video/mp4", true, true},
		"a.b.flac":      {"audio/flac", true, true},
		"a.jpg":         {"image/jpeg", true, false},
		"a.srt":         {"text/plain; charset=utf-8", true, false},
		"a.vtt":         {"text/vtt; charset=utf-8", true, false},
		"a.pdf":         {"application/pdf", false, false},
		"a.html":        {"text/html", false, false},
		"a.svg":         {"image/svg+xml", false, false},
		"a.mp4.xhtml":   {"application/xhtml+xml", false, false},
		"a.unheard":     unknown,
		"mkv":           unknown,
		"":              unknown,
		".mkv/../a.m3u": {"audio/x-mpegurl", false, false},
	} {
		if got := kindOf(name); got != want {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
}

// No type that a browser runs or that can hold a program is shown.
func TestNothingThatRunsIsShown(t *testing.T) {
	for end, k := range kinds {
		media, _, err := mime.ParseMediaType(k.media)
		if err != nil || !strings.Contains(media, "/") {
			t.Errorf("%s: the type %q: %v", end, k.media, err)
		}
		class, _, _ := strings.Cut(k.media, "/")
		shown := class == "video" || class == "audio" || class == "image" &&
			!strings.Contains(k.media, "svg") || strings.HasPrefix(k.media, "text/plain;") ||
			strings.HasPrefix(k.media, "text/vtt;") || k.play
		if k.show && !shown || end != strings.ToLower(end) {
			t.Errorf("%s: %s is shown", end, k.media)
		}
	}
}

func TestDisposition(t *testing.T) {
	for _, c := range []struct {
		name string
		show bool
		want string
	}{
		{"film.mkv", true, `inline; filename="film.mkv"`},
		{"a b.zip", false, `attachment; filename="a b.zip"`},
		{"Käse.mp3", true, `inline; filename="K_se.mp3"; filename*=UTF-8''K%C3%A4se.mp3`},
		{`a"b\c.txt`, true, `inline; filename="a_b_c.txt"; filename*=UTF-8''a%22b_c.txt`},
		{"100%.mp3", true, `inline; filename="100_.mp3"; filename*=UTF-8''100%25.mp3`},
		{"a\r\nSet-Cookie: x.mp4", true, `inline; filename="a__Set-Cookie: x.mp4"`},
		{"gpj.\u202eexe", false, `attachment; filename="gpj._exe"`},
		{"../../etc/passwd", false, `attachment; filename=".._.._etc_passwd"`},
		{"..", false, `attachment; filename="file"`},
		{"", false, `attachment; filename="file"`},
	} {
		if got := disposition(c.name, c.show); got != c.want {
			t.Errorf("%q: %s, want %s", c.name, got, c.want)
		}
	}
	long := disposition(strings.Repeat("ä", 500)+".mkv", true)
	if _, params, err := mime.ParseMediaType(long); err != nil ||
		len(params["filename"]) > nameBytesMax || !strings.HasSuffix(params["filename"], ".mkv") {
		t.Errorf("a long name: %s: %v", long, err)
	}
}

func FuzzDisposition(f *testing.F) {
	f.Add("film.mkv")
	f.Add("a\"b\x00\xff\u202e.mp4")
	f.Fuzz(func(t *testing.T, name string) {
		value := disposition(name, false)
		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q: %q has more than plain ASCII", name, value)
		}
		_, params, err := mime.ParseMediaType(value)
		if got := params["filename"]; err != nil || got != cleanName(name) {
			t.Errorf("%q: read back as %q, want %q: %v", name, got, cleanName(name), err)
		}
		if clean := cleanName(name); !utf8.ValidString(clean) || len(clean) > nameBytesMax ||
			strings.ContainsAny(clean, "/\\\r\n\x00") || clean == ".." {
			t.Errorf("%q: a clean name is %q", name, clean)
		}
	})
}

func TestPaths(t *testing.T) {
	const hash = "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c"
	for path, want := range map[string]Path{
		hash + "/0/a.mp4":                      {Index: 0},
		hash + "/12":                           {Index: 12},
		hash + "/12/":                          {Index: 12},
		hash + "/3/a/b/../c":                   {Index: 3},
		strings.ToUpper(hash) + "/7/x":         {Index: 7},
		hash + strings.Repeat("ab", 12) + "/1": {Index: 1},
		hash + "/list.m3u":                     {List: true},
	} {
		h, err := metainfo.ParseHash(hash)
		if err != nil {
			t.Fatal(err)
		}
		want.Hash = h
		if got, ok := Parse(FilesPath + path); !ok || got != want {
			t.Errorf("%s: %+v, %v, want %+v", path, got, ok, want)
		}
	}
	for _, path := range []string{"", hash, hash + "/", hash + "/-1/a", hash + "/+1/a",
		hash + "/a/1", hash + "/99999999999/a", "x" + hash[1:] + "/1/a", hash[1:] + "/1/a",
		hash + "/list.m3u/", hash + "/2147483648/x", hash + "/ 1/x"} {
		if got, ok := Parse(FilesPath + path); ok {
			t.Errorf("%s: %+v, want nothing", path, got)
		}
	}
	for _, path := range []string{"", "/", "/files", "/stream", "files/" + hash + "/1"} {
		if _, ok := Parse(path); ok {
			t.Errorf("%q is taken for the path of a file", path)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/files/dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c/2/a.mkv")
	f.Add("/files/dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c/list.m3u")
	f.Add("/files/../../etc/passwd")
	f.Fuzz(func(t *testing.T, path string) {
		p, ok := Parse(path)
		if !ok {
			return
		}
		if p.List && p.Index != 0 || p.Index < 0 {
			t.Errorf("%q: %+v", path, p)
		}
		if again, ok := Parse(pathOf(p.Hash, p.Index, path)); !p.List && (!ok || again != p) {
			t.Errorf("%q: %+v, again %+v", path, p, again)
		}
	})
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"Extras/one.mkv", "part 1.mkv", "Part 2.mkv", "part 10 b.mkv", "part 010.mkv",
		"part 100.mkv", "show/1.mkv", "show/2.mkv", "show 1/0.mkv", "Zebra.mkv"}
	got := slices.Clone(want)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, compareNatural)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %q\nwant   %q", got, want)
	}
	if compareNatural("a", "a") != 0 || compareNatural("a", "A") == 0 {
		t.Error("only the same path is the same")
	}
}

func TestBaseOfAProxy(t *testing.T) {
	r, err := http.NewRequest("GET", "http://node.example:8080/files/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := baseOf(r); got != "http://node.example:8080" {
		t.Errorf("the base is %s", got)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	if got := baseOf(r); got != "https://node.example:8080" {
		t.Errorf("the base behind a proxy is %s", got)
	}
}
