package stream

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"sync"
	"time"

	"swarmnode/swarm"
)

// chunkBytes is how much is read and sent at once. It is what a viewer costs of memory, besides
// its connection.
const chunkBytes = 64 << 10

// chunks are the buffers of viewers that have gone.
var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// A body sends content to a viewer.
type body struct {
	w      http.ResponseWriter
	flush  func() error
	viewer *viewer
	far    bool // the viewer is not on this machine
	reader *swarm.Reader
	file   *target
	chunk  *[chunkBytes]byte
}

// send sends the answer that a plan describes. The header goes before the first byte is there, so
// that players see how long the file is.
func (b *body) send(ctx context.Context, p plan) error {
	b.chunk = chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(b.chunk)
	head := b.w.Header()
	switch {
	case p.status == http.StatusOK:
		p.spans = []span{{0, b.file.size}}
	case len(p.spans) > 1:
		return b.sendParts(ctx, p)
	default:
		head.Set("Content-Range", p.spans[0].contentRange(b.file.size))
	}
	head.Set("Content-Length", strconv.FormatInt(p.spans[0].length(), 10))
	b.w.WriteHeader(p.status)
	if err := b.flush(); err != nil {
		return err
	}
	return b.copy(ctx, b.w, p.spans[0])
}

// sendParts sends several ranges (RFC 9110, section 14.6).
func (b *body) sendParts(ctx context.Context, p plan) error {
	parts := multipart.NewWriter(b.w)
	size := new(counter)
	sizes := multipart.NewWriter(size)
	if err := sizes.SetBoundary(parts.Boundary()); err != nil {
		return err
	}
	for _, s := range p.spans {
		if _, err := sizes.CreatePart(b.partHead(s)); err != nil {
			return err
		}
		*size += counter(s.length())
	}
	if err := sizes.Close(); err != nil {
		return err
	}
	head := b.w.Header()
	head.Set("Content-Type", "multipart/byteranges; boundary="+parts.Boundary())
	head.Set("Content-Length", strconv.FormatInt(int64(*size), 10))
	b.w.WriteHeader(p.status)
	for _, s := range p.spans {
		to, err := parts.CreatePart(b.partHead(s))
		if err != nil {
			return err
		}
		if err := b.copy(ctx, to, s); err != nil {
			return err
		}
	}
	return parts.Close()
}

// partHead returns the header of a part.
func (b *body) partHead(s span) textproto.MIMEHeader {
	return textproto.MIMEHeader{"Content-Range": {s.contentRange(b.file.size)},
		"Content-Type": {b.file.kind.media}}
}

// copy sends a span, each part of it as soon as it is there.
func (b *body) copy(ctx context.Context, to io.Writer, s span) error {
	if _, err := b.reader.Seek(s.from, io.SeekStart); err != nil {
		return err
	}
	for left := s.length(); left > 0; {
		b.viewer.now(waiting, time.Now())
		n, err := b.reader.Read(b.chunk[:min(left, chunkBytes)])
		if err != nil {
			return fmt.Errorf("reading byte %d: %w", s.end-left, err)
		}
		if err := b.pass(ctx, to, b.chunk[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// pass sends a chunk on. What goes to other machines counts for the limit of uploads.
func (b *body) pass(ctx context.Context, to io.Writer, chunk []byte) error {
	for len(chunk) > 0 {
		n := len(chunk)
		if b.far {
			b.viewer.now(waiting, time.Now())
			var err error
			if n, err = b.reader.WaitUp(ctx, n); err != nil {
				return err
			}
		}
		b.viewer.now(sending, time.Now())
		if _, err := to.Write(chunk[:n]); err != nil {
			return err
		}
		// A part of it would otherwise stay in a buffer while the next piece is waited for.
		if err := b.flush(); err != nil {
			return err
		}
		chunk = chunk[n:]
	}
	return nil
}

// A counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
