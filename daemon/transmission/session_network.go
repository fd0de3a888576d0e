package transmission

import (
	"math"
	"strings"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/swarm"
)

// networkSettings are about peers and ports. What the daemon cannot change while it runs is
// shown as it is.
var networkSettings = []setting{
	truthSetting("dht-enabled", "dht_enabled", func(s *daemon.Settings) *bool { return &s.DHT }),
	truthSetting("lpd-enabled", "lpd_enabled", func(s *daemon.Settings) *bool { return &s.LSD }),
	truthSetting("pex-enabled", "pex_enabled", func(s *daemon.Settings) *bool { return &s.PEX }),
	settable("peer-port", "peer_port",
		func(w *writer, s *session) { w.int(int64(portOf(s.node))) }, setPort),
	fixed("peer-port-random-on-start", "peer_port_random_on_start",
		func(w *writer, s *session) { w.bool(s.h.cfg.Node.AnyPort) }),
	fixed("port-forwarding-enabled", "port_forwarding_enabled",
		func(w *writer, s *session) { w.bool(!s.h.cfg.Node.NoPortmap) }),
	fixed("utp-enabled", "utp_enabled",
		func(w *writer, s *session) { w.bool(!s.h.cfg.Node.NoUTP) }),
	fixed("tcp-enabled", "tcp_enabled",
		func(w *writer, s *session) { w.bool(!s.h.cfg.Node.NoTCP) }),
	fixed("preferred_transports", "preferred_transports", func(w *writer, s *session) {
		w.open('[')
		if !s.h.cfg.Node.NoUTP {
			w.text("utp")
		}
		if !s.h.cfg.Node.NoTCP {
			w.text("tcp")
		}
		w.shut(']')
	}),
	fixed("encryption", "encryption", func(w *writer, s *session) {
		w.text(encryptionName(s.h.cfg.Node.Encryption, w.d))
	}),
	settable("default-trackers", "default_trackers",
		func(w *writer, s *session) { w.text(strings.Join(s.all.Trackers, "\n\n")) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			text, ok := v.text()
			if !ok {
				return nil, nil
			}
			tiers, err := parseTrackerList(text)
			if err != nil {
				return nil, err
			}
			var list []string
			for _, tier := range tiers {
				list = append(list, tier...)
			}
			return func(s *daemon.Settings) { s.Trackers = list }, nil
		}),
	noteNumber("reqq", "reqq", 500),
}

// setPort returns how a port changes the settings. Programs send back the port that they were
// told, too, which may be one that the daemon has picked.
func setPort(c *call, v value) (func(s *daemon.Settings), error) {
	n, ok := v.number()
	switch {
	case !ok || v.kind() != '0' || n == float64(portOf(c.h.daemon.Node())):
		return nil, nil
	case n < 1 || n > math.MaxUint16 || n != math.Trunc(n):
		return nil, invalid("the peer port is a number from 1 to 65535")
	}
	return func(s *daemon.Settings) { s.Port = int(n) }, nil
}

// portOf returns the port that peers connect to, as the node listens on it.
func portOf(node *swarmnode.Node) uint16 {
	for _, addr := range node.Addrs() {
		return addr.Port()
	}
	return 0
}

// encryptionName returns the policy of encryption as clients name it.
func encryptionName(e swarm.Encryption, d dialect) string {
	switch e {
	case swarm.EncryptionRequired:
		return "required"
	case swarm.EncryptionPreferred:
		return "preferred"
	}
	return names{"tolerated", "allowed"}[d]
}
