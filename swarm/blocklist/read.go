package blocklist

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

const (
	// BytesMax bounds a list, before and after decompression. The largest ones that are
	// published have 60 MiB.
	BytesMax = 256 << 20
	// lineMax bounds a line that is understood, and is the size of the buffer.
	lineMax = 64 << 10
	// gzipMax is how often a list may be compressed: some web servers compress files that are
	// compressed already.
	gzipMax = 2
)

var (
	// ErrNothing says that a list holds nothing that is understood.
	ErrNothing = errors.New("no addresses found")
	// ErrPacked says that a list is packed in another way than by gzip.
	ErrPacked = errors.New("unpack it first: only gzip is understood")
	// ErrTooMany says that a list has more than RangesMax ranges.
	ErrTooMany = errors.New("too many ranges")
	// ErrTooLong says that a list has more than BytesMax bytes, before or after
	// decompression.
	ErrTooLong = errors.New("the list is too long")
	// ErrDamaged says that a compressed or binary list breaks off or contradicts itself.
	ErrDamaged = errors.New("the list is damaged")
)

var (
	errTooMany = fmt.Errorf("%w: more than %d", ErrTooMany, RangesMax)
	errTooLong = fmt.Errorf("%w: more than %d MiB", ErrTooLong, BytesMax>>20)
)

// A Report says what was found in a list.
type Report struct {
	// Blocked counts the entries that block addresses, and Allowed those that do not: in DAT
	// files, entries whose level is above 127.
	Blocked, Allowed int
	// Skipped counts the lines that were not understood, and FirstSkipped is the number of
	// the first one, from 1. In binary files it counts entries.
	Skipped, FirstSkipped int
}

// skip counts the line or entry of a number.
func (r *Report) skip(number int) {
	if r.Skipped++; r.Skipped == 1 {
		r.FirstSkipped = number
	}
}

// Parse reads one list. It is short for the Read and the List of a Builder.
func Parse(r io.Reader) (*List, Report, error) {
	var b Builder
	report, err := b.Read(r)
	if err != nil {
		return nil, report, err
	}
	list, err := b.List()
	return list, report, err
}

// Read adds what a list blocks, whose format it recognises by its content. Lines that are not
// understood are skipped and counted. The error is one of r, or of the kind ErrNothing,
// ErrPacked, ErrTooMany, ErrTooLong or ErrDamaged. After an error the Builder holds a part of
// the list.
func (b *Builder) Read(r io.Reader) (Report, error) {
	var report Report
	most := cmp.Or(b.bytesMax, BytesMax)
	in := bufio.NewReaderSize(&limited{from: r, left: most}, lineMax)
	for range gzipMax {
		if start, _ := in.Peek(len(gzipMagic)); !bytes.HasPrefix(start, gzipMagic) {
			break
		}
		plain, err := gzip.NewReader(in)
		if err != nil {
			return report, damage(err)
		}
		in = bufio.NewReaderSize(&limited{from: plain, left: most}, lineMax)
	}
	// An error of Peek comes again when the lines are read.
	start, _ := in.Peek(magicMax)
	for _, p := range packed {
		if bytes.HasPrefix(start, []byte(p.magic)) {
			return report, fmt.Errorf("this is %s; %w", p.name, ErrPacked)
		}
	}
	var err error
	if bytes.HasPrefix(start, p2bMagic) {
		err = b.readP2B(in, &report)
	} else {
		err = b.readLines(in, &report)
	}
	switch {
	case err != nil:
		return report, damage(err)
	case report.Blocked+report.Allowed == 0:
		return report, ErrNothing
	}
	return report, nil
}

var gzipMagic = []byte{0x1f, 0x8b}

// magicMax is the length of the longest beginning by which a format is known.
const magicMax = 8

// packed are the beginnings of files of archives and of other compressions.
var packed = []struct{ magic, name string }{
	{"PK\x03\x04", "a zip archive"}, {"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!\x1a\x07", "a RAR archive"}, {"BZh", "compressed by bzip2"},
	{"\xfd7zXZ\x00", "compressed by xz"}, {"\x28\xb5\x2f\xfd", "compressed by zstd"},
	{"\x1f\x8b", "compressed by gzip again and again"},
}

// damage gives errors of compression and of a premature end the kind ErrDamaged.
func damage(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || isCorrupt(err) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// readLines reads a list of lines.
func (b *Builder) readLines(in *bufio.Reader, report *Report) error {
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line = nil
			report.skip(number)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // a byte order mark
		}
		switch b.line(bytes.TrimSpace(line)) {
		case lineBlocks:
			report.Blocked++
		case lineAllows:
			report.Allowed++
		case lineOdd:
			report.skip(number)
		}
		if over := b.over(); over != nil {
			return over
		}
		if err != nil {
			return nil
		}
	}
}

// limited reads from a reader until left bytes have come. More are the error errTooLong.
type limited struct {
	from io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.from.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLong
	}
	return n, err
}
