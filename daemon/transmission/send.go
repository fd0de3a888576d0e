package transmission

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"sync"
	"time"

	"swarmnode/daemon/control"
)

// gzipMin is how many bytes an answer has at least that is compressed.
const gzipMin = 1024

// zippers keeps the large tables of compression.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return z
}}

// A sender sends one answer, compressed if the client likes that.
type sender struct {
	w     http.ResponseWriter
	r     *http.Request
	began bool
	z     *gzip.Writer // nil if the answer is not compressed
}

// begin sends the headers of an answer that begins with p, which may be all of it.
func (s *sender) begin(p []byte, whole bool) {
	s.began = true
	header := s.w.Header()
	header.Set("Content-Type", "application/json; charset=UTF-8")
	header.Set("Cache-Control", "no-store")
	switch {
	case len(p) >= gzipMin && control.TakesGzip(s.r.Header):
		header.Set("Content-Encoding", "gzip")
		s.z = zippers.Get().(*gzip.Writer)
		s.z.Reset(s.w)
	case whole:
		header.Set("Content-Length", strconv.Itoa(len(p)))
	}
}

// part sends the first part of an answer, or the next one.
func (s *sender) part(p []byte) error {
	if !s.began {
		s.begin(p, false)
	}
	return s.write(p)
}

// last sends the whole answer, or the last part.
func (s *sender) last(p []byte) {
	if !s.began {
		s.begin(p, true)
	}
	err := s.write(p)
	if err == nil && s.z != nil {
		_ = s.z.Close() // the client may be gone
	}
	s.free()
}

func (s *sender) write(p []byte) (err error) {
	if s.z != nil {
		_, err = s.z.Write(p)
	} else {
		_, err = s.w.Write(p)
	}
	return err
}

// cut ends an answer before its end, so that the client does not take it for a whole one.
func (s *sender) cut() {
	s.free()
	// An error says that the connection is gone.
	_ = http.NewResponseController(s.w).SetWriteDeadline(time.Unix(1, 0))
}

// free gives back what the compression needs.
func (s *sender) free() {
	if s.z != nil {
		s.z.Reset(nil)
		zippers.Put(s.z)
		s.z = nil
	}
}
