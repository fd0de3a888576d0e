package core

import (
	"os"
	"path/filepath"

	"swarmnode/metainfo"
	"swarmnode/swarm/block"
	"swarmnode/swarm/wire"
)

// What scripts need for torrents of BEP 52: each is of one file, whose content
// is generated.

func kindOf(o map[string]string) metainfo.Kind {
	if _, ok := o["v2"]; ok {
		return metainfo.V2
	}
	if _, ok := o["hybrid"]; ok {
		return metainfo.Hybrid
	}
	return metainfo.V1
}

// beginV2 makes a torrent of a file of length bytes.
func (s *script) beginV2(kind metainfo.Kind, pieceLength int, length int64, o map[string]string) {
	s.content = make([]byte, length)
	for i := range s.content {
		s.content[i] = byte(i * i >> 7)
	}
	path := filepath.Join(s.t.TempDir(), "file")
	if err := os.WriteFile(path, s.content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	torrent, err := metainfo.Build(s.t.Context(), metainfo.BuildOptions{Path: path, Kind: kind,
		PieceLength: pieceLength})
	if err != nil {
		s.t.Fatal(err)
	}
	s.info, s.v2 = torrent.Info(), torrent.Info().Layout()
	if _, bare := o["bare"]; !bare {
		return
	}
	if s.info, err = metainfo.ParseInfo(s.info.Raw()); err != nil {
		s.t.Fatal(err)
	}
}

// leaves returns the hashes of the blocks of a piece.
func (s *script) leaves(piece int) ([]metainfo.Hash256, bool) {
	off := s.v2.PieceOffset(piece)
	return metainfo.BlockHashes(s.content[off : off+int64(s.v2.PieceSize(piece))]), true
}

// hashed says that a piece was read for its hashes, or could not be.
func (s *script) hashed(piece int, args []string) {
	e := Event{Kind: Hashed, Ref: block.Ref{Piece: uint32(piece)}}
	if len(args) == 0 {
		e.Hashes, _ = s.leaves(piece)
	}
	s.step(e)
}

// failedBlocks says that a piece failed, of which the blocks marked x are wrong.
func (s *script) failedBlocks(piece int, wrong string) {
	e := Event{Kind: Failed, Ref: block.Ref{Piece: uint32(piece)}}
	e.Hashes, _ = s.leaves(piece)
	for i := range e.Hashes {
		if wrong[i] == 'x' {
			e.Hashes[i][0]++
		}
	}
	s.step(e)
}

var hashSayings = map[string]wire.ID{
	"hash-request": wire.HashRequest, "hashes": wire.Hashes, "hash-reject": wire.HashReject,
}

// hashPayload reads "base=1 index=0 length=8 proof=2", with root=other for one
// that no file has; hashes are right unless there is "wrong", one is missing with
// "short", and bytes=N gives the message another length.
func (s *script) hashPayload(id wire.ID, args []string) []byte {
	o := options(args)
	value := func(name string) uint32 { return uint32(number(o[name], 0)) }
	r := wire.HashRange{Base: value("base"), Index: value("index"), Length: value("length"),
		Proof: value("proof")}
	if o["root"] == "" {
		r.Root = s.v2.Files[0].Root
	}
	payload := wire.AppendHashRange(nil, r)
	_, wrong := o["wrong"]
	if id == wire.Hashes {
		answer, ok := s.v2.AppendHashes(nil, metainfo.HashRange(r), s.leaves)
		if !ok {
			answer = make([]byte, 32*(int(min(r.Length, 1024))+r.Uncles()))
		}
		if wrong {
			answer[0]++
		}
		payload = append(payload, answer...)
	}
	if _, short := o["short"]; short {
		payload = payload[:len(payload)-32]
	}
	if n := o["bytes"]; n != "" {
		payload = append(payload, make([]byte, max(0, number(n, 0)-len(payload)))...)[:number(n, 0)]
	}
	return payload
}
