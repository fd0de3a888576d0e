package control

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// bodyChunk is the memory that is taken for a body at one time, while more of it comes.
	bodyChunk = 64 << 10
	// bodiesReserve is how many bytes of bodies are taken even while memory is short: a daemon
	// whose torrents take all memory must still be told to stop some.
	bodiesReserve = 1 << 20
	// bodyTime bounds the time for a body, besides a second for each bodyPace bytes: what
	// slower links need for a large file.
	bodyTime = 30 * time.Second
	bodyPace = 64 << 10
)

// ReadBody returns the body of a request, of at most max bytes. The caller calls release once
// the body is not used any more: the bodies of all requests together are bounded. The error
// is a *Refusal.
func (g *Gate) ReadBody(w http.ResponseWriter, r *http.Request, max int64) (
	body []byte, release func(), err error) {
	tooLong := refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", max)
	if r.ContentLength > max {
		w.Header().Set("Connection", "close") // instead of reading the rest
		return nil, func() {}, tooLong
	}
	control := http.NewResponseController(w)
	// Without a deadline of its own the connection keeps that of the server.
	_ = control.SetReadDeadline(time.Now().Add(bodyTime + time.Duration(max/bodyPace)*time.Second))
	var taken int64
	release = func() { g.bodies.Add(-taken) }
	src := http.MaxBytesReader(w, r.Body, max)
	var buf bytes.Buffer
	chunk := int64(bodyChunk)
	if n := r.ContentLength; n >= 0 {
		chunk = min(chunk, n+bytes.MinRead)
	}
	for {
		if !g.takeBody(chunk) {
			release()
			return nil, func() {}, noMemory()
		}
		taken += chunk
		_, err := io.CopyN(&buf, src, chunk)
		switch _, long := errors.AsType[*http.MaxBytesError](err); {
		case err == nil:
		case errors.Is(err, io.EOF):
			_ = control.SetWriteDeadline(time.Now().Add(writeTime))
			bodyIsRead(w)
			return buf.Bytes(), release, nil
		case long:
			release()
			w.Header().Set("Connection", "close")
			return nil, func() {}, tooLong
		default:
			release()
			return nil, func() {}, refuse(http.StatusBadRequest, "the body was cut off")
		}
	}
}

// bodyIsRead takes the deadline for reading away: at its end, the request of a handler that is
// still at work would end as if its sender had gone.
func bodyIsRead(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// takeBody takes n bytes for a body, and reports whether there was room.
func (g *Gate) takeBody(n int64) bool {
	all := g.bodies.Add(n)
	if all <= bodiesReserve {
		return true
	}
	if all > bodiesMax || !g.memory.Spare(2*n) { // a buffer grows by doubling
		g.bodies.Add(-n)
		return false
	}
	return true
}
