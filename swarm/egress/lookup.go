package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// resolutionDelay is how long addresses of IPv4 wait for those of IPv6 of the same name
// (RFC 8305, section 3, "Resolution Delay").
const resolutionDelay = 50 * time.Millisecond

// LookupNetIP returns the addresses of a host in a family, at least one. Through a device, the
// name servers are asked through it. Behind a proxy, names are not looked up: the error is a
// *net.DNSError then, as it is for a name without addresses.
func (n *Net) LookupNetIP(ctx context.Context, f Family, host string) ([]netip.Addr, error) {
	both, ok := n.family(f)
	if !ok {
		return nil, &net.DNSError{Err: ErrFamily.Error(), Name: host}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if !both.Has(ip) {
			return nil, &net.DNSError{Err: "no suitable address", Name: host, IsNotFound: true}
		}
		return []netip.Addr{ip.Unmap()}, nil
	}
	if n.Proxy() != nil {
		return nil, &net.DNSError{Err: "names are looked up by the proxy", Name: host}
	}
	resolver := net.DefaultResolver
	if n != nil {
		resolver = n.resolver
	}
	ips, err := resolver.LookupNetIP(ctx, both.Network("ip"), host)
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, err
}

// LookupHostPort returns the addresses that HOST:PORT stands for, at least one. The port may
// be the name of a service.
func (n *Net) LookupHostPort(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	if addr, err := netip.ParseAddrPort(hostPort); err == nil {
		return []netip.AddrPort{addr}, nil
	}
	host, service, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		named, err := net.DefaultResolver.LookupPort(ctx, "tcp", service) // asks nobody
		if err != nil {
			return nil, err
		}
		port = uint64(named)
	}
	ips, err := n.LookupNetIP(ctx, Any, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip, uint16(port))
	}
	return addrs, nil
}

// An answer is what a name server says about a name in one family.
type answer struct {
	ips []netip.Addr
	err error
}

// lookup returns the addresses of a host in the order in which to try them: the families in
// turns, IPv6 first. It asks for both families at once, and does not wait for IPv6 for long
// once the addresses of IPv4 are there.
func (n *Net) lookup(ctx context.Context, f Family, host string) ([]netip.Addr, error) {
	if both, ok := n.family(f); !ok || both != Any {
		return n.LookupNetIP(ctx, f, host)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	var answers [2]chan answer // of IPv6, and of IPv4
	for i, family := range []Family{IPv6, IPv4} {
		answers[i] = make(chan answer, 1)
		wait.Go(func() {
			ips, err := n.LookupNetIP(ctx, family, host)
			answers[i] <- answer{ips, err}
		})
	}
	var six, four answer
	select {
	case six = <-answers[0]:
		// The wait for IPv4 goes on even if there are addresses: RFC 8305 lets attempts
		// begin, which saves little where both questions are asked at once.
		four = <-answers[1]
	case four = <-answers[1]:
		late := time.NewTimer(resolutionDelay)
		defer late.Stop()
		if four.err != nil {
			late.Stop() // nothing to try without IPv6
		}
		select {
		case six = <-answers[0]:
		case <-late.C:
		}
	}
	if len(six.ips)+len(four.ips) == 0 {
		return nil, worse(four.err, six.err)
	}
	return inTurns(six.ips, four.ips), nil
}

// worse returns the error of a look-up in two families that failed: a server that could not
// be asked says more than a name that has no address in one of them.
func worse(four, six error) error {
	var dns *net.DNSError
	if errors.As(four, &dns) && dns.IsNotFound && six != nil {
		return six
	}
	return four
}

// inTurns returns the elements of a and b in turns, those of a first.
func inTurns(a, b []netip.Addr) []netip.Addr {
	all := make([]netip.Addr, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		if len(a) > 0 {
			all, a = append(all, a[0]), a[1:]
		}
		if len(b) > 0 {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return all
}
