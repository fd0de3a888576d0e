package api

import (
	"net/http"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/swarm"
)

var viewRoutes = []route{
	{method: "GET", path: "/torrents/{id}/files", name: "listFiles",
		about: "Shows the files and subfolders of a folder of a torrent.", scope: control.Read,
		query: append([]parameter{
			{"path", "string", "The folder, with slashes; the top if it is not given."},
			{"flat", "boolean", "Show all files below it instead, by their index."},
		}, paging...), status: http.StatusOK, answer: FileTree{}, packs: true,
		serve: (*call).files},
	{method: "PATCH", path: "/torrents/{id}/files", name: "setFiles",
		about: "Changes the priorities of files.", scope: control.Control, body: FilePriorities{},
		status: http.StatusNoContent, serve: (*call).setFiles},
	{method: "GET", path: "/torrents/{id}/peers", name: "listPeers",
		about: "Shows the connections of a torrent.", scope: control.Read,
		status: http.StatusOK, answer: Peers{}, packs: true, serve: (*call).peers},
	{method: "POST", path: "/torrents/{id}/peers", name: "addPeer",
		about: "Names a peer to try.", scope: control.Control, body: AddPeer{},
		status: http.StatusNoContent, serve: (*call).addPeer},
	{method: "GET", path: "/torrents/{id}/pieces", name: "showPieces",
		about: "Shows the pieces of a torrent, or equal parts of it.", scope: control.Read,
		query: []parameter{{"cells", "integer",
			"Into how many parts the torrent is divided; a part is a piece if it is not given."}},
		status: http.StatusOK, answer: Pieces{}, packs: true, serve: (*call).pieces},
	{method: "GET", path: "/torrents/{id}/speed", name: "getTorrentSpeed",
		about: "Returns the speeds of a torrent in the last hour.", scope: control.Read,
		status: http.StatusOK, answer: Speed{}, packs: true, serve: (*call).torrentSpeed},
	{method: "GET", path: "/torrents/{id}/trackers", name: "listTrackers",
		about: "Shows the trackers of a torrent.", scope: control.Read, status: http.StatusOK,
		answer: Trackers{}, serve: (*call).trackers},
	{method: "PUT", path: "/torrents/{id}/trackers", name: "setTrackers",
		about: "Replaces the trackers of a torrent.", scope: control.Control, body: Tiers{},
		status: http.StatusOK, answer: Trackers{}, serve: (*call).setTrackers},
	{method: "GET", path: "/torrents/{id}/webseeds", name: "listWebSeeds",
		about: "Shows the web seeds of a torrent.", scope: control.Read, status: http.StatusOK,
		answer: WebSeeds{}, serve: (*call).webSeeds},
	{method: "PUT", path: "/torrents/{id}/webseeds", name: "setWebSeeds",
		about: "Replaces the web seeds of a torrent.", scope: control.Control, body: URLs{},
		status: http.StatusOK, answer: WebSeeds{}, serve: (*call).setWebSeeds},
}

// peers shows the connections.
func (c *call) peers() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	states := t.Peers()
	list := make([]Peer, len(states))
	for i := range states {
		list[i] = peerOf(&states[i])
	}
	return c.ok(Peers{list})
}

// torrentSpeed shows the history of the speeds of a torrent.
func (c *call) torrentSpeed() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	seconds, minutes := c.api.cfg.Tally.TorrentHistory(t.ID())
	return c.ok(Speed{ratesOf(seconds), ratesOf(minutes)})
}

// peerOf describes a connection.
func peerOf(p *swarm.PeerState) Peer {
	d := Peer{
		Address: p.URL, Client: p.Client, Flags: p.Flags(), Transport: string(p.Transport),
		Source: p.Source.String(), Outgoing: p.Outgoing, Encrypted: p.Encrypted, Seed: p.Seed,
		Progress: p.Progress, Interesting: p.Interesting, Choking: p.Choking,
		Interested: p.Interested, Unchoked: p.Unchoked, Down: p.Down, Up: p.Up,
		DownRate: p.DownRate, UpRate: p.UpRate, Asked: p.Asked, Queued: p.Queued,
		Connected: at(p.Connected),
	}
	if p.Waiting != swarm.PeerWaitNone {
		d.Waiting = p.Waiting.String()
	}
	if d.Address == "" {
		d.Address = p.Addr.String()
	}
	return d
}

