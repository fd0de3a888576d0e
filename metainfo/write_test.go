package metainfo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// odd is a .torrent file that other programs have written: unsorted, with keys that
// cannot be read, and more than is read.
func odd(t *testing.T) (doc string, values map[string]string) {
	t.Helper()
	many := list{list{"http://first/a b", "", 5}, list{}, "http://bare/announce"}
	seeds := list{"http://seed/a b/", "ftp://seed/\xfc", "not a url", 7}
	for i := range 150 {
		many = append(many, list{fmt.Sprintf("http://t%d/announce", i)})
		seeds = append(seeds, fmt.Sprintf("http://s%d/", i))
	}
	keys := dict{
		"url-list", seeds,
		"announce", "http://elsewhere/announce",
		"zz odd", dict{"b", 1, "a", list{}},
		"announce-list", many,
		"creation date", int64(1700000000000),
		"comment.utf-8", "\u00e9",
		"comment", "\xe9",
		"created by", 5,
		"nodes", list{list{"router.example", "6881"}, list{"x", 5, 6}, 7},
		"info", single,
		"httpseeds", list{"http://h/"},
		"name", list{},
		"piece layers", dict{},
		"encoding", "latin1",
	}
	values = make(map[string]string)
	for i := 0; i < len(keys); i += 2 {
		values[keys[i].(string)] = enc(keys[i]) + enc(keys[i+1])
	}
	return enc(keys), values
}

