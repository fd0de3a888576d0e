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

// ErrTooLong is the error of a body that is longer than the caller allows.
var ErrTooLong = errors.New("the answer is too long")

// Compressed is the header of a request whose answer ReadBody reads. Without this header
// the library would decompress by itself, but only the one encoding that it announces.
func Compressed() http.Header { return http.Header{"Accept-Encoding": {"gzip"}} }

const (
	// wholeGrace is how long a server may pause once the body is a whole document. Some
	// servers announce more bytes than they send.
	wholeGrace = time.Second
	// layersMax bounds how often a body is decompressed. Some servers compress what the
	// program behind them has compressed already.
	layersMax = 2
	// readBytes is how much of a body is read at a time.
	readBytes = 32 << 10
)

// A BodyReader reads the bodies of answers that are documents. It keeps what came of a
// body that breaks off.
type BodyReader struct {
	// Max bounds the body, before and after decompression, in bytes.
	Max int
	// Whole reports whether the body so far is a whole document. It is called when the
	// server has paused for a second. If it returns true, GiveUp is called, which ends the
	// request. Both are called from another goroutine, and both may be nil.
	Whole  func(body []byte) bool
	GiveUp func()
}

// Read returns the decompressed body of an answer to a request with the header Compressed.
// It understands gzip and deflate under any of their names, with or without the zlib
// header, and gzip that the server did not announce. The error says that the body was cut
// off, longer than announced, or damaged. The part that came is returned even then, and
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

// onPause gives up if nothing comes for a while after a whole body. Until the timer is
// stopped, the caller may write only to the bytes behind body.
func (r *BodyReader) onPause(body []byte) *time.Timer {
	return time.AfterFunc(wholeGrace, func() {
		if r.Whole != nil && r.GiveUp != nil && r.Whole(body) {
			r.GiveUp()
		}
	})
}

var gzipMagic = []byte{0x1f, 0x8b}

// inflate undoes one compression of body, up to one byte more than limit. It returns nil
// for a body that is not compressed, whatever its encoding is said to be. With an error it
// returns what there was before the damage.
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
