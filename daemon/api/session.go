package api

import (
	"math"
	"net/http"
	"net/netip"
	"runtime/debug"
	"runtime/metrics"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
	"swarmnode/swarm"
)

// sessionRoutes are those of the daemon as a whole.
var sessionRoutes = []route{
	{method: "GET", path: "/session", name: "getSession",
		about: "Describes the daemon, its node and the login.", scope: control.Read,
		status: http.StatusOK, answer: Session{}, serve: (*call).session},
	{method: "GET", path: "/stats", name: "getStats", about: "Counts all torrents together.",
		scope: control.Read, status: http.StatusOK, answer: Stats{}, serve: (*call).stats},
	{method: "GET", path: "/speed", name: "getSpeed",
		about: "Returns the speeds of the last hour.", scope: control.Read,
		status: http.StatusOK, answer: Speed{}, packs: true, serve: (*call).speed},
	{method: "GET", path: "/log", name: "getLog", about: "Returns the last lines of the log.",
		scope: control.Read, query: []parameter{
			{"since", "integer", "Only lines after this number."},
			{"limit", "integer", "The most lines, of which the last are shown."},
		}, status: http.StatusOK, answer: LogPage{}, serve: (*call).log},
	{method: "GET", path: "/settings", name: "getSettings", about: "Shows the settings.",
		scope: control.Read, status: http.StatusOK, answer: Settings{},
		serve: (*call).settings},
	{method: "PATCH", path: "/settings", name: "setSettings",
		about: "Changes settings. Those that are not named stay.", scope: control.Admin,
		body: Settings{}, status: http.StatusOK, answer: Settings{},
		serve: (*call).setSettings},
	{method: "GET", path: "/space", name: "getSpace",
		about: "Returns the space of the file system of a folder.", scope: control.Read,
		query: []parameter{{"dir", "string",
			"The folder, which need not exist yet; that of the settings if it is not given."}},
		status: http.StatusOK, answer: Space{}, serve: (*call).space},
	{method: "GET", path: "/groups", name: "listGroups",
		about: "Shows the groups of bandwidth.", scope: control.Read, status: http.StatusOK,
		answer: Groups{}, serve: (*call).groups},
	{method: "PUT", path: "/groups/{name}", name: "setGroup",
		about: "Sets the limits of a group of bandwidth.", scope: control.Admin,
		body: GroupLimits{}, status: http.StatusOK, answer: Groups{}, serve: (*call).setGroup},
	{method: "DELETE", path: "/groups/{name}", name: "removeGroup",
		about: "Removes the limits of a group of bandwidth.", scope: control.Admin,
		status: http.StatusNoContent, serve: (*call).removeGroup},
	{method: "POST", path: "/blocklist", name: "reloadBlocklist",
		about: "Reads the blocklists again.", scope: control.Admin, status: http.StatusOK,
		answer: Blocklist{}, serve: (*call).reloadBlocklist},
	{method: "POST", path: "/reload", name: "reload",
		about: "Reads the configuration again.", scope: control.Admin, status: http.StatusOK,
		answer: Reloaded{}, serve: (*call).reload},
	{method: "POST", path: "/shutdown", name: "shutdown", about: "Ends the daemon.",
		scope: control.Admin, status: http.StatusAccepted, serve: (*call).shutdown},
	{method: "GET", path: "/events", name: "followEvents",
		about: "Tells what changes, as server-sent events.", scope: control.Read,
		query: []parameter{fieldsParameter,
			{"since", "integer", "Begin with what changed since the seq of an earlier answer; " +
				"the header Last-Event-ID says the same."},
			{"stats", "boolean", "Tell Stats as well, when they change."},
			{"delta", "boolean", "Tell only the fields of a torrent that changed, as rows."},
		}, status: http.StatusOK, media: "text/event-stream", long: true,
		serve: (*call).events},
	{method: "GET", path: "/openapi.json", name: "getOpenAPI",
		about: "Returns the description of this interface.", scope: control.Read,
		status: http.StatusOK, media: "application/json", packs: true, serve: (*call).openapi},
}

// session describes the daemon.
func (c *call) session() error {
	a := c.api
	n := a.daemon.Node()
	return c.ok(Session{
		Version: swarmnode.Version, API: Version, Started: a.started.UTC(), User: c.who.Name,
		Scope: c.who.Scope.String(), Owner: c.who.Owner, Stats: a.stats(), Node: nodeOf(n),
		DHT: dhtOf(n), Dir: a.daemon.Settings().Dir, Pinned: listOf(a.daemon.Pinned()),
		Single: a.daemon.Single(),
		Memory: memoryNow(),
	})
}

// stats counts all torrents together.
func (a *API) stats() Stats {
	run, all := a.daemon.Stats()
	return statsOf(a.cfg.Tally.Sum(), a.cfg.Tally.Rate(), run, all)
}

