package transmission

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"

	"swarmnode/daemon"
)

// facts are what the metainfo of a torrent says in a few words. They do not change.
type facts struct {
	comment, creator string
	created          time.Time
	mime             string // of most of the content
}

// noFacts are those of a torrent whose metadata is not known.
var noFacts = &facts{mime: mimeUnknown}

// factBytesMax bounds a comment and the name of a program that are kept.
const factBytesMax = 4096

// A factBook keeps the facts of torrents, so that a client that lists all torrents does not
// read the metainfo of each again and again. It is safe for concurrent use.
type factBook struct {
	mu   sync.Mutex
	kept map[daemon.ID]*facts
}

// of returns the facts of a torrent.
func (b *factBook) of(ctx context.Context, t *daemon.Torrent) *facts {
	b.mu.Lock()
	known := b.kept[t.ID()]
	b.mu.Unlock()
	if known != nil {
		return known
	}
	torrent, err := t.Metainfo(ctx)
	if err != nil {
		return noFacts
	}
	layout := torrent.Info().Layout()
	types := make(map[string]int64)
	for i := range layout.Files {
		if file := &layout.Files[i]; !file.Pad {
			types[mimeOf(layout.FilePath(i))] += file.Length
		}
	}
	known = &facts{comment: cut(torrent.Comment), creator: cut(torrent.Creator),
		created: torrent.Created, mime: mimeUnknown}
	for mime, size := range types {
		if most := types[known.mime]; size > most || size == most && mime < known.mime {
			known.mime = mime
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil {
		b.kept = make(map[daemon.ID]*facts)
	}
	b.kept[t.ID()] = known
	return known
}

// forget drops the facts of torrents that are gone.
func (b *factBook) forget(gone []daemon.ID) {
	if len(gone) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range gone {
		delete(b.kept, id)
	}
}

// cut returns the beginning of a text.
func cut(s string) string {
	if len(s) > factBytesMax {
		s = s[:factBytesMax]
	}
	return strings.ToValidUTF8(strings.Clone(s), "\ufffd")
}

const mimeUnknown = "application/octet-stream"

// mimeTypes are the types of content that people share, by the ends of their names. Those of
// the system differ from machine to machine.
var mimeTypes = map[string]string{
	".aac": "audio/aac", ".avi": "video/x-msvideo", ".bz2": "application/x-bzip2",
	".deb": "application/vnd.debian.binary-package", ".djvu": "image/vnd.djvu",
	".doc": "application/msword", ".epub": "application/epub+zip", ".flac": "audio/flac",
	".flv": "video/x-flv", ".gif": "image/gif", ".gz": "application/gzip", ".htm": "text/html",
	".html": "text/html", ".iso": "application/x-iso9660-image", ".jpeg": "image/jpeg",
	".jpg": "image/jpeg", ".json": "application/json", ".m4a": "audio/mp4", ".m4v": "video/mp4",
	".mkv": "video/x-matroska", ".mobi": "application/x-mobipocket-ebook",
	".mov": "video/quicktime", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".mpeg": "video/mpeg",
	".mpg": "video/mpeg", ".nfo": "text/plain", ".odt": "application/vnd.oasis.opendocument.text",
	".ogg": "audio/ogg", ".ogv": "video/ogg", ".opus": "audio/opus", ".pdf": "application/pdf",
	".png": "image/png", ".rar": "application/vnd.rar", ".rpm": "application/x-rpm",
	".srt": "application/x-subrip", ".svg": "image/svg+xml", ".tar": "application/x-tar",
	".tif": "image/tiff", ".tiff": "image/tiff", ".ts": "video/mp2t", ".txt": "text/plain",
	".wav": "audio/wav", ".webm": "video/webm", ".webp": "image/webp", ".wma": "audio/x-ms-wma",
	".wmv": "video/x-ms-wmv", ".xz": "application/x-xz", ".zip": "application/zip",
	".zst": "application/zstd", ".7z": "application/x-7z-compressed",
}

// mimeOf returns the type of a file by its name.
func mimeOf(name string) string {
	if known := mimeTypes[strings.ToLower(path.Ext(name))]; known != "" {
		return known
	}
	return mimeUnknown
}

// metainfoFields are what the metainfo of a torrent says.
var metainfoFields = []field{
	f("comment", "comment", needFacts, func(w *writer, v *view) { w.text(v.facts.comment) }),
	f("creator", "creator", needFacts, func(w *writer, v *view) { w.text(v.facts.creator) }),
	f("dateCreated", "date_created", needFacts, func(w *writer, v *view) {
		w.time(v.facts.created)
	}),
	f("primary-mime-type", "primary_mime_type", needFacts, func(w *writer, v *view) {
		w.text(v.facts.mime)
	}),
	f("magnetLink", "magnet_link", 0, func(w *writer, v *view) {
		w.text(v.t.Magnet().String())
	}),
	f("torrentFile", "torrent_file", 0, func(w *writer, v *view) {
		if !v.state.HaveInfo {
			w.text("")
			return
		}
		w.text(v.h.metainfoFile(v.t.Hash()))
	}),
}
