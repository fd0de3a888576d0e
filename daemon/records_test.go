package daemon

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarmnode/metainfo"
)

// A shelf is a folder of records that a test fills.
type shelf struct {
	t   *testing.T
	dir string // the state folder
	log *logbook
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t, t.TempDir(), new(logbook)}
	if err := os.Mkdir(filepath.Join(s.dir, recordsFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// path returns the path of a file in the folder.
func (s *shelf) path(name string) string { return filepath.Join(s.dir, recordsFolder, name) }

// put writes a file.
func (s *shelf) put(name string, doc []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), doc, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// record writes the record of a torrent whose info-hash has all bytes alike.
func (s *shelf) record(b byte, id ID) metainfo.Hash {
	s.t.Helper()
	hash := hashOf(b)
	rec := &record{ID: id, V1: hash.String(), Options: Options{Dir: "/content", Stopped: true},
		Shown: shown{Name: fmt.Sprint("torrent ", b)}}
	doc, err := rec.marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	s.put(hash.String()+recordSuffix, doc)
	return hash
}

// hashOf returns an info-hash of which all bytes are alike.
func hashOf(b byte) (h metainfo.Hash) {
	copy(h[:], bytes.Repeat([]byte{b}, len(h)))
	return h
}

// load reads the folder as a daemon does.
func (s *shelf) load() loaded {
	s.t.Helper()
	r := s.open()
	defer r.close()
	all, err := r.load("/default")
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *shelf) open() *records {
	s.t.Helper()
	r, err := openRecords(testConfig(s.dir, "", s.log).Logger, s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// names returns the names of the files.
func (s *shelf) names() (names []string) {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, recordsFolder))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// listed returns the ids and hashes of what was loaded.
func listed(all loaded) string {
	var list []string
	for _, t := range all.torrents {
		list = append(list, fmt.Sprintf("%d:%s", t.rec.ID, t.hash.Short()))
	}
	return strings.Join(list, " ")
}

// TestBadFilesAreSetAside: whatever lies in the place of a record, the rest starts, the file
// keeps its bytes under another name, and one line of the log names it.
func TestBadFilesAreSetAside(t *testing.T) {
	s := newShelf(t)
	s.record(0x11, 1)
	good, err := os.ReadFile(s.path(hashOf(0x11).String() + recordSuffix))
	if err != nil {
		t.Fatal(err)
	}
	bad := hashOf(0x22).String() + recordSuffix
	for i, doc := range [][]byte{
		nil, []byte("{"), good, good[:len(good)/2], bytes.Replace(good, []byte("content"),
			[]byte("CONTENT"), 1), make([]byte, recordBytesMax+1), []byte("\x00\xff"),
	} {
		s.put(bad, doc)
		if got := listed(s.load()); got != "1:11111111" {
			t.Fatalf("case %d: listed %s", i, got)
		}
		aside := fmt.Sprintf("%s.damaged-%d", bad, i+1)
		if kept, err := os.ReadFile(s.path(aside)); err != nil || !bytes.Equal(kept, doc) {
			t.Errorf("case %d: %d bytes were set aside, %v", i, len(kept), err)
		}
		if lines := s.log.lines(aside); len(lines) != 1 {
			t.Errorf("case %d: it is named in %q", i, lines)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, s.path(bad)); err != nil {
		t.Fatal(err)
	}
	if got := listed(s.load()); got != "1:11111111" {
		t.Errorf("behind a link: listed %s", got)
	}
	if err := os.Mkdir(s.path(bad), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := listed(s.load()); got != "1:11111111" {
		t.Errorf("a folder: listed %s", got)
	}
	if kept, err := os.ReadFile(outside); err != nil || !bytes.Equal(kept, good) {
		t.Error("what a link led to was changed")
	}
}

// TestLaterVersionsAreLeftAlone: they are not listed, not touched, and cannot be added, and the
// log says it once.
func TestLaterVersionsAreLeftAlone(t *testing.T) {
	s := newShelf(t)
	s.record(0x11, 1)
	for b := byte(0x22); b < 0x25; b++ {
		s.put(hashOf(b).String()+recordSuffix, seal([]byte(`{"version":2,"id":9}`)))
	}
	before := s.names()
	all := s.load()
	if listed(all) != "1:11111111" || len(all.left) != 3 || !errors.Is(all.left[hashOf(0x22)],
		errLater) {
		t.Errorf("listed %s, left %v", listed(all), all.left)
	}
	if after := s.names(); !slices.Equal(before, after) {
		t.Errorf("the files are %v now", after)
	}
	if lines := s.log.lines("left alone"); len(lines) != 1 || !strings.Contains(lines[0],
		"torrents=3") {
		t.Errorf("the log says %q", lines)
	}
	d := startDaemon(t, testConfig(s.dir, t.TempDir(), nil))
	_, err := d.Add(t.Context(), AddSpec{Magnet: metainfo.Magnet{V1: hashOf(0x22), HasV1: true}})
	if keep, ok := errors.AsType[*KeepError](err); !ok || !errors.Is(keep, errLater) {
		t.Errorf("added over it: %v", err)
	}
}

// TestTorrentsWithoutSettings: a .torrent file alone is adopted, unless it is none, or another
// one.
func TestTorrentsWithoutSettings(t *testing.T) {
	s := newShelf(t)
	_, torrent := makeTorrent(t, "content", 20_000, metainfo.Hybrid)
	hash := torrent.Info().Hash()
	s.put(hash.String()+infoSuffix, torrent.Marshal())
	s.put(hashOf(0x33).String()+infoSuffix, torrent.Marshal())
	s.put(hashOf(0x44).String()+infoSuffix, []byte("d4:infodee"))
	s.record(0x11, 4)
	s.put("README.txt", []byte("no file of ours"))
	s.put(strings.ToUpper(hashOf(0xaa).String())+recordSuffix, nil)
	all := s.load()
	if want := "4:11111111 5:" + hash.Short(); listed(all) != want {
		t.Fatalf("listed %s, want %s", listed(all), want)
	}
	rec := all.torrents[1].rec
	if !all.torrents[1].fresh || rec.Options.Dir != "/default" || rec.Shown.Name != "content" ||
		rec.Shown.Size != 20_000 || rec.Shown.Left != 20_000 || rec.V2 == "" {
		t.Errorf("adopted as %+v", rec)
	}
	names := s.names()
	for _, b := range []byte{0x33, 0x44} {
		if !slices.Contains(names, hashOf(b).String()+infoSuffix+".damaged-1") {
			t.Errorf("%x was not set aside: %v", b, names)
		}
	}
	if !slices.Contains(names, "README.txt") {
		t.Error("a file of somebody else is gone")
	}
	d := startDaemon(t, testConfig(s.dir, t.TempDir(), nil))
	v2, _ := torrent.Info().HashV2()
	if got := d.Torrent(v2.Short()); got == nil || got.ID() != 5 || got != d.Torrent(hash) {
		t.Errorf("a hybrid is found by one of its hashes as %v", got)
	}
	closeDaemon(t, d)
	if again := s.load(); listed(again) != listed(all) || again.torrents[1].fresh {
		t.Errorf("then listed %s", listed(again))
	}
}

// TestMetadataAheadOfRecord: a process that dies between the metadata and the record of a link
// leaves both usable.
func TestMetadataAheadOfRecord(t *testing.T) {
	s := newShelf(t)
	_, torrent := makeTorrent(t, "content", 20_000, metainfo.V1)
	link := torrent.Magnet()
	rec := &record{ID: 3, Options: Options{Dir: "/content", Labels: []string{"label"}}}
	rec.describeLink(&link)
	doc, err := rec.marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.put(link.Hash().String()+recordSuffix, doc)
	s.put(link.Hash().String()+infoSuffix, torrent.Marshal())
	all := s.load()
	if len(all.torrents) != 1 {
		t.Fatalf("listed %s", listed(all))
	}
	got := all.torrents[0].rec
	if !got.Shown.HaveInfo || got.Shown.Size != 20_000 || got.Options.Labels[0] != "label" ||
		got.ID != 3 {
		t.Errorf("loaded as %+v", got)
	}
}

// TestIDs: two records of one id, and ids that were given away before.
func TestIDs(t *testing.T) {
	s := newShelf(t)
	s.record(0x22, 2)
	s.record(0x11, 2)
	s.record(0x33, 9)
	if got := s.load(); listed(got) != "2:11111111 9:33333333 10:22222222" || got.last != 10 {
		t.Errorf("listed %s, last %d", listed(got), got.last)
	}
	for text, want := range map[string]ID{"50\n": 51, "3\n": 10, "x": 10, "-1": 10, "": 10,
		"99999999999999999": 10, strings.Repeat("1", 100): 10} {
		s.put(lastFile, []byte(text))
		if got := s.load(); got.last != want {
			t.Errorf("%q: last %d, want %d", text, got.last, want)
		}
	}
}

// TestRemovalGoesOn: a process that dies while it removes a torrent leaves nothing of it.
func TestRemovalGoesOn(t *testing.T) {
	s := newShelf(t)
	for _, suffix := range []string{recordSuffix, infoSuffix, removedSuffix} {
		s.put(hashOf(0x11).String()+suffix, []byte("x"))
	}
	s.put(hashOf(0x22).String()+recordSuffix+".0123456789abcdef.new", []byte("x"))
	s.record(0x33, 1)
	if got := s.load(); listed(got) != "1:33333333" {
		t.Errorf("listed %s", listed(got))
	}
	if names := s.names(); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}

// TestTheLockSaysWhoHoldsIt: a second daemon in a folder is told of the first.
func TestTheLockSaysWhoHoldsIt(t *testing.T) {
	state := t.TempDir()
	startDaemon(t, testConfig(state, t.TempDir(), nil))
	_, err := Start(t.Context(), testConfig(state, t.TempDir(), nil))
	lock, ok := errors.AsType[*LockError](err)
	if !ok || lock.Dir != state || lock.PID != os.Getpid() || lock.Started == "" {
		t.Fatalf("a second daemon: %v", err)
	}
	if want := fmt.Sprintf("%s is in use by the daemon with process id %d, started %s", state,
		os.Getpid(), lock.Started); err.Error() != want {
		t.Errorf("it says %q", err)
	}
	if err := os.WriteFile(filepath.Join(state, lockFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), testConfig(state, "", nil)); err.Error() != state+
		" is in use by another daemon" {
		t.Errorf("without words in the lock: %v", err)
	}
}

// TestSealIsWhatItSays: the checksum is that of the bytes before it, so that other programs can
// make one.
func TestSealIsWhatItSays(t *testing.T) {
	doc := seal([]byte(`{"version":1}`))
	const want = `{"version":1,"sha256":"`
	if !strings.HasPrefix(string(doc), want) {
		t.Fatalf("%s", doc)
	}
	sum, err := hex.DecodeString(string(doc[len(want) : len(doc)-len(sealEnd)]))
	if err != nil || len(sum) != 32 {
		t.Errorf("%s: %v", doc, err)
	}
}
