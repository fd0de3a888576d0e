package storage

import (
	"crypto/sha1"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

// pieceSums returns the SHA-1 of each piece as a bencoded string.
func pieceSums(data []byte, length int) string {
	var sums []byte
	for at := 0; at < len(data); at += length {
		sum := sha1.Sum(data[at:min(at+length, len(data))])
		sums = append(sums, sum[:]...)
	}
	return string(bencode.AppendString(nil, sums))
}

// TestAttributes: what the torrent calls executable may be executed, as far as the
// umask allows, and nothing else; "hidden" hides nothing, and links are not made
// (BEP 47). A file that was there keeps its permissions.
func TestAttributes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no permissions there")
	}
	data := content(3, 4*8000)
	raw := "d5:filesl" +
		"d4:attr1:x6:lengthi8000e4:pathl3:runee" +
		"d6:lengthi8000e4:pathl4:textee" +
		"d4:attr2:hx6:lengthi8000e4:pathl3:sub6:hiddenee" +
		"d4:attr1:x6:lengthi8000e4:pathl3:oldee" +
		"d4:attr1:l6:lengthi0e4:pathl4:linke12:symlink pathl3:runee" +
		"d4:attr1:l6:lengthi0e4:pathl5:link2e12:symlink pathl2:..3:etcee" +
		"d4:attr1:x6:lengthi0e4:pathl5:emptyee" +
		"e4:name1:x12:piece lengthi16384e6:pieces" + pieceSums(data, 16<<10) + "e"
	info, err := metainfo.ParseInfo([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "x.part"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.part", "old"), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	allowed := filepath.Join(dir, "allowed") // made with all permissions, less the umask
	f, err := os.OpenFile(allowed, os.O_CREATE|os.O_WRONLY, 0o777)
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat()
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	umask := 0o777 &^ st.Mode().Perm()

	r := newRig(t, Config{Dir: dir, Layout: info.Layout(), Part: true}, data)
	r.all()
	if err := r.store.Finish(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"run": 0o777 &^ umask, "text": 0o666 &^ umask, "sub/hidden": 0o777 &^ umask, "old": 0o640,
		"empty": 0o777 &^ umask,
	} {
		st, err := os.Lstat(filepath.Join(dir, "x", name))
		if err != nil {
			t.Error(err)
		} else if st.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", name, st.Mode(), want)
		}
	}
	for _, name := range []string{"link", "link2"} {
		if _, err := os.Lstat(filepath.Join(dir, "x", name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	r.back()
}
