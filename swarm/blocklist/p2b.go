package blocklist

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// p2bMagic begins a binary file of PeerGuardian. The number of its version follows.
var p2bMagic = []byte("\xff\xff\xff\xffP2B")

// readP2B reads a binary list. In versions 1 and 2 each entry is a name that ends with a zero
// byte, and two addresses. In version 3 all names come first, and entries refer to them.
func (b *Builder) readP2B(in *bufio.Reader, report *Report) error {
	if _, err := in.Discard(len(p2bMagic)); err != nil {
		return err
	}
	version, err := in.ReadByte()
	switch {
	case err != nil:
		return unexpected(err)
	case version == 1, version == 2:
		for number := 1; ; number++ {
			if _, err := in.Peek(1); err != nil {
				return end(err)
			}
			if err := skipName(in); err != nil {
				return err
			}
			if err := b.readEntry(in, report, number, 0); err != nil {
				return err
			}
		}
	case version == 3:
		return b.readP2B3(in, report)
	}
	return fmt.Errorf("%w: version %d of P2B is unknown", ErrDamaged, version)
}

func (b *Builder) readP2B3(in *bufio.Reader, report *Report) error {
	names, err := read32(in)
	if err != nil {
		return err
	}
	for range names {
		if err := skipName(in); err != nil {
			return err
		}
	}
	count, err := read32(in)
	if err != nil {
		return err
	}
	for i := range count {
		if err := b.readEntry(in, report, int(i)+1, 4); err != nil {
			return err
		}
	}
	return nil
}

// readEntry reads two addresses behind a number of bytes that do not matter.
func (b *Builder) readEntry(in *bufio.Reader, report *Report, number, skip int) error {
	if _, err := in.Discard(skip); err != nil {
		return unexpected(err)
	}
	first, err := read32(in)
	if err != nil {
		return err
	}
	last, err := read32(in)
	if err != nil {
		return err
	}
	if first > last {
		report.skip(number)
		return nil
	}
	b.add4(range4{first, last})
	report.Blocked++
	return b.over()
}

// skipName reads a name up to its zero byte.
func skipName(in *bufio.Reader) error {
	for {
		_, err := in.ReadSlice(0)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return unexpected(err)
		}
	}
}

func read32(in *bufio.Reader) (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return 0, unexpected(err)
	}
	return binary.BigEndian.Uint32(b[:]), nil
}

// end returns nil for the end of the input.
func end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// unexpected returns io.ErrUnexpectedEOF for the end of the input.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// isCorrupt reports whether err is one of damaged compression.
func isCorrupt(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt
}
