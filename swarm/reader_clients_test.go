//go:build linux

package swarm_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// filmBytes is the size of the film.
const filmBytes = 200 << 20

// box returns a box of an MP4 file (ISO/IEC 14496-12): its size, its kind and its body.
func box(kind string, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	head := binary.BigEndian.AppendUint32(nil, uint32(8+len(all)))
	return append(append(head, kind...), all...)
}

// writeFilm writes an MP4 file of noise whose index is at its end, as many programs write
// it. It returns the index.
func writeFilm(t *testing.T, path string) (index []byte) {
	t.Helper()
	mvhd := make([]byte, 100)
	binary.BigEndian.PutUint32(mvhd[12:], 1000)    // units a second
	binary.BigEndian.PutUint32(mvhd[16:], 5400000) // an hour and a half
	index = box("moov", box("mvhd", mvhd), box("free", make([]byte, 100_000)))
	head := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2mp41"))
	data := filmBytes - len(head) - len(index)
	head = binary.BigEndian.AppendUint32(head, uint32(data))
	head = append(head, "mdat"...)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = io.Copy(f, io.MultiReader(bytes.NewReader(head),
		io.LimitReader(rand.NewChaCha8([32]byte{77}), int64(data-8)), bytes.NewReader(index)))
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// findIndex walks over the boxes of a film as a player does, and returns its index.
func findIndex(film io.ReadSeeker) ([]byte, error) {
	for at := int64(0); ; {
		if _, err := film.Seek(at, io.SeekStart); err != nil {
			return nil, err
		}
		var head [8]byte
		if _, err := io.ReadFull(film, head[:]); err != nil {
			return nil, err
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		if kind := string(head[4:]); kind == "moov" {
			body := make([]byte, size-8)
			_, err := io.ReadFull(film, body)
			return append(head[:], body...), err
		}
		if size < 8 {
			return nil, fmt.Errorf("a box of %d bytes at %d", size, at)
		}
		at += size
	}
}

// TestReaderOfAFilm: a film of libtorrent, whose index is at its end, has its header read
// before 2 % of it are there.
func TestReaderOfAFilm(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	realclient.Require(t, realclient.Libtorrent)
	dir := t.TempDir()
	path := filepath.Join(dir, "film.mp4")
	index := writeFilm(t, path)
	torrent, err := metainfo.Build(t.Context(), metainfo.BuildOptions{Path: path,
		PieceLength: 512 << 10})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "film.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o666); err != nil {
		t.Fatal(err)
	}
	seed := realclient.Start(t, realclient.Libtorrent, realclient.Options{
		IP: netip.MustParseAddr("11.0.77.1"), Up: 1 << 20}) // no limit on a local address
	if err := seed.Seed(t.Context(), file, dir); err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := listen(t, swarm.Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("11.0.77.2:0")}})
	leech := add(t, e, swarm.Spec{Magnet: torrent.Magnet(), Dir: t.TempDir(),
		Peers: []string{seed.Addr.String()}})
	film, err := leech.Reader(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer film.Close()
	header := make([]byte, 4096)
	if _, err := io.ReadFull(film, header); err != nil {
		t.Fatal(err)
	}
	got, err := findIndex(film)
	if err != nil || !bytes.Equal(got, index) {
		t.Errorf("read an index of %d bytes, want %d: %v", len(got), len(index), err)
	}
	if s := leech.State(); s.Have > filmBytes/50 {
		t.Errorf("%d bytes were there when the index was read, want %d at most", s.Have,
			filmBytes/50)
	}
	if _, err := exec.LookPath("file"); err != nil {
		t.Skip("file is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "file", "--brief", "-")
	cmd.Stdin = bytes.NewReader(header)
	if out, err := cmd.Output(); err != nil || !strings.HasPrefix(string(out), "ISO Media, MP4") {
		t.Errorf("file says %q: %v", out, err)
	}
}
