package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"strings"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// optionsPartMax bounds the part of a form with the options, partsMax its parts.
	optionsPartMax = 64 << 10
	partsMax       = 4
	// peersMax bounds the peers of an Add, trackersMax its trackers.
	peersMax    = 100
	trackersMax = 1000
)

// add adds a torrent.
func (c *call) add() error {
	add, release, err := c.readAdd()
	if err != nil {
		return err
	}
	defer release()
	spec, err := c.spec(add)
	if err != nil {
		return err
	}
	t, err := c.api.daemon.Add(c.r.Context(), spec)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", Base+"/torrents/"+t.Hash().String())
	return c.answer(http.StatusCreated, Added{t.ID(), t.Hash().String(), t.State().Name})
}

// readAdd reads an Add from a body in one of its forms. The caller calls release once it needs
// the bytes of a file no more.
func (c *call) readAdd() (add *Add, release func(), err error) {
	kind, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind != torrentType && kind != "multipart/form-data" {
		add = new(Add)
		return add, func() {}, c.bodyUpTo(add, false, torrentBodyMax*4/3+bodyMax)
	}
	doc, release, err := c.api.cfg.Gate.ReadBody(c.w, c.r, torrentBodyMax+bodyMax)
	if err != nil {
		return nil, nil, err
	}
	add = new(Add)
	if kind == torrentType {
		add.Metainfo = doc
	} else {
		err = add.readForm(doc, params["boundary"])
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return add, release, nil
}

// readForm reads a form with the parts torrent and options.
func (add *Add) readForm(doc []byte, boundary string) error {
	form := multipart.NewReader(bytes.NewReader(doc), boundary)
	var file []byte
	for range partsMax {
		part, err := form.NextRawPart()
		if err == io.EOF { // a form that is cut off has an error that wraps it
			if add.Metainfo = file; file == nil && add.Source == "" && add.Metainfo == nil {
				return wrong("torrent", "the form has no part torrent")
			}
			return nil
		}
		if err != nil {
			return problemf(http.StatusBadRequest, "the form cannot be read: %v", err)
		}
		switch name := part.FormName(); name {
		case "torrent":
			if file != nil {
				return wrong(name, "a form adds one torrent")
			}
			if file, err = io.ReadAll(part); err != nil {
				return problemf(http.StatusBadRequest, "the form cannot be read: %v", err)
			}
		case "options":
			options, err := io.ReadAll(io.LimitReader(part, optionsPartMax+1))
			if err != nil || len(options) > optionsPartMax {
				return wrong(name, "the options are too long, or cut off")
			}
			if err := parse(options, add); err != nil {
				return err
			}
		default:
			return wrong(name, "a form has the parts torrent and options, and no %q", name)
		}
	}
	return problemf(http.StatusBadRequest, "the form has too many parts")
}

// spec returns what an Add adds.
func (c *call) spec(add *Add) (spec daemon.AddSpec, err error) {
	if (add.Source == "") == (add.Metainfo == nil) {
		return spec, wrong("source", "want either a source or a .torrent file")
	}
	if len(add.Peers) > peersMax {
		return spec, wrong("peers", "there are %d peers, at most %d", len(add.Peers), peersMax)
	}
	for _, peer := range add.Peers {
		if at, err := netip.ParseAddrPort(peer); err != nil || at.Port() == 0 {
			return spec, wrong("peers", "%q is not ADDRESS:PORT", peer)
		}
	}
	if add.Dir != "" {
		if err := c.mayUse(add.Dir); err != nil {
			return spec, err
		}
	}
	spec = daemon.AddSpec{Peers: add.Peers, Complete: add.Complete, Source: "control"}
	if err := c.source(add, &spec); err != nil {
		return spec, err
	}
	g, err := add.Options.goals()
	if err != nil {
		return spec, err
	}
	o := &spec.Options
	add.Options.apply(o, &g)
	o.Dir, o.Forced = add.Dir, add.Forced
	o.Stopped = c.api.daemon.Settings().AddPaused
	set(&o.Stopped, add.Stopped)
	if err := addTrackers(&spec, add.Trackers); err != nil {
		return spec, err
	}
	if len(add.Choose) > 0 && add.Files != nil {
		return spec, wrong("choose", "files and choose say the same: give one of them")
	}
	for _, text := range add.Choose {
		choice, err := metainfo.ParseFileChoice(text)
		if err != nil {
			return spec, wrong("choose", "%v", err)
		}
		spec.Choose = append(spec.Choose, choice)
	}
	return spec, wantFiles(&spec, add.Files)
}

// source finds out what a request adds.
func (c *call) source(add *Add, spec *daemon.AddSpec) (err error) {
	if add.Metainfo != nil {
		spec.Torrent, err = c.api.parseTorrent(add.Metainfo)
		return err
	}
	lower := strings.ToLower(add.Source)
	switch {
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"):
		found, err := c.api.cfg.Network.DownloadWith(c.r.Context(), add.Source,
			swarmnode.DownloadOptions{Cookies: add.Cookies})
		if err != nil {
			return err
		}
		spec.Torrent, spec.Magnet = found.Torrent, found.Magnet
		return nil
	case strings.HasPrefix(lower, "magnet:"):
		spec.Magnet, err = metainfo.ParseMagnet(add.Source)
	default:
		spec.Magnet, err = magnetOf(add.Source)
	}
	if err == nil && spec.Magnet.Hash() == (metainfo.Hash{}) {
		err = errors.New("the info-hash is all zeros")
	}
	if err != nil {
		return wrong("source", "%v", err)
	}
	return nil
}

// magnetOf returns the link of an info-hash.
func magnetOf(hash string) (metainfo.Magnet, error) {
	switch len(hash) {
	case 32, 40:
		return metainfo.ParseMagnet("magnet:?xt=urn:btih:" + hash)
	case 64: // BEP 52: a multihash of SHA-256
		return metainfo.ParseMagnet("magnet:?xt=urn:btmh:1220" + hash)
	}
	return metainfo.Magnet{}, errors.New("want a magnet link, a URL or an info-hash")
}

// parseTorrent parses a .torrent file, if there is memory for it.
func (a *API) parseTorrent(doc []byte) (*metainfo.Torrent, error) {
	a.adding.Lock()
	defer a.adding.Unlock()
	if !swarm.MemorySpare(metainfo.ParseCost(doc)) {
		return nil, swarm.ErrMemory
	}
	t, err := metainfo.ParseTorrent(doc)
	if err != nil {
		return nil, wrong("metainfo", "not a .torrent file: %v", err)
	}
	return t, nil
}

// addTrackers adds trackers to those of the torrent or link, each in a tier of its own.
func addTrackers(spec *daemon.AddSpec, urls []string) error {
	if len(urls) == 0 {
		return nil
	}
	if len(urls) > trackersMax {
		return wrong("trackers", "there are %d trackers, at most %d", len(urls), trackersMax)
	}
	var tiers [][]string
	if spec.Torrent != nil {
		tiers = append(tiers, spec.Torrent.Trackers...)
	} else {
		for _, url := range spec.Magnet.Trackers {
			tiers = append(tiers, []string{url})
		}
	}
	for _, url := range urls {
		tiers = append(tiers, []string{url})
	}
	spec.Options.Trackers = tiers
	return nil
}

// wantFiles gives all files but some the priority of those that are not wanted.
func wantFiles(spec *daemon.AddSpec, wanted []int) error {
	if wanted == nil {
		return nil
	}
	if spec.Torrent == nil {
		return wrong("files", "files can be chosen once the metadata is known")
	}
	files := make([]swarm.Priority, len(spec.Torrent.Info().Layout().Files))
	for _, i := range wanted {
		if i < 0 || i >= len(files) {
			return wrong("files", "there is no file %d", i)
		}
		files[i] = swarm.Normal
	}
	spec.Options.Files = files
	return nil
}
