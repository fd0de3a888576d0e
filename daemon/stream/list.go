package stream

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

const (
	// ticketTime is how long the URLs of a playlist are good.
	ticketTime = 24 * time.Hour
	// entriesMax is how many files a playlist has at most.
	entriesMax = 10_000
)

// An entry is a file in a playlist.
type entry struct {
	index int
	path  string // below the folder of the torrent, with slashes
	name  string
}

// list sends a playlist: of one file (index=N), or of all files that players play in a folder
// (path=FOLDER, with slashes, below that of the torrent; without it, in all of the torrent).
func (h *Handler) list(w http.ResponseWriter, r *http.Request, path Path) error {
	t, err := h.torrent(path)
	if err != nil {
		return err
	}
	l, err := t.Layout(r.Context())
	if err != nil {
		return err
	}
	query := r.URL.Query()
	name, top := l.Name, FilesPath+t.Hash().String()
	var entries []entry
	if query.Has("index") {
		i, ok := parseIndex(query.Get("index"))
		if !ok || i >= len(l.Files) || !hasContent(&l.Files[i]) {
			return problemf(http.StatusNotFound, "the torrent has no file %q", query.Get("index"))
		}
		name, top = nameOf(l, i), folderOf(t.Hash(), i)
		entries = []entry{{index: i, name: name}}
	} else {
		folder := strings.Trim(query.Get("path"), "/")
		entries = playable(l, folder)
		if len(entries) == 0 {
			return problemf(http.StatusNotFound, "there is nothing to play in %q", folder)
		}
		if folder != "" {
			name = folder[strings.LastIndexByte(folder, '/')+1:]
		}
	}
	base := baseOf(r) + FilesPath + t.Hash().String() + "/"
	suffix := h.ticketFor(r.Context(), top)
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXTENC:UTF-8\n")
	for _, e := range entries {
		title := cleanName(e.name)
		fmt.Fprintf(&b, "#EXTINF:-1,%s\n%s%d/%s%s\n", title, base, e.index, url.PathEscape(title),
			suffix)
	}
	head := w.Header()
	head.Set("Content-Type", "audio/x-mpegurl")
	head.Set("Content-Disposition", disposition(name+".m3u", false))
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(b.String())) // if the other side has gone, nobody misses it
	}
	return nil
}

// playable returns the files of a folder that players play, in natural order. The names of
// folders are those of the torrent, with or without its own at the top. The empty folder is all.
func playable(l *metainfo.Layout, folder string) (entries []entry) {
	if rest, ok := strings.CutPrefix(folder+"/", l.Name+"/"); ok && l.Multi {
		folder = strings.TrimSuffix(rest, "/")
	}
	for i := range l.Files {
		path := strings.Join(l.Files[i].Path, "/")
		name := nameOf(l, i)
		if !hasContent(&l.Files[i]) || !kindOf(name).play {
			continue
		}
		if folder == "" || path == folder || strings.HasPrefix(path, folder+"/") {
			entries = append(entries, entry{i, path, name})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return compareNatural(a.path, b.path) })
	return entries[:min(len(entries), entriesMax)]
}

// baseOf returns the URL of the server as the other side knows it.
func baseOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	host := url.URL{Scheme: scheme, Host: r.Host}
	return host.String()
}

// ticketFor returns what is appended to URLs of a path and below it so that a player without a
// login may fetch them; nothing if nobody needs a login.
func (h *Handler) ticketFor(ctx context.Context, top string) string {
	if !h.cfg.Gate.NeedsLogin() {
		return ""
	}
	ticket := h.cfg.Gate.Ticket(control.From(ctx), top, time.Now().Add(ticketTime))
	if ticket == "" {
		return ""
	}
	return "?" + control.TicketParameter + "=" + url.QueryEscape(ticket)
}
