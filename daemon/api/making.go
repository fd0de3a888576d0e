package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

// makingRoutes are those that help to add torrents and to make them.
var makingRoutes = []route{
	{method: "GET", path: "/browse", name: "browse",
		about: "Shows a folder of the machine of the daemon.", scope: control.Control,
		query: []parameter{{"dir", "string",
			"The folder, absolute; the folders to begin with if it is not given."}},
		status: http.StatusOK, answer: FolderPage{}, packs: true, serve: (*call).browse},
	{method: "POST", path: "/inspect", name: "inspect",
		about: "Says what a torrent is, without adding it.", scope: control.Control,
		query: []parameter{{"wait", "integer", "How many seconds the metadata of a link may " +
			"take, up to 45, which it is if it is not given."}},
		body: Add{}, status: http.StatusOK, answer: Inspection{}, packs: true,
		serve: (*call).inspect},
	{method: "GET", path: "/creations", name: "listCreations",
		about: "Shows the torrents that are being made, and the last ones that were.",
		scope: control.Read, status: http.StatusOK, answer: Creations{},
		serve: (*call).creations},
	{method: "POST", path: "/creations", name: "createTorrent",
		about: "Begins to make a torrent of content on the machine of the daemon, and adds it.",
		scope: control.Control, body: Create{}, status: http.StatusAccepted, answer: Creation{},
		serve: (*call).create},
	{method: "GET", path: "/creations/{number}", name: "getCreation",
		about: "Shows a torrent that is being made, or was.", scope: control.Read,
		status: http.StatusOK, answer: Creation{}, serve: (*call).creation},
	{method: "DELETE", path: "/creations/{number}", name: "cancelCreation",
		about: "Ends the making of a torrent, or forgets that it was made.",
		scope: control.Control, status: http.StatusNoContent, serve: (*call).cancelCreation},
}

// browse shows a folder.
func (c *call) browse() error {
	l, err := c.api.daemon.Browse(c.r.Context(), c.query("dir"))
	if err != nil {
		return folderProblem(err)
	}
	page := FolderPage{Dir: l.Dir, Parent: l.Parent, Total: l.Total, More: l.More,
		Entries: make([]FolderEntry, len(l.Entries))}
	for i, e := range l.Entries {
		page.Entries[i] = FolderEntry{e.Name, e.Folder, e.Size, at(e.Modified)}
	}
	return c.ok(page)
}

// folderProblem returns the Problem for an error of a path that somebody named.
func folderProblem(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrongly(http.StatusNotFound, "dir", err)
	case errors.Is(err, fs.ErrPermission):
		return wrongly(http.StatusForbidden, "dir", err)
	case errors.Is(err, daemon.ErrNoFolder), errors.Is(err, syscall.ENOTDIR):
		return wrongly(http.StatusUnprocessableEntity, "dir", err)
	}
	return err
}

// wrongly returns the Problem of a value for an error.
func wrongly(status int, name string, err error) *Problem {
	p := problemf(status, "%v", err)
	p.Name = name
	return p
}

// inspectWait is the longest time, in seconds, that the metadata of a link may take.
const inspectWait = 45

// inspect says what a torrent is. The metadata of a link is fetched by a visit, so that the link
// can be added, or read, at once afterwards.
func (c *call) inspect() error {
	wait, err := c.number("wait", inspectWait, inspectWait)
	if err != nil {
		return err
	}
	add, release, err := c.readAdd()
	if err != nil {
		return err
	}
	defer release()
	if (add.Source == "") == (add.Metainfo == nil) {
		return wrong("source", "want either a source or a .torrent file")
	}
	var spec daemon.AddSpec
	if err := c.source(add, &spec); err != nil {
		return err
	}
	hash := spec.Magnet.Hash()
	if spec.Torrent != nil {
		hash = spec.Torrent.Info().Hash()
	}
	i := Inspection{Hash: hash.String(), Trackers: []string{}, Files: []InspectedFile{}}
	if t := c.api.daemon.Torrent(hash); t != nil && !t.State().Temporary {
		i.Exists = t.ID()
	}
	if spec.Torrent == nil {
		ctx, cancel := context.WithTimeout(c.r.Context(), time.Duration(wait)*time.Second)
		defer cancel()
		if spec.Torrent, err = c.visit(ctx, &spec.Magnet); err != nil {
			return err
		}
	}
	i.describe(spec.Torrent, &spec.Magnet)
	return c.ok(i)
}

