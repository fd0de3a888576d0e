package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/control"
	"swarmnode/daemon/metrics"
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

// listeners returns where a daemon serves metrics, besides the addresses of its API.
func (f *metricsFlags) listeners(h http.Handler) []control.Listener {
	if !f.addr.addr.IsValid() {
		return nil
	}
	return []control.Listener{{Name: "metrics", Addr: f.addr.addr, Handler: h}}
}

// open listens through n if --metrics was given; otherwise the listener is nil.
func (f *metricsFlags) open(ctx context.Context, n *swarmnode.Network) (net.Listener, error) {
	if !f.addr.addr.IsValid() {
		return nil, nil
	}
	l, err := n.Serve(ctx, f.addr.addr)
	return l, bindFailure([]netip.AddrPort{f.addr.addr}, err)
}

// serveMetrics answers requests with the metrics of list and those of the process, until ctx
// ends. It closes l, which may be nil.
func serveMetrics(ctx context.Context, c *console, l net.Listener,
	list func() []metrics.Metric) {
	if l == nil {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+metrics.Path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", metrics.ContentType)
		// Nothing can be done about a reader that has gone.
		_ = metrics.Write(w, append(list(), metrics.Process()...))
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

// nodeMetrics serves the metrics of a node with its torrents until close. A nil nodeMetrics does
// nothing.
type nodeMetrics struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// serveNode serves the metrics of a node if --metrics was given.
func (f *metricsFlags) serveNode(ctx context.Context, c *console, w *swarmnode.Network,
	n *swarmnode.Node) (*nodeMetrics, error) {
	l, err := f.open(ctx, w)
	if l == nil || err != nil {
		return nil, err
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m := &nodeMetrics{cancel: cancel}
	m.wait.Go(func() {
		serveMetrics(serving, c, l, func() []metrics.Metric {
			return append(metrics.Torrents(n.Torrents()), metrics.Node(n)...)
		})
	})
	return m, nil
}

func (m *nodeMetrics) close() {
	if m != nil {
		m.cancel()
		m.wait.Wait()
	}
}

// A tallied is a metric of the command's own.
type tallied struct {
	name, help string
	value      uint64
	label      string
}

// metricsOf returns numbers as metrics.
func metricsOf(list []tallied) []metrics.Metric {
	all := make([]metrics.Metric, len(list))
	for i, n := range list {
		all[i] = metrics.Metric{Name: n.name, Help: n.help, Value: n.value, Label: n.label}
	}
	return all
}
