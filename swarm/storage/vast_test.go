//go:build linux

package storage

import (
	"crypto/sha1"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

// A torrent of a tebibyte, of which two pieces come: neither room nor time is
// spent on the rest.
func TestVast(t *testing.T) {
	const pieceLength, pieces = 4 << 20, 1 << 18
	piece := content(3, pieceLength)
	sum := sha1.Sum(piece)
	hashes := make([]byte, pieces*sha1.Size)
	copy(hashes[70_000*sha1.Size:], sum[:])
	copy(hashes[(pieces-1)*sha1.Size:], sum[:])
	raw := bencode.AppendDict(nil, func(b []byte) []byte {
		b = bencode.AppendInt(bencode.AppendString(b, "length"), pieces*pieceLength)
		b = bencode.AppendString(bencode.AppendString(b, "name"), "vast")
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), pieceLength)
		return bencode.AppendString(bencode.AppendString(b, "pieces"), hashes)
	})
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: t.TempDir(), StateDir: t.TempDir(), Layout: info.Layout()}
	start := time.Now()
	r := newRig(t, cfg, nil)
	for _, p := range []int{70_000, pieces - 1} {
		for _, ref := range r.refs(p) {
			r.writeData(ref, piece[ref.Begin:][:ref.Length])
		}
		r.store.Verify(uint32(p))
		if got := <-r.results; !got.OK {
			t.Fatal(got)
		}
	}
	r.back()
	st, err := os.Stat(filepath.Join(cfg.Dir, "vast"))
	if err != nil {
		t.Fatal(err)
	}
	if used := st.Sys().(*syscall.Stat_t).Blocks * 512; st.Size() != pieces*pieceLength ||
		used > 4*pieceLength {
		t.Errorf("%d bytes long, %d used", st.Size(), used)
	}
	t.Log("downloaded:", time.Since(start))
	start = time.Now()
	if have, hashed, _ := recheck(t, cfg, nil); have.Count() != 2 || hashed != 0 {
		t.Errorf("with the record: %d pieces, %d bytes hashed", have.Count(), hashed)
	}
	t.Log("opened with the record:", time.Since(start))
	start = time.Now()
	cfg.StateDir = ""
	if have, hashed, _ := recheck(t, cfg, nil); have.Count() != 2 ||
		hashed > holesTriedMax+4*pieceLength {
		t.Errorf("without: %d pieces, %d bytes hashed", have.Count(), hashed)
	}
	t.Log("checked without it:", time.Since(start))
}

// What a copying program made holes of is found all the same.
func TestHolesAreZeros(t *testing.T) {
	files := []tfile{{"", 400 << 10, false}}
	data := make([]byte, 400<<10)
	copy(data[100<<10:], content(1, 64<<10))
	layout := layoutOf(t, "x", 32<<10, data, files...)
	cfg := Config{Dir: t.TempDir(), Layout: layout}
	f, err := os.Create(filepath.Join(cfg.Dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(400 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data[100<<10:164<<10], 100<<10); err != nil {
		t.Fatal(err)
	}
	if have, _, _ := recheck(t, cfg, data); !have.All() {
		t.Errorf("%d of %d pieces found", have.Count(), layout.Pieces())
	}
}
