package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"swarmnode/daemon/control"
)

// embedded holds the page, below the folder page.
//
//go:embed page/index.html page/*.css page/*.svg page/*.webmanifest page/js/*.js
var embedded embed.FS

// WeightMax bounds the sum of all files of the page, in bytes as they travel: compressed.
const WeightMax = 150 << 10

// policy is what the browser allows the page to do: it loads from its own origin alone, runs no
// script that stands in markup, and turns no text into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; media-src 'self'; manifest-src 'self'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types 'none'"

// permissions refuses the page what it never asks for. It writes to the clipboard when asked to.
const permissions = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), " +
	"hid=(), midi=(), display-capture=(), clipboard-read=()"

// types are the content types by the extensions of the files of the page.
var types = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".webmanifest": "application/manifest+json",
}

// An asset is one file of the page. It never changes.
type asset struct {
	media      string
	plain      []byte
	compressed []byte // nil if it would not be smaller
	tag        string // of plain, with its quotation marks
	packedTag  string // of compressed
}

// pages makes the assets by their paths once for the process.
var pages = sync.OnceValue(func() map[string]*asset {
	root, err := fs.Sub(embedded, "page")
	if err != nil {
		panic(err) // the name above is no valid path
	}
	return load(root)
})

// Handler returns the handler of the page, which serves GET and HEAD below the root.
func Handler() http.Handler { return handler(pages()) }

// load reads and compresses all files of a file system that lies in memory.
func load(root fs.FS) handler {
	assets := handler{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		assets["/"+name] = newAsset(types[path.Ext(name)], content)
		return nil
	})
	if err != nil {
		panic("reading the embedded page: " + err.Error())
	}
	if index := assets["/index.html"]; index != nil {
		assets["/"] = index
	}
	return assets
}

// newAsset returns an asset with its compressed form, if that is smaller.
func newAsset(media string, content []byte) *asset {
	hash := sha256.Sum256(content)
	tag := base64.RawURLEncoding.EncodeToString(hash[:12])
	a := &asset{media: media, plain: content, tag: `"` + tag + `"`, packedTag: `"` + tag + `-gz"`}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil && packed.Len() < len(content) {
		a.compressed = packed.Bytes()
	}
	return a
}

// A handler serves assets by their paths.
type handler map[string]*asset

// ServeHTTP answers with the file of the path, or that there is none.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", permissions)
	header.Set("Cache-Control", "no-cache")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "the page answers GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	a := h[r.URL.Path]
	if a == nil {
		http.Error(w, "there is no such page; the one that there is lies at /", http.StatusNotFound)
		return
	}
	a.serve(w, r)
}

// serve answers with the asset, compressed if the browser accepts that, or says that the
// browser's copy is still good.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", a.media)
	header.Set("Vary", "Accept-Encoding")
	content, tag := a.plain, a.tag
	if a.compressed != nil && control.TakesGzip(r.Header) {
		content, tag = a.compressed, a.packedTag
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", tag)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	// The files are small: a part of one is never served.
	whole := r.WithContext(r.Context())
	whole.Header = http.Header{}
	if match := r.Header.Values("If-None-Match"); len(match) > 0 {
		whole.Header.Set("If-None-Match", strings.Join(match, ","))
	}
	http.ServeContent(w, whole, "", time.Time{}, bytes.NewReader(content))
}
