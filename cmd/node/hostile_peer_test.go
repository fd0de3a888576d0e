//go:build unix

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"swarmnode/metainfo/bencode"
)

// servePeer runs a peer on loopback that has only the metadata (BEP 9), until the test
// ends, and returns its address.
func servePeer(t *testing.T, info string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			wait.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(scriptTimeout))
				// How the connection ends is for the other side to say.
				_ = giveMetadata(conn, info)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wait.Wait()
	})
	return l.Addr().String()
}

// giveMetadata shakes hands and answers requests for metadata, of one block.
func giveMetadata(conn net.Conn, info string) error {
	const (
		handshakeBytes = 68
		extended       = 20 // BEP 10
		ourID          = 1
		messageMax     = 1 << 20
	)
	theirs := make([]byte, handshakeBytes)
	if _, err := io.ReadFull(conn, theirs); err != nil {
		return err
	}
	hash := sha1.Sum([]byte(info))
	ours := "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x00" + string(hash[:]) +
		"-XX0000-000000000000"
	send := func(id byte, head, tail string) error {
		body := string([]byte{extended, id}) + head + tail
		_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
		return err
	}
	if _, err := io.WriteString(conn, ours); err != nil {
		return err
	}
	hello := enc(dict{"m": dict{"ut_metadata": ourID}, "metadata_size": len(info)})
	if err := send(0, hello, ""); err != nil {
		return err
	}
	theirID := byte(0)
	for {
		var size uint32
		if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
			return err
		}
		if size > messageMax {
			return fmt.Errorf("message of %d bytes", size)
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(conn, message); err != nil {
			return err
		}
		switch {
		case len(message) < 2 || message[0] != extended:
		case message[1] == 0:
			theirID = metadataID(message[2:])
		case message[1] == ourID && bytes.Contains(message, []byte("8:msg_typei0e")):
			head := enc(dict{"msg_type": 1, "piece": 0, "total_size": len(info)})
			if err := send(theirID, head, info); err != nil {
				return err
			}
		}
	}
}

// metadataID reads the number that the other side gives to metadata messages.
func metadataID(hello []byte) (id byte) {
	r := bencode.NewReader(hello, bencode.Limits{})
	for key := range r.Dict() {
		if string(key) != "m" {
			continue
		}
		for name := range r.Dict() {
			if string(name) == "ut_metadata" {
				id = byte(r.Int())
			}
		}
	}
	return id
}

// TestHostileMetadata gives "node add" a magnet link whose peer sends metadata with the
// right hash that must be refused, like the same metadata in a .torrent file.
func TestHostileMetadata(t *testing.T) {
	one := func(path ...any) dict {
		return soundV1.with("length", nil).with("files",
			list{dict{"length": 40000, "path": list(path)}})
	}
	var deep list
	for range 65 {
		deep = append(deep, "d")
	}
	for _, tt := range []struct {
		name string
		info any
		want string
	}{
		{"parent", one("..", "..", "x"), `".."`},
		{"parent within a name", one(`a/../../x`), `".."`},
		{"parent as name", soundV1.with("name", ".."), `".."`},
		{"absolute", one("/etc/passwd"), "absolute"},
		{"absolute name", soundV1.with("name", `C:\x`), "absolute"},
		{"NUL", one("a\x00b"), "NUL"},
		{"too deep", one(deep...), "deeper than 64"},
		{"piece length 0", soundV1.with("piece length", 0), "piece length 0"},
		{"pieces missing", soundV1.with("pieces", sums(2)), "2 hashes"},
		{"no content", soundV1.with("length", 0).with("pieces", ""), "no content"},
		{"halves differ", soundV2.with("length", 40001).with("pieces", sums(3)),
			"v1 and v2 differ"},
		{"no bencoding", raw("<html>no info dictionary</html>"), "expected dictionary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			info := enc(tt.info)
			peer := servePeer(t, info)
			dir := t.TempDir()
			magnet := fmt.Sprintf("magnet:?xt=urn:btih:%x", sha1.Sum([]byte(info)))
			code, stdout, stderr := runNode(t, dir, "add", "--dir", "out", "--timeout", "3m",
				"--no-dht", "--no-lsd",
				"--listen", "127.0.0.1:0", "--peer", peer, magnet)
			if code != exitInput || stdout != "" {
				t.Errorf("exit code %d, want %d; stdout %q", code, exitInput, stdout)
			}
			if !strings.HasPrefix(stderr, "node: add: ") || strings.Count(stderr, "\n") != 1 ||
				!strings.Contains(stderr, tt.want) {
				t.Errorf("got %q, want one line with %q", stderr, tt.want)
			}
			left, err := os.ReadDir(filepath.Join(dir, "out"))
			if err != nil || len(left) > 0 {
				t.Errorf("in the folder: %v, %v", left, err)
			}
		})
	}
}
