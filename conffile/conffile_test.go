package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// describe writes the entries of a file, one a line.
func describe(f *File) string {
	var b strings.Builder
	for _, e := range f.Entries() {
		fmt.Fprintf(&b, "%d:%d %s.%s = %s\n", e.Line, e.Column, e.Table, e.Key, e.Value)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	f, err := Parse("c.toml", []byte(`# A file.
port = 6_881 # a port
down = "2M"
"no-dht"=true
seed-ratio = 1.50
blocklist = [ "a", # the first
  "b", 7 ]

[add]
dir = '/srv/x y'
  timeout = """
5m"""
[ "command" . "dht-ping" ]
port = 0x10
seed.seed-time = "1h"
tracker = { interval = 1e3, more = { deep = [] } }
`))
	if err != nil {
		t.Fatal(err)
	}
	want := `2:1 .port = 6881
3:1 .down = "2M"
4:1 .no-dht = true
5:1 .seed-ratio = 1.5
6:1 .blocklist = ["a", "b", 7]
10:1 add.dir = "/srv/x y"
11:3 add.timeout = "5m"
14:1 command.dht-ping.port = 16
15:1 command.dht-ping.seed.seed-time = "1h"
16:13 command.dht-ping.tracker.interval = 1000
16:38 command.dht-ping.tracker.more.deep = []
`
	if got := describe(f); got != want {
		t.Errorf("the entries are\n%s\nwant\n%s", got, want)
	}
	tables := f.Tables()
	if len(tables) != 2 || tables["add"] != 9 || tables["command.dht-ping"] != 13 {
		t.Errorf("the tables are %v", tables)
	}
	list, _ := f.Find("", "blocklist")
	if got := list.Value.Texts(); strings.Join(got, " ") != "a b 7" {
		t.Errorf("the list is %q", got)
	}
	if !f.HasTable("command.dht-ping.tracker") || f.HasTable("dht-ping") {
		t.Error("HasTable is wrong")
	}
}

// Windows' line ends and the mark of UTF-8 change nothing but the bytes.
func TestEditorsOfOthers(t *testing.T) {
	for _, text := range []string{bom + "a = 1\nb = 2\n", "a = 1\r\nb = 2\r\n",
		bom + "a = 1\r\nb = 2"} {
		f, err := Parse("x", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := describe(f); got != "1:1 .a = 1\n2:1 .b = 2\n" {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a = 1\nb = \n", "x:2: the value is missing"},
		{"a = # nothing\n", "x:1: the value is missing"},
		{"a = yes\n", `x:1: text stands in quotes, as in "text"`},
		{"a = /srv\n", `x:1: text stands in quotes, as in "text"`},
		{"a\n", "x:1: expected '=' after key"},
		{"a = 10M\n", "x:1: strings must be quoted"},
		{"# c\n\na = \"x\n", "x:3: basic strings cannot have new lines"},
		{"a = [1,\n", "x:1: array is incomplete"},
		{"a = 1 b = 2\n", "x:1: expected newline but got U+0062 'b'"},
		{"a = 1\n a = 2\n", "x:2: a is in line 1 already"},
		{"[t]\na = 1\n[t]\n", "x:3: t is in line 1 already"},
		{"t = { a = 1 }\n\n[t]\n", "x:3: t is in line 1 already"},
		{"seed = true\n[seed]\n", "x:2: seed is in line 1 already"},
		{"[t]\n[a]\nt.x = 1\n[a.t]\n", "x:4: "},
		{"[[t]]\n", "x:1: an array of tables is not expected here"},
		{"a = 1979-05-27\n", "x:1: a date or time is not expected here"},
		{"a = [[1]]\n", "x:1: a list in a list is not expected here"},
		{"a = [\n{ b = 1 }]\n", "x:2: a table in a list is not expected here"},
		{"a = inf\n", "x:1: inf is not a number with a value"},
		{"a = -nan\n", "x:1: -nan is not a number with a value"},
		{"a = 99999999999999999999\n", "x:1: 99999999999999999999 is too large a number"},
		{"\"a b\" = 1\n", `x:1: "a b" is not a name`},
		{"[\"\"]\n", `x:1: "" is not a name`},
		{"a = 1\nb = \"\xff\"\n", "x:2: is not UTF-8"},
		{"\xff\xfea\x00=\x00", "x: is UTF-16; it has to be saved as UTF-8"},
		{"a = \"\x00\"\n", "x:1: "},
		{"a = 1\r", "x:1: "},
		{strings.Repeat("[", 100_000), "x:1: "},
		{"a = " + strings.Repeat("[", 500_000), "x:1: "},
		{strings.Repeat("#", SizeMax+1), "x: is larger than 1 MiB"},
	} {
		_, err := Parse("x", []byte(c.text))
		shown := c.text[:min(len(c.text), 40)]
		wrong, ok := errors.AsType[*Error](err)
		if !ok || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", shown, err, c.want)
		} else if wrong.Line > 0 && wrong.Column == 0 {
			t.Errorf("%q: a line without a column", shown)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("a = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Skip(err)
	}
	f, err := Read(link)
	if err != nil || len(f.Entries()) != 1 || f.Path() != link {
		t.Errorf("a symbolic link: %v, %v", f, err)
	}
	for name, want := range map[string]error{
		dir: ErrFolder, filepath.Join(dir, "none"): fs.ErrNotExist, os.DevNull: ErrNotRegular,
	} {
		_, err := Read(name)
		wrong, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, want) || wrong.Where() != name {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("\n"), SizeMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large file: %v", err)
	}
}

// Set and Unset change what they are about and no other byte.
func TestChange(t *testing.T) {
	const file = "# head\n\na = 1 # one\nb = [ 1,\n 2 ]\n# above\n[add]  # t\nc = \"x\" # see\n\n[z]\n"
	five := Value{Kind: Number, Text: "5"}
	for _, c := range []struct {
		text, table, key string
		value            Value
		want             string
	}{
		{file, "", "a", five, strings.Replace(file, "a = 1", "a = 5", 1)},
		{file, "", "b", Text("q\"\\"), strings.Replace(file, "[ 1,\n 2 ]", `"q\"\\"`, 1)},
		{file, "", "new", five, strings.Replace(file, " 2 ]\n", " 2 ]\nnew = 5\n", 1)},
		{file, "add", "c", five, strings.Replace(file, `"x"`, "5", 1)},
		{file, "add", "d", five, strings.Replace(file, "# see\n", "# see\nd = 5\n", 1)},
		{file, "z", "d", five, file + "d = 5\n"},
		{file, "seed", "d", five, file + "\n[seed]\nd = 5\n"},
		{"", "", "a", five, "a = 5\n"},
		{"", "t", "a", five, "[t]\na = 5\n"},
		{"x = 1", "", "a", five, "x = 1\na = 5\n"},
		{"x = 1", "t", "a", five, "x = 1\n\n[t]\na = 5\n"},
		{"[t]", "t", "a", five, "[t]\na = 5\n"},
		{"[t]\nx = 1\n", "", "a", five, "a = 5\n[t]\nx = 1\n"},
		{"# head\n# more\n\n# t\n[t]\n", "", "a", five, "# head\n# more\n\na = 5\n# t\n[t]\n"},
		{"# head", "", "a", five, "a = 5\n# head"},
		{"x = 1\r\n", "", "a", five, "x = 1\r\na = 5\r\n"},
		{bom, "", "a", five, bom + "a = 5\n"},
		{bom + "x = 1", "", "x", five, bom + "x = 5"},
		{"t.x = 1 #\n[z]\n", "t", "a", five, "t.x = 1 #\nt.a = 5\n[z]\n"},
		{"t = { x = 1 }\n", "t", "x", five, "t = { x = 5 }\n"},
		{"a = 1\n", "", "a", Value{Kind: List, Items: []Value{Text("1"), five}},
			"a = [\"1\", 5]\n"},
	} {
		f, err := Parse("x", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Set(c.table, c.key, c.value); err != nil || string(f.Bytes()) != c.want {
			t.Errorf("%q, %s.%s: %q, %v, want %q", c.text, c.table, c.key, f.Bytes(), err, c.want)
		}
		had, err := f.Unset(c.table, c.key)
		if _, still := f.Find(c.table, c.key); err == nil && (!had || still) {
			t.Errorf("%q, %s.%s: not removed", c.text, c.table, c.key)
		}
	}
	f, err := Parse("x", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "none"} {
		if had, err := f.Unset("", key); err != nil || had != (key != "none") {
			t.Errorf("%s: %v, %v", key, had, err)
		}
	}
	want := "# head\n\n" + file[strings.Index(file, "# above"):]
	if string(f.Bytes()) != want {
		t.Errorf("after Unset: %q, want %q", f.Bytes(), want)
	}
}

// What cannot be changed stays as it is.
func TestChangeRefused(t *testing.T) {
	const text = "t = { x = 1 }\ne = {}\ns = 1\n"
	f, err := Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Set("t", "new", Text("")); !errors.Is(err, ErrInline) {
		t.Errorf("a key for an inline table: %v", err)
	}
	if _, err := f.Unset("t", "x"); !errors.Is(err, ErrInline) {
		t.Errorf("a key of an inline table: %v", err)
	}
	for _, name := range [][2]string{{"", "a b"}, {"", ""}, {"a..b", "c"}, {"e", "x"}, {"s", "x"},
		{"", "t"}} {
		if err := f.Set(name[0], name[1], Text("v")); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	if string(f.Bytes()) != text {
		t.Errorf("the file is %q", f.Bytes())
	}
}

func TestKinds(t *testing.T) {
	for k, want := range map[Kind]string{String: "text", Number: "a number", Bool: "true or false",
		List: "a list"} {
		if k.String() != want {
			t.Errorf("%d is %q", k, k)
		}
	}
	if got := Text("a\x01\x7f\n\té").String(); got != `"a\u0001\u007F\n\té"` {
		t.Errorf("quoted: %s", got)
	}
}

// Whatever the file has, reading it ends with entries or with one line. What is set is read
// again, and every other entry stays.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"a = 1 # c\n[t]\nb = \"x\"\n", "t.a.b = [1, 'x', true]\r\n",
		"a = { b = { c = 1.5 } }\n", bom + "a=\"\"\"\n\"\"\"", "[a]\n[a.b]\nc=0x1F\n",
		"a = 1979-05-27",
		"[[t]]\n", "a = [[1]]", "# only\n", "a = \"\\u00e9\"\n[ \"x\" . y ]\nz=+1_0e2"} {
		f.Add([]byte(s), "", "a", "v")
		f.Add([]byte(s), "t", "b-c", "\"\n")
	}
	f.Fuzz(func(t *testing.T, text []byte, table, key, value string) {
		file, err := Parse("x", bytes.Clone(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "x") {
				t.Fatalf("%q: the error is %q", text, err)
			}
			return
		}
		before := file.others(table, key)
		if err := file.Set(table, key, Text(value)); err != nil {
			if !bytes.Equal(file.Bytes(), text) {
				t.Fatalf("%q: %v, and it is %q", text, err, file.Bytes())
			}
			return
		}
		again, err := Parse("x", file.Bytes())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, file.Bytes(), err)
		}
		got, ok := again.Find(table, key)
		if !ok || got.Value.Text != strings.ToValidUTF8(value, "\uFFFD") {
			t.Fatalf("%q: set to %q, it is %q", file.Bytes(), value, got.Value)
		}
		if after := again.others(table, key); !slices.Equal(after, before) {
			t.Fatalf("%q became %q: other entries changed", text, file.Bytes())
		}
		if _, err := again.Unset(table, key); err == nil {
			if _, still := again.Find(table, key); still {
				t.Fatalf("%q: still there", again.Bytes())
			}
		}
	})
}
