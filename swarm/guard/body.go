package guard

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ErrTooLong is the error for bodies that are longer than asked for.
var ErrTooLong = errors.New("the answer is too long")

// Compressed is the header of a request whose answer ReadBody reads. Without
// it the library would undo compression itself, and only that which it knows and
// which is announced as it likes.
func Compressed() http.Header { return http.Header{"Accept-Encoding": {"gzip"}} }

const (
	// wholeGrace is how long a server may pause once what came is whole: servers have
	// been seen to announce more than they send.
	wholeGrace = time.Second
	// layersMax bounds how often a body is decompressed: some servers compress what
	// the program behind them has compressed.
	layersMax = 2
	// readBytes is how much of a body is read at a time.
	readBytes = 32 << 10
)

// A BodyReader reads the bodies of answers that are documents, whole or as far as
// they come.
type BodyReader struct {
	// Max bounds the body, before and after decompression, in bytes.
	Max int
	// Whole reports whether what has come is a whole document. It is asked when the
	// server has paused for a second, and if so GiveUp, which ends the request, is
	// called. Both are called from another goroutine, and both may be nil.
	Whole  func(body []byte) bool
	GiveUp func()
}

// Read returns the body of an answer to a request with the header Compressed,
// decompressed: gzip and deflate under any of their names, with or without the zlib
// header, and gzip that nobody announced. The error tells that the body was cut off,
// longer than announced, or damaged; what came of it is returned all the same, and
// may be a whole document.
func (r *BodyReader) Read(a *Answer) (body []byte, err error) {
	body, err = r.read(a.Body)
	if len(body) > r.Max {
		return nil, ErrTooLong
	}
	encodings := strings.Split(a.Header.Get("Content-Encoding"), ",")
	for layers := 0; len(body) > 0 && layers < layersMax; layers++ {
		encoding := ""
		if len(encodings) > 0 { // the last was applied last
			encoding = strings.ToLower(strings.TrimSpace(encodings[len(encodings)-1]))
			encodings = encodings[:len(encodings)-1]
		}
		plain, broken := inflate(body, encoding, r.Max)
		switch {
		case plain == nil:
			continue
		case len(plain) > r.Max:
			return nil, ErrTooLong
		case err == nil:
			err = broken
		}
		body = plain
	}
	return body, err
}

// read reads up to one byte more than Max.
func (r *BodyReader) read(from io.Reader) (body []byte, err error) {
	from = io.LimitReader(from, int64(r.Max)+1)
	for {
		body = slices.Grow(body, readBytes)
		pause := r.onPause(body)
		n, err := from.Read(body[len(body) : len(body)+readBytes])
		pause.Stop()
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
}

// onPause gives up if nothing comes for a while behind a body that is whole. Only what
// follows body is written to until the timer is stopped.
func (r *BodyReader) onPause(body []byte) *time.Timer {
	return time.AfterFunc(wholeGrace, func() {
		if r.Whole != nil && r.GiveUp != nil && r.Whole(body) {
			r.GiveUp()
		}
	})
}

var gzipMagic = []byte{0x1f, 0x8b}

// inflate undoes one compression of body, to at most one byte more than limit. It
// returns nil for what is not compressed, whatever its encoding is said to be, and
// otherwise with an error what there was before the damage.
func inflate(body []byte, encoding string, limit int) (plain []byte, err error) {
	var from io.Reader
	bare := false
	switch {
	case bytes.HasPrefix(body, gzipMagic):
		from, err = gzip.NewReader(bytes.NewReader(body))
	case encoding != "deflate":
		return nil, nil
	default: // RFC 9110, section 8.4.1.2: zlib, but some servers leave its header out
		if from, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			bare, from, err = true, flate.NewReader(bytes.NewReader(body)), nil
		}
	}
	if err != nil {
		return nil, nil
	}
	plain, err = io.ReadAll(io.LimitReader(from, int64(limit)+1))
	if err != nil {
		if bare { // any bytes may look like the beginning of it
			return nil, nil
		}
		err = fmt.Errorf("decompressing: %w", err)
	}
	if len(plain) == 0 {
		return nil, err
	}
	return plain, err
}
