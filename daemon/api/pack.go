package api

import (
	"compress/gzip"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"swarmnode/daemon/control"
	"swarmnode/swarm/limit"
)

const (
	// packersMax bounds the answers and feeds that are packed at one time.
	packersMax = 64
	// packerBytes is about what packing takes, in bytes.
	packerBytes = 1 << 20
	// packMin is the length, in bytes, from which an answer is packed.
	packMin = 4 << 10
)

// packers are writers of gzip. They are safe for concurrent use.
type packers struct {
	memory *limit.Memory
	out    atomic.Int64
	spare  sync.Pool
}

// get returns a writer, or nil if there are too many or memory is short.
func (p *packers) get() *gzip.Writer {
	if p.out.Add(1) > packersMax || !p.memory.Spare(packerBytes) {
		p.out.Add(-1)
		return nil
	}
	if w, ok := p.spare.Get().(*gzip.Writer); ok {
		return w
	}
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // somebody waits for it
	if err != nil {
		panic(err) // there is such a level
	}
	return w
}

// put gives a writer back.
func (p *packers) put(w *gzip.Writer) {
	w.Reset(io.Discard)
	p.spare.Put(w)
	p.out.Add(-1)
}

// packer returns a writer of gzip, or nil if the one who asks takes none, or none is left.
func (c *call) packer() *gzip.Writer {
	if !control.TakesGzip(c.r.Header) {
		return nil
	}
	return c.api.packers.get()
}

// packAnswer packs the answer to c, if the one who asks takes that and it is not short. What it
// returns ends the answer.
func (c *call) packAnswer() (end func()) {
	c.w.Header().Set("Vary", "Accept-Encoding")
	if !control.TakesGzip(c.r.Header) {
		return func() {}
	}
	p := &packed{ResponseWriter: c.w, packers: &c.api.packers}
	c.w = p
	return p.end
}

// packed is an http.ResponseWriter that packs an answer, unless it is short. One goroutine owns
// it.
type packed struct {
	http.ResponseWriter
	packers *packers
	status  int
	begun   bool   // the head is written
	held    []byte // the body before that
	pack    *gzip.Writer
}

// WriteHeader keeps the status until it is known whether the answer is long.
func (p *packed) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

// Write writes a part of the body.
func (p *packed) Write(b []byte) (int, error) {
	if !p.begun {
		if len(p.held)+len(b) < packMin {
			p.held = append(p.held, b...)
			return len(b), nil
		}
		if err := p.begin(p.packers.get()); err != nil {
			return 0, err
		}
	}
	if p.pack != nil {
		return p.pack.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

// begin writes the head, and what was held back. pack may be nil.
func (p *packed) begin(pack *gzip.Writer) error {
	p.begun = true
	if p.pack = pack; pack != nil {
		pack.Reset(p.ResponseWriter)
		p.Header().Set("Content-Encoding", "gzip")
	}
	if p.status != 0 {
		p.ResponseWriter.WriteHeader(p.status)
	}
	held := p.held
	p.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := p.Write(held)
	return err
}

// end ends the answer.
func (p *packed) end() {
	if !p.begun && (p.status != 0 || len(p.held) > 0) {
		_ = p.begin(nil) // the reader has gone
	}
	if p.pack != nil {
		_ = p.pack.Close() // likewise
		p.packers.put(p.pack)
		p.pack = nil
	}
}

// Unwrap returns what http.ResponseController works with.
func (p *packed) Unwrap() http.ResponseWriter { return p.ResponseWriter }
