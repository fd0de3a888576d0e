//go:build linux

package realclient

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Torrent is a .torrent file that was made for a test, by code that shares
// nothing with the product's.
type Torrent struct {
	File   string // path of the .torrent
	Hash   string // v1 info-hash, 40 hex digits
	Magnet string // with the info-hash alone
	Pieces []byte // SHA-1 of each piece, 20 bytes each
}

// MakeTorrent writes a v1 .torrent of the regular file at path beside it, with
// pieces of pieceLength bytes. announce is the URL of a tracker, or empty.
func MakeTorrent(path string, pieceLength int, announce string) (Torrent, error) {
	f, err := os.Open(path)
	if err != nil {
		return Torrent{}, fmt.Errorf("making torrent: %w", err)
	}
	defer f.Close()
	var (
		pieces []byte
		size   int64
		piece  = make([]byte, pieceLength)
	)
	for {
		n, err := io.ReadFull(f, piece)
		if n > 0 {
			sum := sha1.Sum(piece[:n])
			pieces = append(pieces, sum[:]...)
			size += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return Torrent{}, fmt.Errorf("making torrent: %w", err)
		}
	}
	name := filepath.Base(path)
	var info bytes.Buffer
	fmt.Fprintf(&info, "d6:lengthi%de4:name%d:%s12:piece lengthi%de6:pieces%d:%se", size, len(name),
		name, pieceLength, len(pieces), pieces)
	hash := sha1.Sum(info.Bytes())
	t := Torrent{File: path + ".torrent", Hash: hex.EncodeToString(hash[:]), Pieces: pieces}
	t.Magnet = "magnet:?xt=urn:btih:" + t.Hash

	var file bytes.Buffer
	file.WriteString("d")
	if announce != "" {
		fmt.Fprintf(&file, "8:announce%d:%s", len(announce), announce)
	}
	fmt.Fprintf(&file, "4:info%se", info.Bytes())
	if err := os.WriteFile(t.File, file.Bytes(), 0o644); err != nil {
		return Torrent{}, fmt.Errorf("making torrent: %w", err)
	}
	return t, nil
}

// WithWebSeed writes a copy of the .torrent file to path that names a web seed
// (BEP 19).
func (t Torrent) WithWebSeed(url, path string) error {
	raw, err := os.ReadFile(t.File)
	if err != nil {
		return err
	}
	// The key comes after "info", which is the last of ours.
	raw = fmt.Appendf(bytes.TrimSuffix(raw, []byte("e")), "8:url-list%d:%se", len(url), url)
	return os.WriteFile(path, raw, 0o644)
}
