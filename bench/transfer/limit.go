//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The machine's limit: two processes that move a file in real messages of BEP 3
// and do nothing else. One reads 16 blocks with one preadv and sends them with
// one write. The other has one loop that reads from the socket, and beside it a
// worker that hashes and writes to a preallocated file. Requests flow back.
//
// No handshake, no choking, no choice of pieces, one peer: whatever a client
// needs beyond this is its own cost.

const (
	blockSize   = 16 << 10
	headerSize  = 13 // length, id, piece, begin
	requestSize = 17 // length, id, piece, begin, length
	batchBlocks = 16 // in one preadv, one write
	// batchesAsked is how many batches are asked for in advance. 64 blocks
	// keep both processes busy; more only cost cache.
	batchesAsked = 4
	// pauseEvery is how often a sender with a rate pauses: as often as the node
	// does at 100 MiB/s.
	pauseEvery = 100 * time.Millisecond

	idRequest = 6
	idPiece   = 7
)

// limitSend serves the file at path to one connection, at rate bytes per second at most;
// 0 means no limit.
func limitSend(path string, pieceLength, rate int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	listener, err := net.Listen("tcp", seedIP.String()+":0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	conn, err := listener.Accept()
	listener.Close()
	if err != nil {
		return err
	}
	defer conn.Close()
	return send(conn, f, pieceLength, pace{rate: rate})
}

// send answers requests, which come in the order of the file, until the other
// side closes the connection.
func send(conn net.Conn, f *os.File, pieceLength int, pace pace) error {
	var (
		requests = make([]byte, batchBlocks*requestSize)
		out      = make([]byte, batchBlocks*(headerSize+blockSize))
		vectors  = make([][]byte, 0, batchBlocks)
		pending  int // bytes of requests
	)
	for {
		n, err := conn.Read(requests[pending:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		pending += n
		count := pending / requestSize
		if count == 0 {
			continue
		}
		vectors = vectors[:0]
		var first, size int64
		at := 0
		for i := range count {
			r := requests[i*requestSize:]
			piece, begin, length := binary.BigEndian.Uint32(r[5:]), binary.BigEndian.Uint32(r[9:]),
				int(binary.BigEndian.Uint32(r[13:]))
			if r[4] != idRequest || length > blockSize {
				return errors.New("not a request")
			}
			off := int64(piece)*int64(pieceLength) + int64(begin)
			if i == 0 {
				first = off
			} else if off != first+size {
				return errors.New("requests of a batch are not in order")
			}
			size += int64(length)
			binary.BigEndian.PutUint32(out[at:], uint32(headerSize-4+length))
			out[at+4] = idPiece
			copy(out[at+5:at+headerSize], r[5:headerSize])
			vectors = append(vectors, out[at+headerSize:at+headerSize+length])
			at += headerSize + length
		}
		pending = copy(requests, requests[count*requestSize:pending])
		if err := preadFull(f, vectors, first); err != nil {
			return err
		}
		if _, err := conn.Write(out[:at]); err != nil {
			return err
		}
		pace.pay(at)
	}
}

// A pace holds a sender to a rate in bytes per second; 0 means no limit.
type pace struct {
	rate  int
	sent  int // since then
	since time.Time
}

// pay counts n sent bytes, and sleeps until more may be sent.
func (p *pace) pay(n int) {
	p.sent += n
	if p.rate == 0 || time.Duration(p.sent)*time.Second < time.Duration(p.rate)*pauseEvery {
		return
	}
	time.Sleep(time.Until(p.since.Add(pauseEvery)))
	p.sent, p.since = 0, time.Now()
}

// preadFull fills the vectors from off.
func preadFull(f *os.File, vectors [][]byte, off int64) error {
	want := 0
	for _, v := range vectors {
		want += len(v)
	}
	n, err := unix.Preadv(int(f.Fd()), vectors, off)
	if err != nil {
		return fmt.Errorf("preadv: %w", err)
	}
	if n != want {
		return fmt.Errorf("preadv: %d bytes, want %d", n, want)
	}
	return nil
}

// batch is what one read of the receiver took: whole messages.
type batch struct {
	buf  []byte
	off  int64 // in the file, of the first block
	size int   // bytes of blocks
}

// limitReceive fetches a file of size bytes from addr into dir and checks its
// pieces, whose hashes come on standard input.
func limitReceive(addr, dir, sizeArg string, pieceLength int) error {
	size, err := strconv.ParseInt(sizeArg, 10, 64)
	if err != nil {
		return err
	}
	hashes, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "content.bin"))
	if err != nil {
		return err
	}
	defer f.Close()
	if pieces := (size + int64(pieceLength) - 1) / int64(pieceLength); int64(
		len(hashes)) != pieces*sha1.Size {
		return fmt.Errorf("%d bytes of hashes, want those of %d pieces", len(hashes), pieces)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return fmt.Errorf("fallocate: %w", err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return fetch(conn, f, size, hashes, pieceLength)
}

// fetch asks for size bytes, and hashes and writes them while it receives.
func fetch(conn net.Conn, f *os.File, size int64, hashes []byte, pieceLength int) error {
	free := make(chan []byte, batchesAsked)
	full := make(chan batch, batchesAsked)
	for range batchesAsked {
		free <- make([]byte, batchBlocks*(headerSize+blockSize))
	}
	result := make(chan error, 1)
	go func() { result <- hashAndWrite(f, hashes, pieceLength, full, free) }()
	err := receive(conn, size, int64(pieceLength), full, free)
	close(full)
	return errors.Join(err, <-result)
}

// receive asks for the whole file in order and passes on what arrives.
func receive(conn net.Conn, size, pieceLength int64, full chan<- batch, free <-chan []byte) error {
	var asked int64
	requests := make([]byte, 0, batchBlocks*requestSize)
	ask := func() error {
		requests = requests[:0]
		for i := 0; i < batchBlocks && asked < size; i++ {
			n := min(blockSize, size-asked)
			requests = binary.BigEndian.AppendUint32(requests, requestSize-4)
			requests = append(requests, idRequest)
			requests = binary.BigEndian.AppendUint32(requests, uint32(asked/pieceLength))
			requests = binary.BigEndian.AppendUint32(requests, uint32(asked%pieceLength))
			requests = binary.BigEndian.AppendUint32(requests, uint32(n))
			asked += n
		}
		if len(requests) == 0 {
			return nil
		}
		_, err := conn.Write(requests)
		return err
	}
	for range batchesAsked {
		if err := ask(); err != nil {
			return err
		}
	}
	for off := int64(0); off < size; {
		n := min(batchBlocks*blockSize, size-off)
		blocks := (n + blockSize - 1) / blockSize
		buf := (<-free)[:blocks*headerSize+n]
		if _, err := io.ReadFull(conn, buf); err != nil {
			return fmt.Errorf("reading messages: %w", err)
		}
		full <- batch{buf, off, int(n)}
		off += n
		if err := ask(); err != nil {
			return err
		}
	}
	return nil
}

// hashAndWrite runs beside the receiver. It drains full even after a failure, so the
// receiver never blocks for good.
func hashAndWrite(f *os.File, hashes []byte, pieceLength int, full <-chan batch,
	free chan<- []byte) error {
	var (
		failed  error
		sum     = sha1.New()
		vectors = make([][]byte, 0, batchBlocks)
		hashed  int // bytes of the current piece
		piece   int
	)
	finish := func() error {
		if !bytes.Equal(sum.Sum(nil), hashes[piece*sha1.Size:(piece+1)*sha1.Size]) {
			return fmt.Errorf("piece %d does not match its hash", piece)
		}
		sum.Reset()
		hashed = 0
		piece++
		return nil
	}
	for b := range full {
		if failed == nil {
			vectors = vectors[:0]
			for at, left := 0, b.size; left > 0; {
				n := min(blockSize, left)
				vectors = append(vectors, b.buf[at+headerSize:at+headerSize+n])
				at += headerSize + n
				left -= n
			}
			if _, err := unix.Pwritev(int(f.Fd()), vectors, b.off); err != nil {
				failed = fmt.Errorf("pwritev: %w", err)
			}
			for _, v := range vectors {
				sum.Write(v)
				if hashed += len(v); hashed == pieceLength && failed == nil {
					failed = finish()
				}
			}
		}
		free <- b.buf[:cap(b.buf)]
	}
	if failed == nil && hashed > 0 {
		failed = finish()
	}
	return failed
}
