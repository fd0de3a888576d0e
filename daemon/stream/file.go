package stream

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

// openMax is how long a request waits until the content on disk is known, which may have to be
// hashed before.
const openMax = 30 * time.Second

// A target is a file that a request asks for.
type target struct {
	torrent *daemon.Torrent
	index   int
	name    string
	size    int64
	kind    kind
	tag     string // its ETag
}

// target returns the file of a path.
func (h *Handler) target(ctx context.Context, path Path) (*target, error) {
	t, err := h.torrent(path)
	if err != nil {
		return nil, err
	}
	l, err := t.Layout(ctx)
	if err != nil {
		return nil, err
	}
	if path.Index >= len(l.Files) || !hasContent(&l.Files[path.Index]) {
		return nil, problemf(http.StatusNotFound, "the torrent has no file %d", path.Index)
	}
	name := nameOf(l, path.Index)
	return &target{torrent: t, index: path.Index, name: name, size: l.Files[path.Index].Length,
		kind: kindOf(name), tag: fmt.Sprintf(`"%v-%d"`, t.Hash(), path.Index)}, nil
}

// hasContent reports whether a file of a layout is one for users.
func hasContent(f *metainfo.File) bool { return !f.Pad && f.Link == nil }

// nameOf returns the name of file i without its folder.
func nameOf(l *metainfo.Layout, i int) string {
	if path := l.Files[i].Path; len(path) > 0 {
		return path[len(path)-1]
	}
	return l.Name
}

// file serves a file.
func (h *Handler) file(w http.ResponseWriter, r *http.Request, path Path) error {
	f, err := h.target(r.Context(), path)
	if err != nil {
		return err
	}
	head := w.Header()
	head.Set("Accept-Ranges", "bytes")
	p := planFor(r.Method, r.Header, f.tag, f.size)
	switch p.status {
	case http.StatusPreconditionFailed:
		return problemf(p.status, "the file has another ETag: %s", f.tag)
	case http.StatusRequestedRangeNotSatisfiable:
		head.Set("Content-Range", "bytes */"+strconv.FormatInt(f.size, 10))
		return problemf(p.status, "the file has %d bytes, and at most %d ranges are sent at once",
			f.size, spansMax)
	}
	head.Set("ETag", f.tag)
	head.Set("Cache-Control", "private, no-cache") // logins come and go
	if p.status == http.StatusNotModified {
		w.WriteHeader(p.status)
		return nil
	}
	save := r.URL.Query().Has("download") && r.URL.Query().Get("download") != "0"
	head.Set("Content-Disposition", disposition(f.name, f.kind.show && !save))
	head.Set("Content-Type", f.kind.media)
	if f.kind.play {
		head.Set("Content-Security-Policy", playPolicy)
	}
	if r.Method == http.MethodHead || f.size == 0 {
		head.Set("Content-Length", strconv.FormatInt(f.size, 10))
		w.WriteHeader(p.status)
		return nil
	}
	return h.view(w, r, f, p)
}

// view sends content of a file to a viewer.
func (h *Handler) view(w http.ResponseWriter, r *http.Request, f *target, p plan) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	deadlines := http.NewResponseController(w)
	v := &viewer{stand: &h.stand, who: control.From(ctx), torrent: f.torrent, cancel: cancel,
		cut: func() { _ = deadlines.SetWriteDeadline(time.Now()) }}
	v.login = v.who.Name
	if from := control.RemoteAddr(r); from.IsValid() {
		v.from = from.String()
	}
	if !swarm.MemorySpare(chunkBytes) {
		return busy("memory limit reached")
	}
	if !h.stand.enter(v, time.Now()) {
		return busy("too many viewers: %d at once, %d of one login or address", viewersMax,
			viewersEach)
	}
	defer h.stand.leave(v)
	reader, err := openReader(ctx, f)
	if err != nil {
		return err
	}
	defer reader.Close()
	if p, err = present(f, reader, p); err != nil {
		return err
	}
	// The stand watches how long a write takes.
	if err := deadlines.SetWriteDeadline(time.Time{}); err != nil {
		h.log.Debug("a viewer has a deadline", "err", err)
	}
	b := &body{w: w, flush: deadlines.Flush, viewer: v, reader: reader, file: f,
		far: isFar(r)}
	if err := b.send(ctx, p); err != nil {
		why := context.Cause(ctx)
		if why == nil {
			why = err
		}
		h.log.Debug("a viewer was cut off", "torrent", f.torrent.Hash().Short(), "file", f.index,
			"err", why)
		panic(http.ErrAbortHandler) // so that nobody takes what was sent for all
	}
	return nil
}

// forwarded are the headers of requests that another program passes on.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "Via"}

// isFar reports whether a request may come from another machine: by its address, or because a
// program such as a proxy has passed it on.
func isFar(r *http.Request) bool {
	for _, name := range forwarded {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	from := control.RemoteAddr(r)
	return from.IsValid() && !from.IsLoopback()
}

// openReader opens a reader of a file, once the content on disk is known.
func openReader(ctx context.Context, f *target) (*swarm.Reader, error) {
	wait, cancel := context.WithCancelCause(ctx)
	late := busy("the content is still being checked")
	timer := time.AfterFunc(openMax, func() { cancel(late) })
	reader, err := f.torrent.Reader(wait, f.index)
	if err == nil && !timer.Stop() {
		reader.Close()
		err = late
	}
	if err != nil {
		cancel(err)
	}
	return reader, err
}

// present makes of a plan one that needs no content that does not come, because the torrent
// rests: of a single range, the part that is there (RFC 9110, section 15.3.7).
func present(f *target, reader *swarm.Reader, p plan) (plan, error) {
	why, rests := f.torrent.Resting()
	if !rests {
		return p, nil
	}
	missing := problemf(http.StatusConflict, "this part of the file is not there, and %s", why)
	spans := p.spans
	if p.status == http.StatusOK {
		spans = []span{{0, f.size}}
	}
	for i := range spans {
		s := &spans[i]
		ready := reader.Ready(s.from)
		switch {
		case ready >= s.length():
		case ready == 0 || len(spans) > 1 || p.status == http.StatusOK:
			return p, missing
		default:
			s.end = s.from + ready
		}
	}
	return p, nil
}
