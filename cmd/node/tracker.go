package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/metrics"
	"swarmnode/swarm"
	"swarmnode/swarm/tracker"
)

// trackerPort is where trackers are usually found.
const trackerPort = 6969

func trackerCommand() *command {
	return &command{
		name:  "tracker",
		short: "run a tracker, over HTTP and UDP",
		long: `A tracker tells the peers of a torrent about each other. It accepts every torrent
that is announced to it, holds no content, and forgets everything when it ends. The
announce URLs are printed on standard output, one a line; they work with this node
and with other clients. It runs until interrupted.`,
		examples: []example{
			{"node tracker", "a tracker on port 6969, TCP and UDP"},
			{"node tracker --listen 192.0.2.7:80", "on one address and another port"},
			{"node seed --tracker udp://192.0.2.7:6969/announce FILE", "seed with that tracker"},
		},
		setup: func(fs *pflag.FlagSet) action {
			var f trackerFlags
			f.listen.register(fs, trackerPort, portTracker)
			f.metrics.register(fs)
			fs.Var(&f.interval, "interval",
				"how long announcers are asked to wait, at least 1m (default: 30m)")
			f.memory = memoryDefault
			fs.Var(&f.memory, "memory",
				"memory ceiling of the process, at least 32M; bounds the known peers (384M holds "+
					"800,000)")
			return f.run
		},
	}
}

type trackerFlags struct {
	listen   listenFlags
	metrics  metricsFlags
	interval timeValue
	memory   memoryValue
}

const (
	// trackerBase is the memory of an idle tracker: rates of sources, buffers, the
	// runtime.
	trackerBase = 4 << 20
	// connectionBytes is the memory of a connection with its goroutine and buffers,
	// including the garbage of the connection before it.
	connectionBytes = 40 << 10
	// connectionsShare is the fraction, 1/connectionsShare, of the memory for
	// connections; connectionsMin and connectionsMax bound their number.
	connectionsShare = 8
	connectionsMin   = 64
	connectionsMax   = 1024
	// descriptorsOther is how many descriptors are kept for other purposes.
	descriptorsOther = 32
)

// tracker returns how many connections on each of the given number of ports, and
// how many peers, fit below the ceiling and the limit on descriptors. A quarter of
// the memory left for peers is headroom for the collector.
func (v memoryValue) tracker(ports int) (connections, peers int) {
	room := int64(v) - memoryOutside
	connections = int(min(max(room/connectionsShare/connectionBytes, connectionsMin),
		connectionsMax))
	room -= trackerBase + int64(connections)*connectionBytes
	connections = min(connections, swarm.DescriptorsMax()-descriptorsOther)
	return max(connections/ports, 1), int(max(room/4*3/tracker.PeerBytes, 1))
}

func (f *trackerFlags) run(ctx context.Context, c *console, _ []string) error {
	if f.interval != 0 && time.Duration(f.interval) < time.Minute {
		return usage(c.command, errors.New("--interval is less than 1m"))
	}
	if err := f.memory.apply(c); err != nil {
		return err
	}
	network, err := f.listen.open()
	if err != nil {
		return err
	}
	follow := network.WatchDevice(c.log)
	addrs := f.listen.addresses(network, f.listen.port.port)
	list, err := listenTracker(ctx, network, addrs)
	if err != nil {
		return bindFailure(addrs, err)
	}
	numbers, err := f.metrics.open(ctx, network)
	if err != nil {
		for _, p := range list {
			p.close()
		}
		return err
	}
	connections, peers := f.memory.tracker(len(list))
	server := tracker.NewServer(tracker.ServerConfig{
		Interval: time.Duration(f.interval), Logger: c.log, PeersMax: peers,
		ConnectionsMax: connections,
	})
	serving, cancel := context.WithCancel(ctx)
	ports := newTrackerPorts(server, network, list)
	if !f.listen.noPortmap {
		ports.mapped = network.MapPorts(c.log)
		defer ports.mapped.Close()
		ports.mapped.Set(ports.bound, true, true)
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() {
		serveMetrics(serving, c, numbers, func() []metrics.Metric {
			return trackerMetrics(server.Stats())
		})
	})
	var bound []string
	var urls []string
	for _, addr := range ports.bound {
		bound = append(bound, addr.String())
		urls = append(urls, announceURLs(network, addr)...)
	}
	wait.Go(func() { ports.serve(serving, list, follow) })
	c.event("start", startEvent{Command: c.command, Version: swarmnode.Version, Listen: bound})
	c.event("tracker", trackerEvent{Announce: urls})
	for _, u := range urls {
		c.result(u)
	}
	err = f.watch(ctx, c, server, ports.failed)
	if stop := ended(ctx); stop != nil {
		return stop // its end closed the ports
	}
	return fail(exitNetwork, "", err)
}