// addPeer names a peer to try.
func (c *call) addPeer() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	var body AddPeer
	if err := c.body(&body, false); err != nil {
		return err
	}
	if err := t.AddPeer(c.r.Context(), body.Address); err != nil {
		return err
	}
	return c.done()
}

// cellsMax bounds the parts of which pieces are shown.
const cellsMax = 100_000

// pieces shows the pieces.
func (c *call) pieces() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	cells, err := c.number("cells", 0, cellsMax)
	if err != nil {
		return err
	}
	state, s := t.State(), t.Pieces()
	return c.ok(piecesOf(&state, &s, cells))
}

// piecesOf describes pieces in cells, or in as many as there are pieces if cells is 0.
func piecesOf(state *daemon.State, s *swarm.PiecesState, cells int) Pieces {
	n := state.Pieces
	d := Pieces{Pieces: n, PieceLength: state.PieceLength, Cells: cells, InFlight: []int{}}
	if cells == 0 || cells > n {
		d.Cells = n
	}
	d.Have, d.Availability = make([]byte, d.Cells), make([]byte, d.Cells)
	if s.Have == nil || n == 0 {
		return d
	}
	for cell := range d.Cells {
		first, end := cell*n/d.Cells, (cell+1)*n/d.Cells
		have, fewest := 0, uint16(255)
		for i := first; i < end; i++ {
			if s.Have.Has(i) {
				have++
			}
			if i < len(s.Availability) {
				fewest = min(fewest, s.Availability[i])
			}
		}
		d.Have[cell], d.Availability[cell] = byte(have*255/(end-first)), byte(fewest)
	}
	last := -1
	for _, i := range s.InFlight {
		// The cell whose first piece is at most i.
		if cell := ((i+1)*d.Cells - 1) / n; cell != last {
			d.InFlight = append(d.InFlight, cell)
			last = cell
		}
	}
	if d.Cells == n {
		d.Bits = s.Have.AppendWire(nil)
	}
	return d
}

// trackersOf describes the trackers of a torrent.
func trackersOf(t *daemon.Torrent) []Tracker {
	states := t.Trackers()
	list := make([]Tracker, len(states))
	for i := range states {
		s := &states[i]
		list[i] = Tracker{URL: s.URL, Tier: s.Tier, User: s.User, Status: s.Status.String(),
			Error: errorText(s.Err), Message: s.Message, LastAnnounce: at(s.LastAnnounce),
			NextAnnounce: at(s.NextAnnounce), Seeds: count(s.Seeds), Leeches: count(s.Leeches),
			Downloaded: count(s.Downloaded), Peers: s.Peers}
	}
	return list
}

// count returns a number, or nil for one that is negative, which is unknown.
func count(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

// errorText returns what an error says, or nothing.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// trackers shows the trackers.
func (c *call) trackers() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	return c.ok(Trackers{trackersOf(t)})
}

// setTrackers replaces the trackers.
func (c *call) setTrackers() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	var body Tiers
	if err := c.body(&body, false); err != nil {
		return err
	}
	err = t.Set(c.r.Context(), func(o *daemon.Options) { o.Trackers = body.Tiers })
	if err != nil {
		return err
	}
	return c.ok(Trackers{trackersOf(t)})
}

// webSeedsOf describes the web seeds of a torrent.
func webSeedsOf(t *daemon.Torrent) []WebSeed {
	states := t.WebSeeds()
	list := make([]WebSeed, len(states))
	for i, s := range states {
		list[i] = WebSeed{URL: s.URL, User: s.User, Status: s.Status.String(),
			Error: errorText(s.Err), Retry: at(s.RetryAt), Down: s.Down, Rate: s.Rate}
	}
	return list
}

// webSeeds shows the web seeds.
func (c *call) webSeeds() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	return c.ok(WebSeeds{webSeedsOf(t)})
}

// setWebSeeds replaces the web seeds.
func (c *call) setWebSeeds() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	var body URLs
	if err := c.body(&body, false); err != nil {
		return err
	}
	err = t.Set(c.r.Context(), func(o *daemon.Options) { o.WebSeeds = body.URLs })
	if err != nil {
		return err
	}
	return c.ok(WebSeeds{webSeedsOf(t)})
}
