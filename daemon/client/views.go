package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/metainfo"
)

// Folder returns the entries of a folder of a torrent, whose path has slashes; the empty path is
// the top.
func (c *Client) Folder(ctx context.Context, id daemon.ID, path string) ([]api.FileEntry, error) {
	return c.files(ctx, id, url.Values{"path": {path}})
}

// Files returns all files of a torrent, by their indices.
func (c *Client) Files(ctx context.Context, id daemon.ID) ([]api.FileEntry, error) {
	return c.files(ctx, id, url.Values{"flat": {"true"}})
}

// files returns the entries of all pages of a query.
func (c *Client) files(ctx context.Context, id daemon.ID, query url.Values) ([]api.FileEntry,
	error) {
	var all []api.FileEntry
	for range pagesMax {
		var page api.FileTree
		query.Set("offset", strconv.Itoa(len(all)))
		if err := c.call(ctx, request{method: http.MethodGet, path: torrentPath(id, "/files"),
			query: query}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if len(all) >= page.Total || len(page.Entries) == 0 {
			break
		}
	}
	return all, nil
}

// SetFiles changes the priorities of files.
func (c *Client) SetFiles(ctx context.Context, id daemon.ID, p api.FilePriorities) error {
	return c.call(ctx, request{method: http.MethodPatch, path: torrentPath(id, "/files"), body: p},
		nil)
}

// Peers returns the connections of a torrent.
func (c *Client) Peers(ctx context.Context, id daemon.ID) ([]api.Peer, error) {
	var peers api.Peers
	err := c.view(ctx, id, "peers", &peers)
	return peers.Peers, err
}

// Trackers returns the trackers of a torrent.
func (c *Client) Trackers(ctx context.Context, id daemon.ID) ([]api.Tracker, error) {
	var trackers api.Trackers
	err := c.view(ctx, id, "trackers", &trackers)
	return trackers.Trackers, err
}

// SetTrackers replaces the trackers of a torrent. Nil are those of the torrent or link again, and
// an empty list is none.
func (c *Client) SetTrackers(ctx context.Context, id daemon.ID, tiers [][]string) error {
	body := make(map[string]any) // an api.Tiers would leave an empty list out
	if tiers != nil {
		body["tiers"] = tiers
	}
	return c.call(ctx, request{method: http.MethodPut, path: torrentPath(id, "/trackers"),
		body: body}, nil)
}

// SetWebSeeds replaces the web seeds of a torrent. Nil are those of the torrent or link again,
// and an empty list is none.
func (c *Client) SetWebSeeds(ctx context.Context, id daemon.ID, urls []string) error {
	body := make(map[string]any)
	if urls != nil {
		body["urls"] = urls
	}
	return c.call(ctx, request{method: http.MethodPut, path: torrentPath(id, "/webseeds"),
		body: body}, nil)
}

// view gets a part of a torrent.
func (c *Client) view(ctx context.Context, id daemon.ID, what string, into any) error {
	return c.call(ctx, request{method: http.MethodGet, path: torrentPath(id, "/"+what)}, into)
}

// Metainfo returns the .torrent file of a torrent.
func (c *Client) Metainfo(ctx context.Context, id daemon.ID) ([]byte, error) {
	answer, err := c.send(ctx, request{method: http.MethodGet, path: torrentPath(id, "/torrent")})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body := &bounded{from: answer.Body, left: metainfo.TorrentBytesMax + 1}
	doc, err := io.ReadAll(body)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &UnreachableError{c.where, err}
	}
	return doc, nil
}

// Session describes the daemon and its node.
func (c *Client) Session(ctx context.Context) (api.Session, error) {
	var s api.Session
	err := c.call(ctx, request{method: http.MethodGet, path: "/session"}, &s)
	return s, err
}

// Settings are those of a daemon, by the names of their flags: numbers are float64, durations
// are in seconds.
type Settings map[string]any

// Settings returns the settings of the daemon.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	var s Settings
	err := c.call(ctx, request{method: http.MethodGet, path: "/settings"}, &s)
	return s, err
}

// Change changes settings of the daemon, by the names of their flags, and returns all of them.
func (c *Client) Change(ctx context.Context, changes Settings) (Settings, error) {
	var s Settings
	err := c.call(ctx, request{method: http.MethodPatch, path: "/settings", body: changes}, &s)
	return s, err
}

// Groups returns the groups of torrents that share limits.
func (c *Client) Groups(ctx context.Context) ([]daemon.Group, error) {
	var g api.Groups
	err := c.call(ctx, request{method: http.MethodGet, path: "/groups"}, &g)
	return g.Groups, err
}

// SetGroup sets the limits of a group, which need not have had any. Its name is neither "." nor
// "..".
func (c *Client) SetGroup(ctx context.Context, g daemon.Group) error {
	return c.call(ctx, request{method: http.MethodPut, path: "/groups/" + url.PathEscape(g.Name),
		body: api.GroupLimits{Down: g.Down, Up: g.Up, Alone: g.Alone}}, nil)
}

// RemoveGroup removes the limits of a group.
func (c *Client) RemoveGroup(ctx context.Context, name string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: "/groups/" + url.PathEscape(name)},
		nil)
}

// Reload makes the daemon read its configuration again, and returns what that has changed.
func (c *Client) Reload(ctx context.Context) (api.Reloaded, error) {
	var r api.Reloaded
	err := c.call(ctx, request{method: http.MethodPost, path: "/reload"}, &r)
	return r, err
}

// Shutdown begins the end of the daemon.
func (c *Client) Shutdown(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodPost, path: "/shutdown"}, nil)
}
