package metrics

import (
	"maps"
	"net/http"
	"slices"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/tally"
)

// Path is where Prometheus looks for metrics.
const Path = "/metrics"

// A Config describes the metrics of a daemon.
type Config struct {
	Daemon *daemon.Daemon
	Tally  *tally.Tally
	Gate   *control.Gate
	// Torrents adds metrics of each torrent, with its info-hash and name as labels.
	Torrents bool
}

// New returns a handler of Path. Requests need the scope control.Read.
func New(cfg Config) http.Handler {
	return cfg.Gate.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET is possible here", http.StatusMethodNotAllowed)
		case control.From(r.Context()).Scope < control.Read:
			http.Error(w, "this needs the scope read", http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", ContentType)
			w.Header().Set("Cache-Control", "no-store")
			// Nothing can be done about a reader that has gone.
			_ = Write(w, cfg.list())
		}
	}), nil)
}

// list returns the metrics.
func (cfg *Config) list() []Metric {
	sum, rate := cfg.Tally.Sum(), cfg.Tally.Rate()
	run, all := cfg.Daemon.Stats()
	requests := cfg.Gate.Stats()
	var list []Metric
	for status, n := range sum.Status {
		list = append(list, Metric{"swarmnode_torrents", "Torrents by what they do.", whole(n),
			Label("status", statusLabels[status])})
	}
	list = append(list,
		Metric{"swarmnode_torrents_stalled", "Torrents that run and move nothing.",
			whole(sum.Stalled), ""},
		Metric{"swarmnode_torrents_error", "Torrents with an error.", whole(sum.Errors), ""})
	list = append(list, rates(rate.Down, rate.Up)...)
	list = append(list, connections(sum.Peers, sum.UTP, sum.Web)...)
	list = append(list,
		Metric{"swarmnode_size_bytes", "Bytes of all torrents.", whole(sum.Size), ""},
		Metric{"swarmnode_have_bytes", "Bytes of them that are verified.", whole(sum.Have), ""},
		Metric{"swarmnode_left_bytes", "Bytes that are missing.", whole(sum.Left), ""},
		Metric{"swarmnode_torrents_added_total", "Torrents added since the daemon started.",
			whole(run.Added), ""},
		Metric{"swarmnode_sessions_total", "Starts of the daemon.", whole(all.Sessions), ""},
		Metric{"swarmnode_all_received_bytes_total",
			"Payload bytes received in all runs of the daemon.", whole(all.Down), ""},
		Metric{"swarmnode_all_sent_bytes_total", "Payload bytes sent in all runs of the daemon.",
			whole(all.Up), ""})
	list = append(list, wasted(sum.Wasted)...)
	for class, n := range requests.Answers {
		list = append(list, Metric{"swarmnode_http_requests_total", "Requests by their answers.",
			n, Label("code", classLabels[class])})
	}
	list = append(list,
		Metric{"swarmnode_http_wrong_passwords_total", "Wrong passwords and tokens.",
			requests.Wrong, ""},
		Metric{"swarmnode_http_body_bytes", "Bodies of requests in memory, in bytes.",
			whole(requests.Bodies), ""})
	list = append(list, Node(cfg.Daemon.Node())...)
	list = append(list, Process()...)
	if cfg.Torrents {
		list = append(list, each(cfg.Daemon.Torrents())...)
	}
	return list
}

// statusLabels are the values of the label status, as in daemon/api.
var statusLabels = [...]string{daemon.Stopped: "stopped", daemon.CheckQueued: "check-queued",
	daemon.Checking: "checking", daemon.DownloadQueued: "download-queued",
	daemon.Downloading: "downloading", daemon.SeedQueued: "seed-queued",
	daemon.Seeding: "seeding"}

// classLabels are the values of the label code.
var classLabels = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// each returns the metrics of each torrent.
func each(torrents []*daemon.Torrent) []Metric {
	type row struct {
		name, help string
		value      func(*daemon.State) uint64
	}
	rows := []row{
		{"swarmnode_torrent_received_bytes_total", "Payload bytes received for a torrent.",
			func(s *daemon.State) uint64 { return whole(s.Totals.Down) }},
		{"swarmnode_torrent_sent_bytes_total", "Payload bytes sent of a torrent.",
			func(s *daemon.State) uint64 { return whole(s.Totals.Up) }},
		{"swarmnode_torrent_size_bytes", "Bytes of a torrent.",
			func(s *daemon.State) uint64 { return whole(s.Size) }},
		{"swarmnode_torrent_left_bytes", "Bytes of a torrent that are missing.",
			func(s *daemon.State) uint64 { return whole(s.Left) }},
		{"swarmnode_torrent_status", "What a torrent does: 0 stopped, 1 waits to be checked, " +
			"2 checked, 3 waits to download, 4 downloads, 5 waits to seed, 6 seeds.",
			func(s *daemon.State) uint64 { return uint64(s.Status) }},
		{"swarmnode_torrent_peers", "Connections of a torrent.",
			func(s *daemon.State) uint64 { return whole(s.Swarm.PeersConnected) }},
	}
	states, labels := make([]daemon.State, len(torrents)), make([]string, len(torrents))
	for i, t := range torrents {
		states[i] = t.State()
		labels[i] = Label("hash", t.Hash().String()) + "," + Label("name", states[i].Name)
	}
	var list []Metric
	for _, r := range rows {
		for i := range states {
			list = append(list, Metric{r.name, r.help, r.value(&states[i]), labels[i]})
		}
	}
	return list
}

// sorted returns the keys of a map in order.
func sorted(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }
