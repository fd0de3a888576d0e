package metainfo_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/metainfo"
)

// A magnet link has the info-hash, a name to show, and hints where to find peers.
func ExampleParseMagnet() {
	m, err := metainfo.ParseMagnet("magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567" +
		"&dn=Tears+of+Steel&tr=udp://tracker.example:6969/announce" +
		"&x.pe=192.0.2.7:6881&so=0,2-4")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("info-hash:", m.Hash())
	fmt.Println("name:     ", m.Name)
	fmt.Println("trackers: ", m.Trackers)
	fmt.Println("peers:    ", m.Peers)
	fmt.Print("files:    ")
	for i := range m.Selected(4) { // of a torrent with four files
		fmt.Print(" ", i)
	}
	fmt.Println()
	// Output:
	// info-hash: 0123456789abcdef0123456789abcdef01234567
	// name:      Tears of Steel
	// trackers:  [udp://tracker.example:6969/announce]
	// peers:     [192.0.2.7:6881]
	// files:     0 2 3
}

// An error says in one line what is wrong with a link.
func ExampleParseMagnet_error() {
	for _, link := range []string{
		"http://example.com/",
		"magnet:?dn=no+hash",
		"magnet:?xt=urn:btih:0123",
		"magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C",
	} {
		_, err := metainfo.ParseMagnet(link)
		fmt.Println(strings.TrimPrefix(err.Error(), "magnet link: "))
	}
	// Output:
	// does not start with "magnet:"
	// has no exact topic (xt)
	// urn:btih: info-hash: expected 40 hexadecimal or 32 base32 digits, found 4 characters
	// the topic "urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5" is not a BitTorrent topic
}

// folder makes files with known content below a temporary folder.
func folder(files map[string]string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(dir, "album")
	for name, data := range files {
		full := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	return path, func() { os.RemoveAll(dir) }
}

// Build makes a torrent of a file or a folder. The same content and options give the
// same info-hash, on every computer.
func ExampleBuild() {
	path, remove := folder(map[string]string{
		"cover.jpg":      "picture",
		"disc1/01.flac":  "one",
		"disc1/02.flac":  "two",
		"disc1/.hidden":  "not part of it",
		"disc1/log.txt~": "nor is this",
	})
	defer remove()
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
		Path:     path,
		Exclude:  []string{"*~"},
		Trackers: [][]string{{"https://tracker.example/announce"}},
		Comment:  "Made by an example",
		Created:  time.Unix(1_700_000_000, 0),
	})
	if err != nil {
		log.Fatal(err)
	}
	layout := torrent.Info().Layout()
	for i, f := range layout.Files {
		fmt.Println(layout.FilePath(i), f.Length)
	}
	fmt.Println("info-hash", torrent.Info().Hash())
	fmt.Println(torrent.Magnet().Trackers)
	fmt.Println(len(torrent.Marshal()), "bytes in the .torrent file")
	// Output:
	// album/cover.jpg 7
	// album/disc1/01.flac 3
	// album/disc1/02.flac 3
	// info-hash 4c9d29cc43f2a92bea29012e98ff70efad08775b
	// [https://tracker.example/announce]
	// 294 bytes in the .torrent file
}

// A hybrid can be fetched by clients that know only v1, and by those that know v2. Its
// two info-hashes name the same content.
func ExampleBuild_hybrid() {
	path, remove := folder(map[string]string{"a": "first", "b": "second"})
	defer remove()
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
		Path: path, Kind: metainfo.Hybrid,
	})
	if err != nil {
		log.Fatal(err)
	}
	layout := torrent.Info().Layout()
	for i, f := range layout.Files {
		kind := "file"
		if f.Pad {
			kind = "padding"
		}
		fmt.Println(layout.FilePath(i), f.Length, kind)
	}
	_, v1 := torrent.Info().HashV1()
	_, v2 := torrent.Info().HashV2()
	fmt.Println("v1:", v1, "v2:", v2)
	// Output:
	// album/a 5 file
	// album/.pad/16379 16379 padding
	// album/b 6 file
	// album/.pad/16378 16378 padding
	// v1: true v2: true
}

// A Layout says which bytes of which files a piece covers.
func ExampleLayout_Spans() {
	path, remove := folder(map[string]string{
		"a": string(make([]byte, 20_000)),
		"b": string(make([]byte, 10_000)),
	})
	defer remove()
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
		Path: path, PieceLength: metainfo.PieceLengthMin,
	})
	if err != nil {
		log.Fatal(err)
	}
	layout := torrent.Info().Layout()
	for piece := range layout.Pieces() {
		fmt.Printf("piece %d:", piece)
		for s := range layout.Spans(layout.PieceOffset(piece), layout.PieceSize(piece)) {
			fmt.Printf(" %s[%d:%d]", layout.Files[s.File].Path[0], s.Offset,
				s.Offset+int64(s.Length))
		}
		fmt.Println()
	}
	first, end := layout.FilePieces(1)
	fmt.Printf("b is in the pieces from %d up to %d\n", first, end)
	// Output:
	// piece 0: a[0:16384]
	// piece 1: a[16384:20000] b[0:10000]
	// b is in the pieces from 1 up to 2
}

// A Verifier takes the bytes of a piece as they come.
func ExampleLayout_Verifier() {
	data := bytes.Repeat([]byte("swarm"), 1000)
	path, remove := folder(map[string]string{"file": string(data)})
	defer remove()
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	layout := torrent.Info().Layout()
	v := layout.Verifier(0)
	v.Write(data[:1234])
	v.Write(data[1234:])
	fmt.Println(v.OK())
	data[0]++
	fmt.Println(layout.VerifyPiece(0, data))
	// Output:
	// true
	// false
}

// The keys around the info dictionary can be changed; the info-hash stays.
func ExampleTorrent_EditTrackers() {
	path, remove := folder(map[string]string{"file": "data"})
	defer remove()
	torrent, err := metainfo.Build(context.Background(), metainfo.BuildOptions{
		Path: path, Trackers: [][]string{{"http://old.example/", "http://kept.example/"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	before := torrent.Info().Hash()
	torrent.EditTrackers([]string{"http://old.example/"}, [][]string{{"udp://new.example:80"}})
	again, err := metainfo.ParseTorrent(torrent.Marshal())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Trackers)
	fmt.Println(again.Info().Hash() == before)
	// Output:
	// [[http://kept.example/] [udp://new.example:80]]
	// true
}

// Names of strangers are made safe before they are shown or used.
func ExampleDisplayName() {
	for _, name := range []string{"holiday.avi", "a/b", "invoice\u202efdp.exe", ".."} {
		fmt.Printf("%q\n", metainfo.DisplayName(name))
	}
	// Output:
	// "holiday.avi"
	// "a_b"
	// "invoice_fdp.exe"
	// ""
}

// Globs choose the files of a new torrent.
func ExampleMatchGlob() {
	fmt.Println(metainfo.MatchGlob("*.txt", "docs/readme.txt"))
	fmt.Println(metainfo.MatchGlob("docs/*.txt", "docs/old/readme.txt"))
	fmt.Println(metainfo.MatchGlob("docs/**/*.txt", "docs/old/readme.txt"))
	// Output:
	// true
	// false
	// true
}
