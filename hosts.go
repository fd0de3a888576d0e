package swarmnode

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"swarmnode/swarm/egress"
)

// resolveTimeout bounds CheckHosts, so that an error is on the screen within a second.
// Whoever dials the name later waits for a slow answer.
const resolveTimeout = 800 * time.Millisecond

// CheckHosts returns those of hosts, HOST:PORT each, that certainly have no address now, each
// with the reason. A name about which no answer came within a second is left out, so a
// program can tell its user of a typing error early.
func (w *Network) CheckHosts(ctx context.Context, hosts []string) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	type answer struct {
		host string
		err  error
	}
	answers := make(chan answer, len(hosts))
	for _, h := range hosts {
		go func() { answers <- answer{h, w.reason(ctx, h)} }()
	}
	bad := make(map[string]error)
	for range hosts {
		if a := <-answers; a.err != nil {
			bad[a.host] = a.err
		}
	}
	return bad
}

// reason returns why the name in a HOST:PORT has no address. It returns nil if there is
// one, if no answer came before ctx ended, and behind a proxy, which does not say.
func (w *Network) reason(ctx context.Context, hostPort string) error {
	if w.Proxied() {
		return nil
	}
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	_, err = w.resolve(ctx, host)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsTimeout {
			return nil
		}
		return errors.New(dns.Err)
	}
	return err
}

// resolve returns the addresses of a host. It is for dht.Config.
func (w *Network) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return w.Egress().LookupNetIP(ctx, egress.Any, host)
}
