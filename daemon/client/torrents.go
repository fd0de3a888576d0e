package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
)

// A Query chooses the torrents of a list, and what is shown of them. Its zero value is all of all.
type Query struct {
	Fields []string // of api.Torrent, by their names in JSON; nil for all
	IDs    []daemon.ID
	Status []string // statuses, and active, stalled, finished or error
	Label  *string
	Search string // part of the name
	Sort   string // a field; with - in front the largest first
	Since  uint64 // the Seq of an earlier List; 0 for all
	Offset int
	Limit  int // 0 for as many as the daemon gives
}

// values returns the parameters of a query.
func (q *Query) values() url.Values {
	v := make(url.Values)
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("fields", strings.Join(q.Fields, ","))
	var ids []string
	for _, id := range q.IDs {
		ids = append(ids, strconv.Itoa(int(id)))
	}
	set("ids", strings.Join(ids, ","))
	set("status", strings.Join(q.Status, ","))
	if q.Label != nil {
		v.Set("label", *q.Label)
	}
	set("search", q.Search)
	set("sort", q.Sort)
	if q.Since > 0 {
		v.Set("since", strconv.FormatUint(q.Since, 10))
	}
	if q.Offset > 0 {
		v.Set("offset", strconv.Itoa(q.Offset))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// List returns one page of torrents.
func (c *Client) List(ctx context.Context, q Query) (api.List, error) {
	var list api.List
	err := c.call(ctx, request{method: http.MethodGet, path: "/torrents", query: q.values()}, &list)
	return list, err
}

// pagesMax bounds the pages that ListAll reads.
const pagesMax = 1000

// ListAll returns the torrents of all pages.
func (c *Client) ListAll(ctx context.Context, q Query) (api.List, error) {
	list, err := c.List(ctx, q)
	for range pagesMax {
		if err != nil || q.Limit > 0 || q.Offset+len(list.Torrents) >= list.Total {
			break
		}
		next := q
		next.Offset += len(list.Torrents)
		var more api.List
		if more, err = c.List(ctx, next); len(more.Torrents) == 0 {
			break
		}
		list.Torrents = append(list.Torrents, more.Torrents...)
	}
	return list, err
}

// torrentPath returns the path of a torrent.
func torrentPath(id daemon.ID, rest string) string {
	return "/torrents/" + strconv.Itoa(int(id)) + rest
}

// Torrent returns all that is known of a torrent.
func (c *Client) Torrent(ctx context.Context, id daemon.ID) (api.Details, error) {
	var d api.Details
	err := c.call(ctx, request{method: http.MethodGet, path: torrentPath(id, "")}, &d)
	return d, err
}

// ByHash is Torrent by an info-hash, either one of a hybrid: 40 hexadecimal digits.
func (c *Client) ByHash(ctx context.Context, hash string) (api.Details, error) {
	var d api.Details
	err := c.call(ctx, request{method: http.MethodGet, path: "/torrents/" + url.PathEscape(hash)},
		&d)
	return d, err
}

// Add adds a torrent. If it is there already, the error is a Problem with its ID and hash.
func (c *Client) Add(ctx context.Context, add api.Add) (api.Added, error) {
	var added api.Added
	err := c.call(ctx, request{method: http.MethodPost, path: "/torrents", body: add}, &added)
	return added, err
}

// Bulk does the same to several torrents.
func (c *Client) Bulk(ctx context.Context, b api.Bulk) (api.BulkResult, error) {
	var result api.BulkResult
	err := c.call(ctx, request{method: http.MethodPost, path: "/torrents/bulk", body: b}, &result)
	return result, err
}

// Set changes options of a torrent, and returns the new ones.
func (c *Client) Set(ctx context.Context, id daemon.ID, p api.Patch) (api.Options, error) {
	var options api.Options
	err := c.call(ctx, request{method: http.MethodPatch, path: torrentPath(id, ""), body: p},
		&options)
	return options, err
}

// Remove removes a torrent; with data, its files as well.
func (c *Client) Remove(ctx context.Context, id daemon.ID, data bool) error {
	query := make(url.Values)
	if data {
		query.Set("data", "true")
	}
	return c.call(ctx, request{method: http.MethodDelete, path: torrentPath(id, ""), query: query},
		nil)
}

// post sends a request that changes something about a torrent.
func (c *Client) post(ctx context.Context, id daemon.ID, what string, body any) error {
	return c.call(ctx, request{method: http.MethodPost, path: torrentPath(id, "/"+what),
		body: body}, nil)
}

// Start starts a torrent; with now, outside of the queue.
func (c *Client) Start(ctx context.Context, id daemon.ID, now bool) error {
	return c.post(ctx, id, "start", api.Start{Now: now})
}

// Stop stops a torrent.
func (c *Client) Stop(ctx context.Context, id daemon.ID) error {
	return c.post(ctx, id, "stop", nil)
}

// Verify hashes the content again, when its turn comes.
func (c *Client) Verify(ctx context.Context, id daemon.ID) error {
	return c.post(ctx, id, "verify", nil)
}

// Rename gives a file or folder of the content another name.
func (c *Client) Rename(ctx context.Context, id daemon.ID, path, name string) error {
	return c.post(ctx, id, "rename", api.Rename{Path: path, Name: name})
}

// Enqueue changes the position in the queue; the first one is 0.
func (c *Client) Enqueue(ctx context.Context, id daemon.ID, to int) error {
	return c.post(ctx, id, "queue", api.Enqueue{To: to})
}

// AddPeer names a peer to try, ADDRESS:PORT.
func (c *Client) AddPeer(ctx context.Context, id daemon.ID, address string) error {
	return c.post(ctx, id, "peers", api.AddPeer{Address: address})
}
