package metrics

import (
	"math"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"

	"swarmnode"
	"swarmnode/dht"
	"swarmnode/swarm"
	"swarmnode/swarm/reach"
)

// DHT returns the metrics of a DHT node.
func DHT(st dht.Stats) []Metric {
	const v4, v6 = `family="ipv4"`, `family="ipv6"`
	return []Metric{
		{"swarmnode_dht_contacts", "Contacts in the routing table.", whole(st.Contacts[0]), v4},
		{"swarmnode_dht_contacts", "", whole(st.Contacts[1]), v6},
		{"swarmnode_dht_contacts_good", "Contacts heard of within 15 minutes.", whole(st.Good[0]),
			v4},
		{"swarmnode_dht_contacts_good", "", whole(st.Good[1]), v6},
		{"swarmnode_dht_joined", "1 once the node has joined.", yes(st.Joined), ""},
		{"swarmnode_dht_stranger_networks",
			"Networks from which hosts reached the node unasked within an hour.",
			whole(st.Strangers[0]), v4},
		{"swarmnode_dht_stranger_networks", "", whole(st.Strangers[1]), v6},
		{"swarmnode_dht_hashes", "Info-hashes with peers, stored for others.", whole(st.Hashes),
			""},
		{"swarmnode_dht_items", "Items stored for others.", whole(st.Items), ""},
		{"swarmnode_dht_queries_waiting", "Queries that await an answer.", whole(st.Queries),
			""},
		{"swarmnode_dht_packets_received_total", "Packets received.", st.PacketsIn, ""},
		{"swarmnode_dht_packets_sent_total", "Packets sent.", st.PacketsOut, ""},
		{"swarmnode_dht_bytes_sent_total", "Bytes sent.", st.BytesOut, ""},
		{"swarmnode_dht_queries_answered_total", "Queries from others that were answered.",
			st.QueriesIn, ""},
		{"swarmnode_dht_queries_sent_total", "Queries sent.", st.QueriesOut, ""},
		{"swarmnode_dht_queries_timed_out_total", "Queries sent that timed out.", st.TimedOut,
			""},
		{"swarmnode_dht_lookups_total", "Lookups.", st.Lookups, ""},
		{"swarmnode_dht_packets_refused_total", "Packets refused.", st.Malformed,
			`reason="malformed"`},
		{"swarmnode_dht_packets_refused_total", "", st.Unsolicited, `reason="unsolicited"`},
		{"swarmnode_dht_packets_refused_total", "", st.Limited, `reason="limited"`},
		{"swarmnode_dht_packets_refused_total", "", st.Dropped, `reason="dropped"`},
		{"swarmnode_dht_packets_throttled_total", "Packets not sent for lack of budget.",
			st.Throttled, ""},
	}
}

// Node returns the metrics of a node and its DHT node, without those of its torrents.
func Node(n *swarmnode.Node) []Metric {
	down, up := n.Traffic()
	is, limits, blocked := n.Reach(), n.Limits(), n.Blocklist()
	mapped := 0
	for _, m := range n.Mappings() {
		if m.External.IsValid() {
			mapped++
		}
	}
	list := []Metric{
		{"swarmnode_payload_received_bytes_total", "Payload bytes received, waste included.",
			whole(down), ""},
		{"swarmnode_payload_sent_bytes_total", "Payload bytes sent.", whole(up), ""},
		{"swarmnode_limit_rate_bytes", "Limits of the rates, in bytes per second; 0 is none.",
			whole(limits.Down), `direction="down"`},
		{"swarmnode_limit_rate_bytes", "", whole(limits.Up), `direction="up"`},
		{"swarmnode_limit_peers", "The limit of connections.", whole(limits.Peers), ""},
		{"swarmnode_reachable", "1 if others can connect to the node, as far as it knows.",
			yes(open(is.TCP)), `transport="tcp"`},
		{"swarmnode_reachable", "", yes(open(is.UTP)), `transport="utp"`},
		{"swarmnode_ports_mapped", "Ports that routers map.", whole(mapped), ""},
		{"swarmnode_relays", "Addresses at relays that lead to the node.",
			whole(len(is.Relayed)), ""},
		{"swarmnode_blocklist_ranges", "Ranges of addresses that are blocked.",
			whole(blocked.Ranges), ""},
		{"swarmnode_blocklist_refused_total", "Peers refused because they are blocked.",
			whole(blocked.Refused), ""},
	}
	return append(list, DHT(n.DHT().Stats())...)
}