func mustParse(t *testing.T, doc string) *Torrent {
	t.Helper()
	torrent, err := ParseTorrent([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

// What is not changed is written as it stood in the file, at its place.
func TestUntouchedKeysKeepTheirBytes(t *testing.T) {
	doc, values := odd(t)
	if got := string(mustParse(t, doc).Marshal()); got != doc {
		t.Errorf("written\n%.300q, want\n%.300q", got, doc)
	}
	for _, tt := range []struct {
		name    string
		change  func(*Torrent)
		gone    []string // keys whose old value is not to be found any more
		written []string
	}{
		{"comment", func(t *Torrent) { t.Comment = "new" }, []string{"comment", "comment.utf-8"},
			[]string{"7:comment3:new"}},
		{"creator", func(t *Torrent) { t.Creator = "me" }, []string{"created by"},
			[]string{"10:created by2:me"}},
		{"name", func(t *Torrent) { t.DisplayName = "x" }, []string{"name"}, []string{"4:name1:x"}},
		{"date", func(t *Torrent) { t.Created = time.Unix(5, 0) }, []string{"creation date"},
			[]string{"13:creation datei5e"}},
		{"nodes", func(t *Torrent) { t.Nodes = []string{"h:1"} }, []string{"nodes"},
			[]string{"5:nodesll1:hi1eee"}},
		{"web seeds", func(t *Torrent) { t.WebSeeds = []string{"http://w/"} }, []string{"url-list"},
			[]string{"8:url-listl9:http://w/e"}},
		{"trackers", func(t *Torrent) { t.Trackers = [][]string{{"http://w/"}} },
			[]string{"announce", "announce-list"}, []string{"8:announce9:http://w/"}},
		{"no date", func(t *Torrent) { t.Created = time.Time{}; t.Forget("creation date") },
			[]string{"creation date"}, nil},
		{"no creator", func(t *Torrent) { t.Creator = ""; t.Forget("created by") },
			[]string{"created by"}, nil},
		{"no comment", func(t *Torrent) { t.Comment = ""; t.Forget("comment") },
			[]string{"comment", "comment.utf-8"}, nil},
		{"no web seeds", func(t *Torrent) { t.WebSeeds = nil; t.Forget("url-list") },
			[]string{"url-list"}, nil},
		{"no nodes", func(t *Torrent) { t.Nodes = nil; t.Forget("nodes") }, []string{"nodes"}, nil},
		{"no trackers", func(t *Torrent) { t.Trackers = nil; t.Forget("announce") },
			[]string{"announce", "announce-list"}, nil},
		{"the same comment", func(t *Torrent) { t.Forget("comment"); t.Comment = "\u00e9" },
			[]string{"comment", "comment.utf-8"}, []string{"7:comment2:\u00e9"}},
	} {
		torrent := mustParse(t, doc)
		tt.change(torrent)
		got := string(torrent.Marshal())
		rest := got
		for key, value := range values {
			if found := strings.Contains(got, value); found == slices.Contains(tt.gone, key) {
				t.Errorf("%s: the old %q is there: %v", tt.name, key, found)
			}
			rest = strings.Replace(rest, value, "", 1)
		}
		for _, value := range tt.written {
			rest = strings.Replace(rest, value, "", 1)
		}
		if rest != "de" {
			t.Errorf("%s: besides there is %.300q", tt.name, rest)
		}
		if again := mustParse(t, got); string(again.Marshal()) != got {
			t.Errorf("%s: written differently again", tt.name)
		}
	}
}

// What no hash covers is read leniently, and written as it stood; the info dictionary
// is not, and no key may come twice.
func TestOutsideIsReadLeniently(t *testing.T) {
	info := "4:info" + enc(single)
	doc := "\r\nd8:announce09:http://a/ 7:comment 1:c13:creation " +
		"datei01700000000.5e\n8:encodingi-0e" + info +
		"5:nodesll1:h5: 0016ee1:xd1:yi007eee"
	torrent := mustParse(t, doc)
	if got, want := fmt.Sprint(torrent.Trackers, torrent.Comment, torrent.Created.Unix(),
		torrent.Nodes), "[[http://a/]]c1700000000 [h:16]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := "d8:announce09:http://a/7:comment1:c13:creation datei01700000000.5e8:encodingi-0e" +
		info + "5:nodesll1:h5: 0016ee1:xd1:yi007eee"
	if got := string(torrent.Marshal()); got != want {
		t.Errorf("written\n%q, want\n%q", got, want)
	}
	for _, bad := range []string{
		"d4:info" + strings.Replace(enc(single), "i16384e", "i016384e", 1) + "e",
		"d4:info " + strings.Replace(enc(single), "i16384e", " i16384e", 1) + "e",
		"d" + info + info + "e", "d7:comment1:a7:comment1:b" + info + "e",
		"d" + info + "1:xd1:yi1e1:yi2eee",
		"d" + info + "12:piece layersd01:xi1eee",
	} {
		if _, err := ParseTorrent([]byte(bad)); err == nil {
			t.Errorf("%.60q was taken", bad)
		}
	}
}

// A new key stands where it belongs in a sorted file.
func TestNewKeysAreSorted(t *testing.T) {
	torrent := mustParse(t, enc(dict{"announce", "http://a/", "encoding", "x", "info", single, "zz",
		1}))
	torrent.Comment, torrent.Nodes = "c", []string{"h:1"}
	want := enc(dict{"announce", "http://a/", "comment", "c", "encoding", "x", "info", single,
		"nodes", list{list{"h", 1}}, "zz", 1})
	if got := string(torrent.Marshal()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEditTrackers(t *testing.T) {
	type edit struct {
		remove []string
		add    [][]string
	}
	for _, tt := range []struct {
		name       string
		doc        dict
		edit       edit
		want       dict
		tiersAfter string
	}{
		{"add to nothing", nil, edit{add: [][]string{{"http://n/"}}}, dict{"announce", "http://n/"},
			"[[http://n/]]"},
		{"add two to nothing", nil,
			edit{add: [][]string{{"http://n/", "http://n/"}, {"http://m/"}}},
			dict{"announce", "http://n/", "announce-list",
				list{list{"http://n/"}, list{"http://m/"}}}, "[[http://n/] [http://m/]]"},
		{"add to one", dict{"announce", " http://a b "}, edit{add: [][]string{{"http://n/"}}},
			dict{"announce", " http://a b ", "announce-list",
				list{list{" http://a b "}, list{"http://n/"}}}, "[[http://n/]]"},
		{"add what is there", dict{"announce", "http://x/a b"},
			edit{add: [][]string{{"http://x/a%20b"}}}, dict{"announce", "http://x/a b"},
			"[[http://x/a%20b]]"},
		{"the others keep their bytes", dict{"announce", "http://else/", "announce-list",
			list{list{" http://x/a b", 5, ""}, "http://bare/", list{}, dict{}}},
			edit{[]string{"http://none/"}, [][]string{{"http://n/", "http://bare/"}}},
			dict{"announce", "http://else/", "announce-list",
				list{list{" http://x/a b", 5, ""}, "http://bare/", list{}, dict{},
					list{"http://n/"}}},
			"[[http://x/a%20b] [http://bare/] [http://n/]]"},
		{"remove one of a tier", dict{"announce", "http://a/", "announce-list",
			list{list{"http://a/", "http://x/\xfc", 5}, list{"http://b/"}}},
			edit{remove: []string{"http://a/"}},
			dict{"announce", "http://x/\xfc", "announce-list",
				list{list{"http://x/\xfc", 5}, list{"http://b/"}}}, "[[http://x/%FC] [http://b/]]"},
		{"remove as it is shown", dict{"announce", "http://b/", "announce-list",
			list{list{"http://x/a b"}, list{"http://b/"}}},
			edit{remove: []string{"http://x/a%20b"}},
			dict{"announce", "http://b/", "announce-list", list{list{"http://b/"}}},
			"[[http://b/]]"},
		{"remove as it is written", dict{"announce-list",
			list{list{"http://x/a b"}, list{"http://b/"}}},
			edit{remove: []string{"http://x/a b"}}, dict{"announce-list", list{list{"http://b/"}}},
			"[[http://b/]]"},
		{"remove what cannot be used", dict{"announce", "nonsense", "announce-list",
			list{list{"nonsense", "http://b/"}}},
			edit{remove: []string{"nonsense"}}, dict{"announce", "http://b/", "announce-list",
				list{list{"http://b/"}}}, "[[http://b/]]"},
		{"remove all", dict{"announce", "http://a/", "announce-list",
			list{list{"http://a/"}, list{"http://b/"}}},
			edit{remove: []string{"http://a/", "http://b/"}}, nil, "[]"},
		{"remove the only one", dict{"announce", "http://a/"}, edit{remove: []string{"http://a/"}},
			nil, "[]"},
		{"remove what was in announce alone", dict{"announce", "http://a/", "announce-list",
			list{list{"http://b/"}}},
			edit{remove: []string{"http://a/"}}, dict{"announce", "http://b/", "announce-list",
				list{list{"http://b/"}}}, "[[http://b/]]"},
		{"one for another", dict{"announce", "http://a/"},
			edit{[]string{"http://a/"}, [][]string{{"http://n/"}}}, dict{"announce", "http://n/"},
			"[[http://n/]]"},
		{"announce is a number", dict{"announce", 5}, edit{remove: []string{"x"}},
			dict{"announce", 5}, "[]"},
		{"add to a number", dict{"announce", 5}, edit{add: [][]string{{"http://n/"}}},
			dict{"announce", "http://n/"}, "[[http://n/]]"},
		{"nothing", dict{"announce", "http://a/", "announce-list",
			list{"http://b/", list{"http://a/", "http://a/"}}}, edit{},
			dict{"announce", "http://a/", "announce-list",
				list{"http://b/", list{"http://a/", "http://a/"}}}, "[[http://b/] [http://a/]]"},
	} {
		torrent := mustParse(t, enc(torrentDoc(tt.doc...)))
		torrent.EditTrackers(tt.edit.remove, tt.edit.add)
		if got, want := string(torrent.Marshal()), enc(torrentDoc(tt.want...)); got != want {
			t.Errorf("%s: got\n%q, want\n%q", tt.name, got, want)
		}
		if got := fmt.Sprint(torrent.Trackers); got != tt.tiersAfter {
			t.Errorf("%s: trackers %s, want %s", tt.name, got, tt.tiersAfter)
		}
	}
	// What the fields say goes before the file.
	torrent := mustParse(t, enc(torrentDoc("announce", "http://a/")))
	torrent.Trackers = [][]string{{"http://s/"}}
	torrent.EditTrackers([]string{"http://a/"}, [][]string{{"http://n/"}})
	if got := fmt.Sprint(torrent.Trackers); got != "[[http://s/] [http://n/]]" {
		t.Errorf("after a change of the field: %s", got)
	}
	// Beyond what is read the rest is kept.
	doc, _ := odd(t)
	torrent = mustParse(t, doc)
	torrent.EditTrackers([]string{"http://t149/announce"},
		[][]string{{"http://n/"}, {"http://t148/announce"}})
	got := string(torrent.Marshal())
	want := strings.Replace(doc, enc(list{"http://t149/announce"}), enc(list{"http://n/"}), 1)
	if got != want {
		t.Error("a list beyond the bound was written differently")
	}
}

// URLs are escaped where they have to be; what cannot be used is kept to be named.
func TestURLsAsPeopleWriteThem(t *testing.T) {
	torrent := mustParse(t, enc(torrentDoc(
		"announce-list", list{list{"http://x/a b/announce?q=\u00fc c"}, list{"udp://exa mple:1/"},
			list{"", " "}, list{"dht:x"}},
		"url-list", list{"http://w/f\xfc/ \r\n", "http://w/100%/", "http://w/a\nb",
			"http://w/a\nb"},
	)))
	if got, want := fmt.Sprint(torrent.Trackers, torrent.WebSeeds),
		"[[http://x/a%20b/announce?q=%C3%BC%20c]] [http://w/f%FC/ http://w/100%25/]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var unusable []string
	for _, u := range torrent.Unusable {
		unusable = append(unusable, u.URL)
	}
	if want := []string{"udp://exa mple:1/", "dht:x", "http://w/a\nb"}; !slices.Equal(unusable,
		want) {
		t.Errorf("unusable %q, want %q", unusable, want)
	}
	const hash = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"
	m, err := ParseMagnet(hash +
		"&tr=http%3A%2F%2Fx%2Fa%20b%2Fannounce&tr=http://x/c " +
		"d/announce&tr=http%3A%2F%2Fx%2F%C3%BC" +
		"&tr=http%3A%2F%2Fx%2F100%&tr=http%3A%2F%2Fx%2F%FC&tr=http%3A%2F%2Fx%2Fa%2520b&tr=&tr=nonsense&ws=http%3A%2F%2Fw%2Fa b&ws=http%3A%2F%2Fw%2Fa%0Ab")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(m.Trackers, m.WebSeeds),
		"[http://x/a%20b/announce http://x/c%20d/announce http://x/%C3%BC "+
			"http://x/100%25 http://x/%FC http://x/a%20b] [http://w/a%20b]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(m.Unusable) != 2 || m.Unusable[0].URL != "nonsense" {
		t.Errorf("unusable %v", m.Unusable)
	}
	again, err := ParseMagnet(m.String())
	if err != nil || !slices.Equal(again.Trackers, m.Trackers) ||
		!slices.Equal(again.WebSeeds, m.WebSeeds) {
		t.Errorf("written as %s, read as %v, %v", m, again, err)
	}
}
