//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// miniupnpd is Debian's, of the package miniupnpd-nftables.
const miniupnpd = "miniupnpd"

// mappingPort is the port of PCP and NAT-PMP (RFC 6887, section 19.1).
const mappingPort = 5351

// Offers are the protocols by which a router lets hosts inside map ports. miniupnpd serves
// them. Requests of NAT-PMP or of PCP get no answer where only the other one is offered.
type Offers struct {
	PCP, NATPMP, UPnP bool
	// OldIGD makes UPnP describe an InternetGatewayDevice:1, rather than one of version 2.
	OldIGD bool
}

func (o Offers) any() bool { return o.PCP || o.NATPMP || o.UPnP }

// CanOffer returns an error that says what this machine lacks for routers with Offers.
func CanOffer() error {
	if _, err := exec.LookPath(miniupnpd); err != nil {
		return fmt.Errorf("%s is not installed (Debian: miniupnpd-nftables): %w", miniupnpd, err)
	}
	return nil
}

// translateByKernel gives a router the NAT of the kernel, which chooses the same port
// outside where it can and filters by address and port, and a miniupnpd that writes rules
// into it.
func (h *Host) translateByKernel(cfg RouterConfig) error {
	if err := CanOffer(); err != nil {
		return err
	}
	if err := run(fmt.Sprintf("ip -n %s addr add %v/24 dev wan", h.Name, h.Addr)); err != nil {
		return err
	}
	rules := h.file("rules.nft")
	if err := os.WriteFile(rules, []byte(gatewayRules(cfg)), 0o600); err != nil {
		return err
	}
	if err := run("ip netns exec " + h.Name + " nft -f " + rules); err != nil {
		return err
	}
	return h.Offer(context.Background(), cfg.Offers)
}

// Miniupnpd returns the program of a router with Offers.
func (h *Host) Miniupnpd() *Service { return h.offering }

// gatewayRules are those of the router itself. miniupnpd adds its own to the empty chains.
func gatewayRules(cfg RouterConfig) string {
	refused := ""
	for _, r := range []struct {
		offered bool
		version string // the first byte of a request
	}{{cfg.Offers.NATPMP, "0"}, {cfg.Offers.PCP, "2"}} {
		if !r.offered {
			refused += fmt.Sprintf("\t\tiifname lan udp dport %d @th,64,8 %s drop\n", mappingPort,
				r.version)
		}
	}
	return `table inet filter {
	chain input {
		type filter hook input priority 0;
		iifname wan ct state new,invalid drop
` + refused + `	}
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname lan accept
		jump miniupnpd
	}
	chain miniupnpd {
	}
	chain prerouting {
		type nat hook prerouting priority -100;
		jump prerouting_miniupnpd
	}
	chain postrouting {
		type nat hook postrouting priority 100;
		jump postrouting_miniupnpd
		meta nfproto ipv4 oifname wan masquerade
	}
	chain prerouting_miniupnpd {
	}
	chain postrouting_miniupnpd {
	}
}
`
}

// Offer starts the miniupnpd of a router with Offers. [Lab.Router] does it, and a caller
// that has ended the program does it again, as a router that starts again.
func (h *Host) Offer(ctx context.Context, o Offers) (err error) {
	config := strings.Join([]string{
		"ext_ifname=wan", "listening_ip=lan",
		"enable_natpmp=" + yesNo(o.PCP || o.NATPMP), "enable_upnp=" + yesNo(o.UPnP),
		"force_igd_desc_v1=" + yesNo(o.OldIGD), "ipv6_disable=" + yesNo(!h.inner6.IsValid()),
		"secure_mode=yes", "system_uptime=no", "uuid=8c3a3f3e-93c7-4a6e-9f53-6d5f7a9d4b01",
		"",
	}, "\n")
	file := h.file("miniupnpd.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	var signs []string
	if o.UPnP {
		signs = append(signs, "HTTP listening on port")
	}
	if o.PCP || o.NATPMP {
		signs = append(signs, "Listening for NAT-PMP/PCP")
	}
	h.offering, err = h.serve(ctx, []string{miniupnpd, "-d", "-f", file,
		"-P", h.file("miniupnpd.pid")}, contains(signs...))
	return err
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