// statsOf describes counts.
func statsOf(sum tally.Sum, rate tally.Rate, run, all daemon.Stats) Stats {
	s := Stats{Torrents: make(map[Status]int), Stalled: sum.Stalled, Errors: sum.Errors,
		DownRate: rate.Down, UpRate: rate.Up, Down: run.Down, Up: run.Up,
		Peers: sum.Peers + sum.Web,
		Size:  sum.Size, Have: sum.Have, Left: sum.Left, AllDown: all.Down, AllUp: all.Up,
		AllActive: all.Active.Seconds(), Sessions: all.Sessions}
	for status, n := range sum.Status {
		if n > 0 {
			s.Torrents[statusWord(daemon.Status(status))] = n
		}
	}
	return s
}

func (c *call) stats() error { return c.ok(c.api.stats()) }

// speed shows the history of speeds.
func (c *call) speed() error {
	seconds, minutes := c.api.cfg.Tally.History()
	return c.ok(Speed{ratesOf(seconds), ratesOf(minutes)})
}

func ratesOf(list []tally.Rate) []Rates {
	rates := make([]Rates, len(list))
	for i, r := range list {
		rates[i] = Rates{r.Time.UTC(), r.Down, r.Up}
	}
	return rates
}

// log shows the last lines.
func (c *call) log() error {
	since, err := c.number("since", 0, math.MaxInt)
	if err != nil {
		return err
	}
	limit, err := c.number("limit", logLines, logLines)
	if err != nil {
		return err
	}
	return c.ok(c.api.cfg.Log.After(uint64(since), limit))
}

// space returns the space of a file system.
func (c *call) space() error {
	dir := c.query("dir")
	if dir == "" {
		dir = c.api.daemon.Settings().Dir
	} else if err := c.mayUse(dir); err != nil {
		return err
	}
	free, total, err := swarm.DiskSpace(dir)
	if err != nil {
		return problemf(http.StatusUnprocessableEntity, "the space of %s is not known: %v", dir,
			err)
	}
	return c.ok(Space{dir, free, total})
}

// nodeOf says how a node is connected.
func nodeOf(n *swarmnode.Node) Node {
	is, blocked := n.Reach(), n.Blocklist()
	d := Node{Listen: addresses(n.Addrs()...), Endpoints: addresses(n.Endpoints()...),
		TCP: is.TCP.String(), UTP: is.UTP.String(), Why: is.Why, Summary: is.String(),
		External: addresses(is.External4, is.External6), Relayed: addresses(is.Relayed...),
		Mappings: []Mapping{}, ProxyAway: n.ProxyAway(), Blocked: blocked.Refused,
		BlockedRanges: blocked.Ranges}
	for _, m := range n.Mappings() {
		row := Mapping{Protocol: m.Want.Proto.String(), Port: m.Want.Port, Error: errorText(m.Err)}
		if m.External.IsValid() {
			row.External, row.By = m.External.String(), m.By.String()
		}
		d.Mappings = append(d.Mappings, row)
	}
	return d
}

// addresses returns the valid ones as text.
func addresses(list ...netip.AddrPort) []string {
	texts := []string{}
	for _, at := range list {
		if at.IsValid() {
			texts = append(texts, at.String())
		}
	}
	return texts
}

// dhtOf describes the DHT node.
func dhtOf(n *swarmnode.Node) DHT {
	st := n.DHT().Stats()
	return DHT{On: n.DHT().On(), Joined: st.Joined, Contacts4: st.Good[0], Contacts6: st.Good[1],
		BytesOut: st.BytesOut, Queries: st.QueriesIn, Answers: st.Answers}
}

// memoryNow returns the memory of the process.
func memoryNow() Memory {
	samples := [...]metrics.Sample{{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples[:])
	m := Memory{Used: int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		m.Limit = limit
	}
	return m
}

// reloadBlocklist reads the blocklists again.
func (c *call) reloadBlocklist() error {
	n := c.api.daemon.Node()
	if err := n.ReloadBlocklist(c.r.Context()); err != nil {
		return problemf(http.StatusBadGateway, "%v", err)
	}
	return c.ok(Blocklist{n.Blocklist().Ranges})
}

// reload reads the configuration again.
func (c *call) reload() error {
	if c.api.cfg.Reload == nil {
		return problemf(http.StatusNotImplemented, "this daemon has no configuration to read")
	}
	done, err := c.api.cfg.Reload(c.r.Context())
	if err != nil {
		return problemf(http.StatusUnprocessableEntity, "%v", err)
	}
	return c.ok(Reloaded{listOf(done.Changed), listOf(done.Restart)})
}

// shutdown begins the end of the daemon. The answer is on its way before that.
func (c *call) shutdown() error {
	if c.api.cfg.Shutdown == nil {
		return problemf(http.StatusNotImplemented, "this daemon cannot be ended so")
	}
	c.w.WriteHeader(http.StatusAccepted)
	_ = http.NewResponseController(c.w).Flush()
	c.api.cfg.Shutdown()
	return nil
}
