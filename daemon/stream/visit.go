package stream

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

const (
	// metadataMax is how long a visit waits for the metadata of its link, and visitorsMax how many
	// visits wait at one time.
	metadataMax = 2 * time.Minute
	visitorsMax = 16
)

// largest returns the largest file that players play, or the largest of all if there is none of
// these. ok is false if the torrent has no file with content.
func largest(l *metainfo.Layout) (index int, ok bool) {
	best, plays := int64(-1), false
	for i := range l.Files {
		f := &l.Files[i]
		if !hasContent(f) {
			continue
		}
		play := kindOf(nameOf(l, i)).play
		if play && !plays || play == plays && f.Length > best {
			index, best, plays, ok = i, f.Length, play, true
		}
	}
	return index, ok
}

// chosen returns the file that a visit means: that with a number, that with a path, or the
// largest one.
func chosen(l *metainfo.Layout, query url.Values) (int, error) {
	switch {
	case query.Has("index"):
		i, ok := parseIndex(query.Get("index"))
		if ok && i < len(l.Files) && hasContent(&l.Files[i]) {
			return i, nil
		}
		return 0, problemf(http.StatusNotFound, "the torrent has no file %q", query.Get("index"))
	case query.Has("path"):
		want := strings.Trim(query.Get("path"), "/")
		for i := range l.Files {
			path := strings.Join(l.Files[i].Path, "/")
			if hasContent(&l.Files[i]) && (path == want || l.Name+"/"+path == want ||
				!l.Multi && l.Name == want) {
				return i, nil
			}
		}
		return 0, problemf(http.StatusNotFound, "the torrent has no file %q", want)
	}
	i, ok := largest(l)
	if !ok {
		return 0, problemf(http.StatusNotFound, "the torrent has no file with content")
	}
	return i, nil
}

// visit waits for the metadata of a magnet link, and sends the other side on to its file.
func (h *Handler) visit(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := h.cfg.Gate.CheckSame(r); err != nil { // it starts something
		return err
	}
	m, err := metainfo.ParseMagnet(query.Get("magnet"))
	if err != nil {
		return problemf(http.StatusUnprocessableEntity, "magnet: %v", err)
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Allow", "GET")
		return problemf(http.StatusMethodNotAllowed, "only GET starts something")
	}
	select {
	case h.visits <- struct{}{}:
		defer func() { <-h.visits }()
	default:
		return busy("%d links wait for their metadata already", visitorsMax)
	}
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetWriteDeadline(time.Now().Add(metadataMax + time.Minute))
	ctx, cancel := context.WithTimeout(r.Context(), metadataMax)
	defer cancel()
	t, err := h.cfg.Daemon.Visit(ctx, m)
	if err != nil {
		return err
	}
	if why, rests := t.Resting(); rests && !t.State().HaveInfo {
		return problemf(http.StatusConflict, "the metadata is not known, and %s", why)
	}
	l, err := awaitLayout(ctx, t)
	if ctx.Err() != nil {
		return problemf(http.StatusGatewayTimeout,
			"no metadata came within %v: nobody who has the torrent was found", metadataMax)
	}
	if err != nil {
		return err
	}
	i, err := chosen(l, query)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", pathOf(t.Hash(), i, nameOf(l, i))+
		h.ticketFor(r.Context(), folderOf(t.Hash(), i)))
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// awaitLayout waits until the metadata of a torrent is known.
func awaitLayout(ctx context.Context, t *daemon.Torrent) (*metainfo.Layout, error) {
	if err := t.AwaitInfo(ctx); err != nil {
		return nil, err
	}
	return t.Layout(ctx)
}
