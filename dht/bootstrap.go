package dht

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// bootstrapTextMax bounds the bytes of a bootstrap list that are read,
	// bootstrapHostsMax the hosts taken from it.
	bootstrapTextMax  = 1 << 20
	bootstrapHostsMax = 1000

	// bootstrapErrorsMax bounds the faults that are reported one by one.
	bootstrapErrorsMax = 20

	// resolveTimeout bounds a lookup of all names.
	resolveTimeout = 5 * time.Second

	// resolveParallel bounds the names looked up at one time.
	resolveParallel = 16

	// While no node has answered, names are looked up again with these delays.
	resolveDelayFirst = time.Second
	resolveDelayMax   = 5 * time.Minute
)

// ParseBootstrap reads a list of bootstrap hosts, one HOST:PORT a line: an IPv4
// address, an IPv6 address in brackets, or a name. Blank lines, comments from a #
// on, a byte order mark, Windows line ends and repetitions are ignored. It returns
// the valid hosts, and an error for each invalid line: a list with faults is still
// useful. Lines that begin with "turn:" name relays, which are no nodes of the DHT, and are left
// out.
func ParseBootstrap(text []byte) (hosts []string, faults []error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(text) > bootstrapTextMax {
		faults = append(faults, fmt.Errorf("bootstrap list: only the first %d bytes are read",
			bootstrapTextMax))
		text = text[:bootstrapTextMax]
		text = text[:bytes.LastIndexByte(text, '\n')+1] // the rest of the line is lost
	}
	seen := make(map[string]struct{})
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "turn:") {
			continue
		}
		host, err := ParseHost(line)
		if err != nil {
			if len(faults) < bootstrapErrorsMax {
				faults = append(faults, fmt.Errorf("bootstrap list: line %d: %w", number, err))
			}
			continue
		}
		if _, dup := seen[host]; dup {
			continue
		}
		if len(hosts) >= bootstrapHostsMax {
			faults = append(faults, fmt.Errorf("bootstrap list: only the first %d hosts are used",
				bootstrapHostsMax))
			break
		}
		seen[host] = struct{}{}
		hosts = append(hosts, host)
	}
	return hosts, faults
}

// ParseHost checks one HOST:PORT of a bootstrap list, and returns its canonical
// form.
func ParseHost(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%.100q is not HOST:PORT", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("%.100q: the port must be 1 to 65535", s)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		addr := cleanAddr(netip.AddrPortFrom(ip, uint16(n)))
		if ip = addr.Addr(); ip.IsUnspecified() || ip.IsMulticast() {
			return "", fmt.Errorf("%.100q is not the address of a host", s)
		}
		return addr.String(), nil
	}
	if !isHostName(host) {
		return "", fmt.Errorf("%.100q: the host is neither an address nor a name", s)
	}
	return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), nil
}

// isHostName reports whether s can be a host's name: labels of letters, digits,
// hyphens and underscores, the last of them not a number, 253 bytes in all.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	_, err := strconv.ParseUint(labels[len(labels)-1], 10, 64)
	return err != nil
}

// splitHosts divides hosts into addresses and names.
func splitHosts(hosts []string) (addrs []netip.AddrPort, names []string, err error) {
	for _, s := range hosts {
		s, err := ParseHost(s)
		if err != nil {
			return nil, nil, fmt.Errorf("bootstrap host: %w", err)
		}
		if a, err := netip.ParseAddrPort(s); err == nil {
			addrs = append(addrs, a)
		} else {
			names = append(names, s)
		}
	}
	return addrs, names, nil
}

// resolveHosts looks up all names, resolveParallel at one time, and returns their
// addresses. The error joins those of the names that failed.
func resolveHosts(ctx context.Context, names []string,
	resolve func(context.Context, string) ([]netip.Addr, error)) ([]netip.AddrPort, error) {
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, resolveParallel)
		found = make([][]netip.AddrPort, len(names))
		fails = make([]error, len(names))
	)
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	for i, name := range names {
		wg.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				fails[i] = fmt.Errorf("resolving %s: %w", name, ctx.Err())
				return
			}
			host, port, _ := net.SplitHostPort(name)
			n, _ := strconv.ParseUint(port, 10, 16)
			ips, err := resolve(ctx, host)
			if err != nil {
				fails[i] = fmt.Errorf("resolving %s: %w", name, err)
				return
			}
			for _, ip := range ips {
				found[i] = append(found[i], cleanAddr(netip.AddrPortFrom(ip, uint16(n))))
			}
		})
	}
	wg.Wait()
	var all []netip.AddrPort
	for _, list := range found {
		all = append(all, list...)
	}
	return all, errors.Join(fails...)
}

// systemResolve is the default of Config.Resolve.
func systemResolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