// watch reports how the tracker is doing until ctx ends or it fails.
func (f *trackerFlags) watch(
	ctx context.Context, c *console, server *tracker.Server, failed <-chan error,
) error {
	var memory memoryWatch
	usr1, stop := statusSignals()
	defer stop()
	tick := time.NewTicker(showInterval)
	defer tick.Stop()
	shown := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-usr1:
			c.say(trackerLine(server.Stats()))
			c.event("tracker", trackerNews(server.Stats()))
		case now := <-tick.C:
			memory.look(c, f.memory)
			due := now.Sub(shown) >= bootstrapLineInterval
			if due {
				shown = now
				c.event("tracker", trackerNews(server.Stats()))
			}
			if due || c.redraw {
				c.progress(textLine(trackerLine(server.Stats())))
			}
		}
	}
}

// trackerLine returns the progress line of a tracker.
func trackerLine(st tracker.ServerStats) string {
	return fmt.Sprintf("tracker %s, %s  announces %d http, %d udp  scrapes %d http, %d udp  "+
		"refused %d  limited %d",
		plural(st.Swarms, "swarm"), plural(st.Peers, "peer"),
		st.AnnouncesHTTP, st.AnnouncesUDP, st.ScrapesHTTP, st.ScrapesUDP, st.Refused, st.Limited)
}

// tracker: the URLs of a tracker, or its state once a minute.
type trackerEvent struct {
	Announce      []string `json:"announce,omitempty"` // URLs; in the first event alone
	Swarms        int      `json:"swarms"`
	Peers         int      `json:"peers"`
	AnnouncesHTTP uint64   `json:"announces_http"`
	AnnouncesUDP  uint64   `json:"announces_udp"`
	ScrapesHTTP   uint64   `json:"scrapes_http"`
	ScrapesUDP    uint64   `json:"scrapes_udp"`
	Refused       uint64   `json:"refused"`
	Limited       uint64   `json:"limited"`
	Evicted       uint64   `json:"evicted"`
	Expired       uint64   `json:"expired"`
}

func trackerNews(st tracker.ServerStats) trackerEvent {
	return trackerEvent{
		Swarms: st.Swarms, Peers: st.Peers, AnnouncesHTTP: st.AnnouncesHTTP,
		AnnouncesUDP: st.AnnouncesUDP,
		ScrapesHTTP:  st.ScrapesHTTP, ScrapesUDP: st.ScrapesUDP, Refused: st.Refused,
		Limited: st.Limited, Evicted: st.Evicted, Expired: st.Expired,
	}
}

// announceURLs returns the URLs of a tracker that listens on bound.
func announceURLs(n *swarmnode.Network, bound netip.AddrPort) []string {
	var list []string
	for _, ip := range hostsOf(n, bound.Addr()) {
		at := netip.AddrPortFrom(ip, bound.Port()).String()
		list = append(list, "http://"+at+"/announce", "udp://"+at+"/announce")
	}
	return list
}

// hostsMax bounds the addresses of this machine that are listed.
const hostsMax = 8

// hostsOf returns the addresses that a bound address stands for: itself, or for the
// unspecified one those of this machine in its family that others can use, or else
// loopback.
func hostsOf(n *swarmnode.Network, bound netip.Addr) []netip.Addr {
	if !bound.IsUnspecified() {
		return []netip.Addr{bound.WithZone("")}
	}
	all, err := n.Egress().Addresses()
	if err != nil {
		all = nil
	}
	var hosts []netip.Addr
	for _, ip := range all {
		if ip.Is4() == bound.Is4() && ip.IsGlobalUnicast() && len(hosts) < hostsMax {
			hosts = append(hosts, ip)
		}
	}
	if len(hosts) > 0 || n.Egress().Device() != "" { // loopback is no address of an interface
		return hosts
	}
	if bound.Is4() {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return []netip.Addr{netip.IPv6Loopback()}
}

// trackerMetrics returns the metrics of a tracker.
func trackerMetrics(st tracker.ServerStats) []metrics.Metric {
	const http, udp = `protocol="http"`, `protocol="udp"`
	return metricsOf([]tallied{
		{"swarmnode_tracker_swarms", "Torrents that have peers.", uint64(st.Swarms), ""},
		{"swarmnode_tracker_peers", "Peers of all torrents.", uint64(st.Peers), ""},
		{"swarmnode_tracker_announces_total", "Announces answered.", st.AnnouncesHTTP, http},
		{"swarmnode_tracker_announces_total", "", st.AnnouncesUDP, udp},
		{"swarmnode_tracker_scrapes_total", "Scrapes answered.", st.ScrapesHTTP, http},
		{"swarmnode_tracker_scrapes_total", "", st.ScrapesUDP, udp},
		{"swarmnode_tracker_connects_total", "Connection ids given out.", st.Connects, ""},
		{"swarmnode_tracker_refused_total", "Malformed requests.", st.Refused, ""},
		{"swarmnode_tracker_limited_total",
			"Requests and connections beyond the limits of their source.", st.Limited, ""},
		{"swarmnode_tracker_peers_evicted_total", "Peers evicted for others.", st.Evicted, ""},
		{"swarmnode_tracker_peers_expired_total", "Peers that announced no more.", st.Expired, ""},
	})
}
