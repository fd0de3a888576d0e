package swarmnode

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"swarmnode/swarm/transport/relay"
)

// strangersNeeded is from how many networks strangers must have reached the DHT node before a
// relay counts as public.
const strangersNeeded = 2

// A relayProof is what is known of whether a relay can be reached from everywhere.
type relayProof struct {
	lent      []netip.Addr
	private   bool // it is for private networks
	strangers [2]int
	external  []netip.AddrPort // of the DHT node, as others see it
}

// hidden reports whether the relay is for private networks while its DHT is that of the Internet.
func (p relayProof) hidden() bool {
	return p.private && slices.ContainsFunc(p.external, func(seen netip.AddrPort) bool {
		return relay.Public(seen.Addr())
	})
}

// judge returns for which families a relay serves everybody, and why for none.
func (p relayProof) judge() (open [2]bool, why string) {
	if len(p.lent) == 0 {
		return open, "this machine has no public address"
	}
	var reasons []string
	for _, ip := range p.lent {
		family := 0
		if ip.Is6() {
			family = 1
		}
		if reason := p.lacks(ip, p.strangers[family]); reason != "" {
			reasons = append(reasons, reason)
			continue
		}
		open[family] = true
	}
	if open[0] || open[1] {
		return open, ""
	}
	return open, strings.Join(reasons, "; ")
}

// lacks returns why a relay that lends ip does not serve everybody, or nothing.
func (p relayProof) lacks(ip netip.Addr, strangers int) string {
	if p.private {
		return ""
	}
	for _, seen := range p.external {
		if seen.Addr().Is4() == ip.Is4() && seen.Addr() != ip {
			return fmt.Sprintf("others see this machine at %v, not at %v", seen.Addr(), ip)
		}
	}
	if strangers < strangersNeeded {
		return fmt.Sprintf("strangers of %d of %d networks have reached %v", strangers,
			strangersNeeded, ip)
	}
	return ""
}
