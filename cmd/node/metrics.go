package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/dht"
)

// metricsFlags say where metrics for a monitoring system are served.
type metricsFlags struct{ addr metricsValue }

func (f *metricsFlags) register(fs *pflag.FlagSet) {
	fs.Var(&f.addr, "metrics",
		"serve metrics in the text format of Prometheus, at /metrics of [HOST]:PORT (default "+
			"host: loopback)")
}

// A metricsValue is the flag of a TCP address; invalid if not given.
type metricsValue struct{ addr netip.AddrPort }

func (v *metricsValue) Type() string { return "ADDR" }
func (v *metricsValue) String() string {
	if !v.addr.IsValid() {
		return ""
	}
	return v.addr.String()
}
func (v *metricsValue) Set(s string) error {
	a, err := parseListen(s)
	if err != nil || !a.given {
		return errors.New("not an address such as :9100 or 192.0.2.1:9100")
	}
	if !a.host.IsValid() {
		a.host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	v.addr = netip.AddrPortFrom(a.host, a.port)
	return nil
}

const (
	// metricsTime bounds a request for the metrics, and its answer.
	metricsTime = 5 * time.Second
	// metricsHeadMax bounds the head of such a request, in bytes.
	metricsHeadMax = 8 << 10
)

// open listens through n if --metrics was given; otherwise the listener is nil.
func (f *metricsFlags) open(ctx context.Context, n *swarmnode.Network) (net.Listener, error) {
	if !f.addr.addr.IsValid() {
		return nil, nil
	}
	l, err := n.Serve(ctx, f.addr.addr)
	return l, bindFailure([]netip.AddrPort{f.addr.addr}, err)
}

// serveMetrics answers requests with what write writes, until ctx ends. It closes l,
// which may be nil.
func serveMetrics(ctx context.Context, c *console, l net.Listener, write func(io.Writer)) {
	if l == nil {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		write(w)
	})
	server := http.Server{
		Handler: mux, ReadTimeout: metricsTime, WriteTimeout: metricsTime, IdleTimeout: metricsTime,
		MaxHeaderBytes: metricsHeadMax,
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	c.note("metrics at http://%s/metrics", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		c.warn("metrics are no longer served: %v", err)
	}
}

// A metric is a number with its name and meaning.
type metric struct {
	name  string // that of a counter ends in _total
	help  string
	value uint64
	label string // name="value"; may be empty
}

// writeMetrics writes metrics in the text format of Prometheus. Metrics with the same
// name must follow each other.
func writeMetrics(w io.Writer, list []metric) {
	last := ""
	for _, m := range list {
		if m.name != last {
			kind := "gauge"
			if strings.HasSuffix(m.name, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, kind)
			last = m.name
		}
		label := ""
		if m.label != "" {
			label = "{" + m.label + "}"
		}
		io.WriteString(w, m.name+label+" "+strconv.FormatUint(m.value, 10)+"\n")
	}
}

// dhtMetrics returns the metrics of a DHT node.
func dhtMetrics(st dht.Stats) []metric {
	const v4, v6 = `family="ipv4"`, `family="ipv6"`
	joined := uint64(0)
	if st.Joined {
		joined = 1
	}
	return []metric{
		{"swarmnode_dht_contacts", "Contacts in the routing table.", uint64(st.Contacts[0]), v4},
		{"swarmnode_dht_contacts", "", uint64(st.Contacts[1]), v6},
		{"swarmnode_dht_contacts_good", "Contacts heard of within 15 minutes.", uint64(st.Good[0]),
			v4},
		{"swarmnode_dht_contacts_good", "", uint64(st.Good[1]), v6},
		{"swarmnode_dht_joined", "1 once the node has joined.", joined, ""},
		{"swarmnode_dht_stranger_networks",
			"Networks from which hosts reached the node unasked within an hour.",
			uint64(st.Strangers[0]), v4},
		{"swarmnode_dht_stranger_networks", "", uint64(st.Strangers[1]), v6},
		{"swarmnode_dht_hashes", "Info-hashes with peers, stored for others.", uint64(st.Hashes),
			""},
		{"swarmnode_dht_items", "Items stored for others.", uint64(st.Items), ""},
		{"swarmnode_dht_queries_waiting", "Queries that await an answer.", uint64(st.Queries),
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