// visit fetches the metadata of a link.
func (c *call) visit(ctx context.Context, m *metainfo.Magnet) (*metainfo.Torrent, error) {
	t, err := c.api.daemon.Visit(ctx, *m)
	if err == nil {
		err = t.AwaitInfo(ctx)
	}
	switch {
	case err == nil:
		return t.Metainfo(ctx)
	case ctx.Err() == nil || c.r.Context().Err() != nil || t == nil:
		return nil, err
	}
	why := t.Stuck(c.r.Context()).Text
	if why == "" {
		why = "The torrent is " + t.State().Status.String() + "."
	}
	return nil, wrongly(http.StatusGatewayTimeout, "source",
		fmt.Errorf("the metadata did not come in time. %s", why))
}

// describe describes a torrent. link may leave files out.
func (i *Inspection) describe(t *metainfo.Torrent, link *metainfo.Magnet) {
	info := t.Info()
	l := info.Layout()
	i.Name, i.Private, i.Comment = info.Name(), info.Private(), t.Comment
	if v2, ok := info.HashV2(); ok {
		i.V2 = v2.String()
	}
	for _, tier := range t.Trackers {
		i.Trackers = append(i.Trackers, tier...)
	}
	for _, url := range link.Trackers {
		if !slices.Contains(i.Trackers, url) {
			i.Trackers = append(i.Trackers, url)
		}
	}
	var chosen map[int]bool
	if len(link.Select) > 0 {
		chosen = make(map[int]bool)
		for n := range link.Selected(len(l.Files)) {
			chosen[n] = true
		}
	}
	for n := range l.Files {
		f := &l.Files[n]
		if f.Pad {
			continue
		}
		i.Size += f.Length
		i.Files = append(i.Files, InspectedFile{n, l.FilePath(n), f.Length,
			chosen == nil || chosen[n]})
	}
}

// formats are the kinds by their words.
var formats = map[CreateFormat]metainfo.Kind{"": metainfo.Hybrid, FormatV1: metainfo.V1,
	FormatV2: metainfo.V2, FormatHybrid: metainfo.Hybrid}

// create begins to make a torrent.
func (c *call) create() error {
	var body Create
	if err := c.body(&body, false); err != nil {
		return err
	}
	spec, err := body.spec(time.Now())
	if err != nil {
		return err
	}
	made, err := c.api.daemon.Create(c.r.Context(), spec)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", Base+"/creations/"+strconv.Itoa(made.ID))
	return c.answer(http.StatusAccepted, creationOf(&made))
}

// spec returns what is to be made.
func (b *Create) spec(now time.Time) (daemon.CreationSpec, error) {
	kind, ok := formats[b.Format]
	if !ok {
		return daemon.CreationSpec{}, wrong("format", "there is no format %q", b.Format)
	}
	spec := daemon.CreationSpec{Path: b.Path, Name: b.Name, Kind: kind,
		PieceLength: b.PieceLength, Private: b.Private, Trackers: b.Trackers, WebSeeds: b.WebSeeds,
		Comment: b.Comment, Creator: "swarmnode/" + swarmnode.Version,
		Options: daemon.Options{Labels: labelsOf(b.Labels)}}
	if !b.NoDate {
		spec.Created = now
	}
	if b.Seed != nil {
		spec.Options.Stopped = !*b.Seed
	}
	return spec, nil
}

// creationOf describes a creation.
func creationOf(is *daemon.Creation) Creation {
	c := Creation{ID: is.ID, Path: is.Path, Name: is.Name, Status: CreationStatus(is.Status),
		Hashed: is.Hashed, Total: is.Total, Skipped: is.Skipped}
	if is.Err != nil {
		c.Error = is.Err.Error()
	}
	if t := is.Torrent; t != nil {
		c.Hash, c.Torrent = t.Hash().String(), t.ID()
	}
	return c
}

// creations shows all creations.
func (c *call) creations() error {
	list := c.api.daemon.Creations()
	shown := Creations{make([]Creation, len(list))}
	for i := range list {
		shown.Creations[i] = creationOf(&list[i])
	}
	return c.ok(shown)
}

// creationNumber returns the number of the creation that the path names.
func (c *call) creationNumber() (int, error) {
	n, err := strconv.ParseInt(c.r.PathValue("number"), 10, 32)
	if err != nil {
		return 0, daemon.ErrNoCreation
	}
	return int(n), nil
}

// creation shows one.
func (c *call) creation() error {
	n, err := c.creationNumber()
	if err != nil {
		return err
	}
	is, err := c.api.daemon.Creation(n)
	if err != nil {
		return err
	}
	return c.ok(creationOf(&is))
}

// cancelCreation ends one, or forgets it.
func (c *call) cancelCreation() error {
	n, err := c.creationNumber()
	if err != nil {
		return err
	}
	if err := c.api.daemon.CancelCreation(n); err != nil {
		return err
	}
	return c.done()
}
