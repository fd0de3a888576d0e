package api

import (
	"net/http"
	"slices"

	"swarmnode/daemon/control"
)

// A route is a row of the table that requests are served by, and openapi.json is held against.
type route struct {
	method, path string // below Base
	name         string // operationId
	about        string // a sentence
	scope        control.Scope
	query        []parameter
	// body is a value of the type of the body; nil for none. It may be left out if bodyOptional.
	body         any
	bodyOptional bool
	// status is that of the answer, and answer a value of the type of its body; nil for none.
	status int
	answer any
	media  string // the content type of an answer that is not JSON
	long   bool   // it has no time limit of its own
	packs  bool   // a long answer is packed for those who take gzip
	serve  func(*call) error
}

// A parameter is one of the query.
type parameter struct {
	name  string
	kind  string // of JSON: string, integer or boolean
	about string
}

// takes reports whether the route has a parameter.
func (r *route) takes(name string) bool {
	return slices.ContainsFunc(r.query, func(p parameter) bool { return p.name == name })
}

var paging = []parameter{
	{"offset", "integer", "How many entries are left out at the beginning."},
	{"limit", "integer", "The most entries in the answer."},
}

var fieldsParameter = parameter{"fields", "string",
	"The fields of Torrent to show, with commas; all if it is not given. id is always there."}

// routes are all routes.
var routes = slices.Concat(torrentRoutes, actionRoutes, viewRoutes, makingRoutes, sessionRoutes,
	loginRoutes)

var torrentRoutes = []route{
	{method: "GET", path: "/torrents", name: "listTorrents", about: "Lists torrents.",
		scope: control.Read, status: http.StatusOK, answer: List{}, serve: (*call).list,
		packs: true,
		query: append([]parameter{fieldsParameter,
			{"ids", "string", "Only torrents with these numbers or info-hashes, with commas."},
			{"status", "string", "Only torrents with one of these statuses, with commas; also " +
				"active (bytes move), stalled, finished and error."},
			{"label", "string", "Only torrents with this label; empty: without any."},
			{"search", "string", "Only torrents whose name contains this, in any case."},
			{"since", "integer", "Only torrents that changed since the seq of an earlier answer."},
			{"sort", "string", "The field to sort by; with - in front the largest first. " +
				"Otherwise by id."},
		}, paging...)},
	{method: "POST", path: "/torrents", name: "addTorrent", about: "Adds a torrent.",
		scope: control.Control, body: Add{}, status: http.StatusCreated, answer: Added{},
		serve: (*call).add},
	{method: "POST", path: "/torrents/bulk", name: "bulk",
		about: "Does the same to several torrents.", scope: control.Control, body: Bulk{},
		status: http.StatusOK, answer: BulkResult{}, serve: (*call).bulk},
	{method: "GET", path: "/torrents/{id}", name: "getTorrent", about: "Shows a torrent.",
		scope: control.Read, status: http.StatusOK, answer: Details{}, serve: (*call).details},
	{method: "PATCH", path: "/torrents/{id}", name: "setTorrent",
		about: "Changes options of a torrent.", scope: control.Control, body: Patch{},
		status: http.StatusOK, answer: Options{}, serve: (*call).patch},
	{method: "DELETE", path: "/torrents/{id}", name: "removeTorrent",
		about: "Removes a torrent.", scope: control.Control, status: http.StatusNoContent,
		query: []parameter{{"data", "boolean", "Remove its files as well."}},
		serve: (*call).remove},
	{method: "GET", path: "/torrents/{id}/torrent", name: "getMetainfo",
		about: "Returns the .torrent file.", scope: control.Read, status: http.StatusOK,
		media: torrentType, serve: (*call).metainfo},
	{method: "GET", path: "/torrents/{id}/qr.svg", name: "getQRCode",
		about: "Draws the magnet link as a QR code.", scope: control.Read,
		status: http.StatusOK, media: svgType, serve: (*call).qr},
}

var actionRoutes = []route{
	{method: "POST", path: "/torrents/{id}/start", name: "startTorrent",
		about: "Starts a torrent when its turn in the queue comes.", scope: control.Control,
		body: Start{}, bodyOptional: true, status: http.StatusNoContent, serve: (*call).start},
	{method: "POST", path: "/torrents/{id}/stop", name: "stopTorrent",
		about: "Stops a torrent.", scope: control.Control, status: http.StatusNoContent,
		serve: (*call).stop},
	{method: "POST", path: "/torrents/{id}/verify", name: "verifyTorrent",
		about: "Hashes the content again, when its turn comes.", scope: control.Control,
		status: http.StatusNoContent, serve: (*call).verify},
	{method: "POST", path: "/torrents/{id}/reannounce", name: "reannounceTorrent",
		about: "Asks the trackers as soon as they allow it.", scope: control.Control,
		status: http.StatusNoContent, serve: (*call).reannounce},
	{method: "POST", path: "/torrents/{id}/move", name: "moveTorrent",
		about: "Begins to move the content into another folder.", scope: control.Control,
		body: Folder{}, status: http.StatusAccepted, serve: (*call).move},
	{method: "POST", path: "/torrents/{id}/locate", name: "locateTorrent",
		about: "Says that the content lies in another folder. It is checked there.",
		scope: control.Control, body: Folder{}, status: http.StatusNoContent,
		serve: (*call).locate},
	{method: "POST", path: "/torrents/{id}/rename", name: "renameTorrent",
		about: "Gives a file or folder of the content another name.", scope: control.Control,
		body: Rename{}, status: http.StatusNoContent, serve: (*call).rename},
	{method: "POST", path: "/torrents/{id}/queue", name: "queueTorrent",
		about: "Changes the position in the queue.", scope: control.Control, body: Enqueue{},
		status: http.StatusNoContent, serve: (*call).queue},
}