// open reports whether anybody can begin to talk to a node.
func open(r reach.Reachability) bool { return r == reach.Open || r == reach.Mapped }

// Torrents returns the metrics of torrents without a daemon.
func Torrents(torrents []*swarm.Torrent) []Metric {
	var phases [swarm.Closed + 1]uint64
	var peers, utp, web int
	var left int64
	var downRate, upRate int64
	waste := make(map[string]int64)
	for _, t := range torrents {
		s := t.State()
		if int(s.Phase) < len(phases) {
			phases[s.Phase]++
		}
		peers, utp = peers+s.PeersHere, utp+s.PeersUTP
		web += s.PeersConnected - s.PeersHere
		left += s.Left
		downRate, upRate = downRate+s.DownRate, upRate+s.UpRate
		for reason, n := range s.Waste {
			waste[reason.String()] += n
		}
	}
	var list []Metric
	for phase, n := range phases {
		list = append(list, Metric{"swarmnode_torrents", "Torrents by what they do.", n,
			Label("status", swarm.Phase(phase).String())})
	}
	list = append(list, rates(downRate, upRate)...)
	list = append(list, connections(peers, utp, web)...)
	list = append(list, Metric{"swarmnode_left_bytes", "Bytes that are missing.", whole(left), ""})
	return append(list, wasted(waste)...)
}

// rates returns the metrics of the rates.
func rates(down, up int64) []Metric {
	return []Metric{
		{"swarmnode_rate_bytes", "Payload bytes per second.", whole(down), `direction="down"`},
		{"swarmnode_rate_bytes", "", whole(up), `direction="up"`},
	}
}

// connections returns the metrics of connections to peers, of which utp are over uTP, and to
// web seeds.
func connections(peers, utp, web int) []Metric {
	return []Metric{
		{"swarmnode_peers", "Connections by their transport.", whole(peers - utp),
			`transport="tcp"`},
		{"swarmnode_peers", "", whole(utp), `transport="utp"`},
		{"swarmnode_peers", "", whole(web), `transport="web"`},
	}
}

// wasted returns the metrics of waste, in the order of the reasons.
func wasted(by map[string]int64) []Metric {
	var list []Metric
	for _, reason := range sorted(by) {
		list = append(list, Metric{"swarmnode_wasted_bytes",
			"Useless payload bytes that the present torrents have received.", whole(by[reason]),
			Label("reason", reason)})
	}
	return list
}

// started is when the process started, or nearly.
var started = time.Now()

// Process returns the metrics of this process.
func Process() []Metric {
	samples := [...]runtimemetrics.Sample{{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}}
	runtimemetrics.Read(samples[:])
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		limit = 0
	}
	list := []Metric{
		{"process_start_time_seconds", "When the process started, in seconds since 1970.",
			whole(started.Unix()), ""},
		{"go_goroutines", "Goroutines.", whole(runtime.NumGoroutine()), ""},
		{"swarmnode_memory_bytes", "Memory that the runtime holds.",
			samples[0].Value.Uint64() - samples[1].Value.Uint64(), ""},
		{"swarmnode_memory_limit_bytes", "The limit of it; 0 is none.", whole(limit), ""},
		{"swarmnode_build_info", "1, with the version of the program.", 1,
			Label("version", swarmnode.Version)},
	}
	return append(list, systemProcess()...)
}
