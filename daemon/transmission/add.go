package transmission

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/metainfo"
	"swarmnode/metainfo/weburl"
	"swarmnode/swarm"
)

// cookiesMax bounds the cookies for a URL, in bytes.
const cookiesMax = 8 << 10

// torrentAdd adds a torrent: the content of a .torrent file, a magnet link, a URL, or the path
// of a file.
func torrentAdd(c *call) error {
	filename, metainfoText := c.params.text("filename"), c.params.get("metainfo")
	if filename == "" && (metainfoText.missing() || string(metainfoText) == `""`) {
		return invalid("no filename or metainfo specified")
	}
	spec := daemon.AddSpec{Source: "rpc"}
	if err := c.addOptions(&spec.Options); err != nil {
		return err
	}
	files, err := c.fileEdits()
	if err != nil {
		return err
	}
	if err := c.source(&spec, filename, metainfoText); err != nil {
		return err
	}
	if err := chooseNewFiles(&spec, files); err != nil {
		return err
	}
	t, err := c.h.daemon.Add(c.ctx, spec)
	if there, ok := errors.AsType[*daemon.ExistsError](err); ok {
		c.added(names{"torrent-duplicate", "torrent_duplicate"}, there.Torrent)
		return nil
	}
	if err != nil {
		return err
	}
	c.added(names{"torrent-added", "torrent_added"}, t)
	return nil
}

// added answers with a torrent that is there now.
func (c *call) added(as names, t *daemon.Torrent) {
	w := c.out
	w.key(as[w.d])
	w.open('{')
	w.name("hashString", "hash_string")
	w.text(t.Hash().String())
	w.key("id")
	w.int(int64(t.ID()))
	w.key("name")
	w.text(t.State().Name)
	w.shut('}')
}

// addOptions reads the options of a new torrent.
func (c *call) addOptions(o *daemon.Options) error {
	settings := c.h.daemon.Settings()
	o.Stopped = settings.AddPaused
	o.Sequential = settings.Notes[notePrefix+"sequential_download"] == "true"
	e, err := c.editOptions()
	if err != nil {
		return err
	}
	e.apply(o)
	if paused, ok := c.params.get("paused").truth(); ok {
		o.Stopped = paused
	}
	if dir := c.params.text("download-dir", "download_dir"); dir != "" {
		o.Dir, err = c.folder(dir, "download directory path is not absolute")
		if _, denied := errors.AsType[*daemon.PathError](err); denied {
			o.Dir, err = dir, nil // Daemon.Add refuses it, unless the torrent is there
		}
	}
	return err
}

// source finds what to add.
func (c *call) source(spec *daemon.AddSpec, filename string, content value) (err error) {
	switch scheme := weburl.Scheme(filename); {
	case filename == "":
		spec.Torrent, err = parseBase64(content)
	case scheme == "magnet":
		if spec.Magnet, err = metainfo.ParseMagnet(filename); err != nil {
			err = corrupt(err)
		}
	case scheme == "http", scheme == "https":
		err = c.download(spec, filename)
	case isHash(filename):
		spec.Magnet, err = metainfo.ParseMagnet("magnet:?xt=urn:btih:" + filename)
	default:
		spec.Torrent, err = c.open(strings.TrimPrefix(filename, "file://"))
	}
	return err
}

// isHash reports whether s is an info-hash.
func isHash(s string) bool {
	_, err := metainfo.ParseHash(s)
	return err == nil
}

// corrupt returns the fault for what is no torrent. Its text is what programs compare, without
// the reason.
func corrupt(err error) error {
	if errors.Is(err, swarm.ErrMemory) {
		return err
	}
	return &fault{code: codeCorrupt, text: codeCorrupt.message()}
}

// parseBase64 reads the content of a .torrent file.
func parseBase64(content value) (*metainfo.Torrent, error) {
	text, ok := content.text()
	if !ok {
		return nil, corrupt(nil)
	}
	doc, err := base64.StdEncoding.DecodeString(text) // which skips line breaks
	if err != nil {
		if doc, err = base64.RawStdEncoding.DecodeString(text); err != nil {
			return nil, corrupt(err)
		}
	}
	return parseTorrent(doc)
}

func parseTorrent(doc []byte) (*metainfo.Torrent, error) {
	if len(doc) > metainfo.TorrentBytesMax {
		return nil, corrupt(nil)
	}
	if !swarm.MemorySpare(metainfo.ParseCost(doc)) {
		return nil, swarm.ErrMemory
	}
	t, err := metainfo.ParseTorrent(doc)
	if err != nil {
		return nil, corrupt(err)
	}
	return t, nil
}

// open reads a .torrent file of this machine, which the client may read.
func (c *call) open(path string) (*metainfo.Torrent, error) {
	if !filepath.IsAbs(path) {
		return nil, corrupt(nil)
	}
	if err := c.allowed(filepath.Dir(path)); err != nil {
		return nil, err
	}
	// What a client may not read looks like what is not there.
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, corrupt(err)
	}
	if err := c.allowed(filepath.Dir(real)); err != nil {
		return nil, err
	}
	info, err := os.Lstat(real)
	if err != nil || !info.Mode().IsRegular() {
		return nil, corrupt(err)
	}
	f, err := os.Open(real)
	if err != nil {
		return nil, corrupt(err)
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, metainfo.TorrentBytesMax+1))
	if err != nil {
		return nil, corrupt(err)
	}
	return parseTorrent(doc)
}

// download fetches what is at a URL.
func (c *call) download(spec *daemon.AddSpec, url string) error {
	cookies := c.params.text("cookies")
	if len(cookies) > cookiesMax || strings.ContainsAny(cookies, "\r\n\x00") {
		return invalid("the cookies are too long, or not on one line")
	}
	found, err := c.h.cfg.Node.Network.DownloadWith(c.ctx, url, swarmnode.DownloadOptions{
		Cookies: cookies})
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, swarm.ErrMemory):
		return err
	case err != nil:
		return &fault{code: codeHTTP, text: "cannot fetch the torrent: " + err.Error()}
	}
	spec.Torrent, spec.Magnet = found.Torrent, found.Magnet
	return nil
}

// chooseNewFiles applies edits of files to a new torrent. Without metadata there are none to
// choose from.
func chooseNewFiles(spec *daemon.AddSpec, edits fileEdits) error {
	if len(edits) == 0 || spec.Torrent == nil {
		return nil
	}
	n := len(spec.Torrent.Info().Layout().Files)
	choice := newFileChoice(n, nil, "")
	if err := choice.apply(edits); err != nil {
		return err
	}
	files, note := choice.result()
	spec.Options.Files = files
	setNote(&spec.Options.Notes, rankNote, note)
	return nil
}
